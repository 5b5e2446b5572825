package control_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each header that a proxy, a gateway or a CDN adds takes away the right of a local call.
func TestHeadersOfProxies(t *testing.T) {
	for _, name := range []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded", "Forwarded-For", "X-Forwarded-Proto", "x_forwarded_host", "Via", "X-Real-IP", "X-Client-IP", "True-Client-IP",
		"X-Cluster-Client-IP", "X-Remote-Addr", "X-Remote-IP", "X-Appengine-User-IP", "X-ProxyUser-IP", "WL-Proxy-Client-IP", "CF-Connecting-IP", "CF-Ray", "CDN-Loop",
		"Fastly-Client-IP", "Fly-Region", "X-Azure-ClientIP", "X-ARR-LOG-ID", "X-Original-URL", "X-Rewrite-URL", "X-Envoy-External-Address", "X-Varnish", "X-BlueCoat-Via",
		"Surrogate-Capability", "X-Scheme", "X-Kong-Request-Id", "Tailscale-User-Login", "Ngrok-Trace-Id", "SSL-Client-Verify", "Akamai-Origin-Hop", "Proxy-Connection", "Max-Forwards",
	} {
		for _, value := range []string{"", "127.0.0.1"} {
			s := guarded(io.Discard)
			s.Token = nil
			r := asked(ticketJSON(aTicket))
			r.Header[name] = []string{value}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %q: %d %s", name, value, w.Code, w.Body)
			}
		}
	}
}

// Types of body that a page of another site can send are refused, also where no body is
// read and the browser does not say that it is such a page.
func TestFormsAreRefused(t *testing.T) {
	for kind, want := range map[string]int{
		"application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "text/plain": 415, "TEXT/PLAIN;charset=utf-8": 415,
		"application/json": 404, "": 404,
	} {
		s := guarded(io.Discard)
		s.Token, s.Component = nil, "another"
		r := asked(ticketJSON(aTicket))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want || !strings.Contains(w.Body.String(), `"error_code"`) {
			t.Errorf("%q: %d %s", kind, w.Code, w.Body)
		}
	}
}

// raw is a server on a real listener that takes bytes of any shape.
type raw struct {
	*testing.T
	address string
	changed func() int
}

func serveRaw(t *testing.T, token bool) *raw {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, changed := guarded(io.Discard), make(chan struct{}, 1000)
	s.Ticket = func(context.Context, string) error { changed <- struct{}{}; return nil }
	if !token {
		s.Token = nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return &raw{t, listener.Addr().String(), func() int { return len(changed) }}
}

// send sends bytes over one connection and returns the statuses of the answers, until the
// server closes it or has answered so many.
func (s *raw) send(answers int, text string) (codes []int) {
	s.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, text) // fails where the server has closed the connection
	}()
	in := bufio.NewReader(c)
	for len(codes) < answers {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		codes = append(codes, answer.StatusCode)
	}
	_ = c.Close()
	<-sent
	return codes
}

func request(line string, headers ...string) string {
	return line + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
}

// Requests of odd shapes change nothing that a plain one could not: no second request hides
// in a first, and no spelling of a path or a method passes by the check.
func TestOddRequests(t *testing.T) {
	const line, host, kind = "PUT /components/wxc/verify-ticket HTTP/1.1", "Host: localhost", "Content-Type: application/json"
	body := ticketJSON(aTicket)
	length := "Content-Length: 70"
	if len(body) != 70 {
		t.Fatalf("the body has %d bytes", len(body))
	}
	change := request(line, host, kind, length) + body
	proxied := request("GET /livez HTTP/1.1", host, "X-Forwarded-For: 192.0.2.1")
	for _, c := range []struct {
		what, text string
		changes    int
	}{
		{"a plain call", change, 1},
		{"two calls", change + change, 2},
		{"in chunks", request(line, host, kind, "Transfer-Encoding: chunked") + "46\r\n" + body + "\r\n0\r\n\r\n", 1},
		{"HTTP/1.0, as some proxies speak", request("PUT /components/wxc/verify-ticket HTTP/1.0", host, kind, length) + body, 0},
		{"after a proxy's read", proxied + change, 0},
		{"after a proxy's refused call", request("PUT /shops/target HTTP/1.1", host, "Via: 1.1 gate", "Content-Length: 0") + change, 0},
		{"in the body of a proxy's call", request("GET /livez HTTP/1.1", host, "X-Forwarded-For: 192.0.2.1", "Content-Length: 5") + "01234" + change, 0},
		{"behind an end of chunks that a proxy does not see", request("GET /livez HTTP/1.1", host, "X-Real-IP: 192.0.2.1", "Content-Length: 300", "Transfer-Encoding: chunked") + "0\r\n\r\n" + change, 0},
		{"two lengths", request(line, host, kind, "Content-Length: 3", length) + body, 0},
		{"a length with a sign", request(line, host, kind, "Content-Length: +70") + body, 0},
		{"a space before the colon", request(line, host, kind, "Content-Length : 70") + body, 0},
		{"an unknown transfer coding", request(line, host, kind, "Transfer-Encoding: gzip, chunked") + "46\r\n" + body + "\r\n0\r\n\r\n", 0},
		{"two hosts", request(line, host, "Host: evil.example", kind, length) + body, 0},
		{"no host", request(line, kind, length) + body, 0},
		{"a host of another name", request(line, "Host: evil.example", kind, length) + body, 0},
		{"a host that begins as this one", request(line, "Host: localhost.evil.example", kind, length) + body, 0},
		{"a host in the target", request("PUT http://evil.example/components/wxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"a method in small letters", request("put /components/wxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"a method in a header", request("GET /components/wxc/verify-ticket HTTP/1.1", host, kind, "X-HTTP-Method-Override: PUT", length) + body, 0},
		{"a path in other case", request("PUT /Components/wxc/Verify-Ticket HTTP/1.1", host, kind, length) + body, 0},
		{"an escaped slash", request("PUT /components%2Fwxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"a double slash", request("PUT //components/wxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"a way up", request("PUT /livez/../components/wxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"an escaped way up", request("PUT /livez/%2e%2e/components/wxc/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"a zero in the path", request("PUT /components/wxc%00/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"letters that look alike", request("PUT /components/wxс/verify-ticket HTTP/1.1", host, kind, length) + body, 0},
		{"another site's page", request(line, host, kind, "Origin: http://evil.example", length) + body, 0},
		{"a page of no site", request(line, host, kind, "Origin: null", length) + body, 0},
		{"another port's page", request(line, host, kind, "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site", length) + body, 0},
		{"a page that claims one of two", request(line, host, kind, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", length) + body, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := serveRaw(t, false)
			codes := s.send(2, c.text+request("GET /livez HTTP/1.1", host, "Connection: close"))
			if got := s.changed(); got != c.changes {
				t.Errorf("%d changes, want %d; answers %v", got, c.changes, codes)
			}
		})
	}
}

// A body without an end is cut off at the bound of its call, and one of a call that is
// refused is not read.
func TestBodiesWithoutEnd(t *testing.T) {
	s := serveRaw(t, true)
	endless := strings.Repeat("1000\r\n"+strings.Repeat(" ", 4096)+"\r\n", 1000)
	for _, c := range []struct {
		authorization string
		want          int
	}{{"Authorization: Bearer " + aToken, 413}, {"Authorization: Bearer wrong", 401}, {"X: y", 401}} {
		codes := s.send(2, request("PUT /components/wxc/verify-ticket HTTP/1.1", "Host: worker", "Content-Type: application/json", c.authorization, "Transfer-Encoding: chunked")+endless)
		if len(codes) != 1 || codes[0] != c.want {
			t.Errorf("%s: %v", c.authorization, codes)
		}
	}
	if s.changed() != 0 {
		t.Errorf("%d changes", s.changed())
	}
}
