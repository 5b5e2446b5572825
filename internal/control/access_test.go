package control_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/internal/control"
	"orderwalk/internal/httpserve"
	"orderwalk/test/certtest"
	"orderwalk/test/leaktest"
)

// guarded is a server with a platform, a token and a log of JSON lines.
func guarded(log io.Writer) *control.Server {
	s := newServer()
	s.Log = slog.New(slog.NewJSONHandler(log, nil))
	s.Component, s.Ticket = "wxc", func(context.Context, string) error { return nil }
	s.Token = func() (string, error) { return aToken, nil }
	return s
}

// put sends a ticket from an address, with a token if it is not empty.
func put(h http.Handler, from, token string) *httptest.ResponseRecorder {
	r := asked(ticketJSON(aTicket))
	r.RemoteAddr = from
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// lines are those of a log of JSON.
func lines(t *testing.T, log string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, l)
	}
	return all
}

// Wrong tokens by the thousand are refused, soon without a look at them, and neither
// answers nor log tell a token or grow.
func TestWrongTokensByTheThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := watched(t, guarded(&log))
		var leaks leaktest.Search
		leaks.Hide("the token", aToken)
		counts := map[int]int{}
		for i := range 5000 {
			guess := fmt.Sprintf("guessed-token-number-%d", i)
			w := put(h, "192.0.2.1:"+strconv.Itoa(1000+i), guess)
			counts[w.Code]++
			var body struct {
				Code    int    `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Code != w.Code || body.Message == "" {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			retry, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if (w.Code == 429) != (err == nil && retry > 0) || strings.Contains(w.Body.String(), guess) {
				t.Fatalf("%d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
			}
			leaks.Check(t, "the answer", w.Body.String())
		}
		if counts[401] != 10 || counts[429] != 4990 {
			t.Errorf("answers: %v", counts)
		}
		if w := put(h, "192.0.2.1:1", aToken); w.Code != 429 {
			t.Errorf("the right token from there: %d %s", w.Code, w.Body)
		}
		if w := put(h, "192.0.2.2:1", aToken); w.Code != 204 {
			t.Errorf("the right token from elsewhere: %d %s", w.Code, w.Body)
		}
		for i := range 1000 {
			if w := put(h, fmt.Sprintf("[2001:db8:0:%x::1]:1", i), "another-wrong-token"); w.Code != 401 {
				t.Fatalf("peer %d: %d", i, w.Code)
			}
		}
		if w := put(h, "[2001:db8:1::1]:1", aToken); w.Code != 204 {
			t.Errorf("the right token beside a flood of many addresses: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Hour)
		if w := put(h, "192.0.2.1:1", aToken); w.Code != 204 {
			t.Errorf("the right token an hour later: %d %s", w.Code, w.Body)
		}
		put(h, "192.0.2.1:1", "wrong")
		refused, unlogged := 0, 0.0
		for _, l := range lines(t, log.String()) {
			if l["msg"] == "refused a call that changes state" {
				refused++
				n, _ := l["refused_before_unlogged"].(float64)
				unlogged += n
			}
		}
		if refused > 12 || float64(refused)+unlogged != 5000+1+1000+1 {
			t.Errorf("%d lines of refusals, %v not logged", refused, unlogged)
		}
		leaks.Hide("a wrong token", "guessed-token-number-7")
		leaks.Hide("another wrong token", "another-wrong-token")
		leaks.Check(t, "the log", log.String())
	})
}

// A call without a token is no attempt at one.
func TestCallsWithoutATokenAreNotCounted(t *testing.T) {
	h := watched(t, guarded(io.Discard))
	for range 100 {
		if w := put(h, "192.0.2.1:1", ""); w.Code != 401 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := put(h, "192.0.2.1:1", aToken); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// With an empty token file every call is refused.
func TestAnEmptyTokenIsNoToken(t *testing.T) {
	s := guarded(io.Discard)
	s.Token = func() (string, error) { return "", nil }
	r := asked(ticketJSON(aTicket))
	r.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Each change has its line: who, what, from where, how it ended.
func TestChangesAreLogged(t *testing.T) {
	away := errors.New("kafka is away")
	for _, c := range []struct {
		what   string
		change func(*http.Request, *control.Server)
		want   map[string]any // nil values must be missing
	}{
		{"from this machine", func(r *http.Request, s *control.Server) { s.Token = nil }, map[string]any{
			"level": "INFO", "msg": "call that changes state", "who": "local", "from": "127.0.0.1:40000", "method": "PUT",
			"path": "/components/wxc/verify-ticket", "status": 204.0, "query": nil, "forwarded_for": nil}},
		{"with the token, through a proxy", func(r *http.Request, s *control.Server) {
			withToken("Bearer "+aToken)(r, s)
			r.Header.Add("X-Forwarded-For", "203.0.113.7, 2001:db8::1")
			r.URL.RawQuery = "scope=cluster&dry_run=true&includeTasks=not-a-word&token=" + aToken
		}, map[string]any{"level": "INFO", "who": "token", "forwarded_for": "203.0.113.7,2001:db8::1", "query": "dry_run=true&scope=cluster", "status": 204.0}},
		{"through a proxy that lies", func(r *http.Request, s *control.Server) {
			withToken("Bearer "+aToken)(r, s)
			r.Header.Set("X-Forwarded-For", aToken)
		}, map[string]any{"who": "token", "forwarded_for": nil}},
		{"that fails", func(r *http.Request, s *control.Server) {
			s.Token = nil
			s.Ticket = func(context.Context, string) error { return away }
		}, map[string]any{"level": "INFO", "who": "local", "status": 503.0}},
		{"refused", withToken(""), map[string]any{"level": "WARN", "msg": "refused a call that changes state", "who": nil, "status": 401.0,
			"from": "127.0.0.1:40000", "error": control.ErrNoToken.Error()}},
		{"of another site", withHeader("Origin", "https://evil.example"), map[string]any{"level": "WARN", "status": 403.0, "error": "cross-origin request refused"}},
		{"whose token cannot be read", func(r *http.Request, s *control.Server) {
			s.Token = func() (string, error) { return "", errors.New("no such file") }
		}, map[string]any{"level": "ERROR", "status": 503.0, "error": control.ErrTokenUnread.Error() + ": no such file"}},
		{"of a long name", func(r *http.Request, s *control.Server) {
			withToken("Bearer "+aToken)(r, s)
			r.URL.Path = "/components/" + strings.Repeat("x", 5000) + "/verify-ticket"
		}, map[string]any{"status": 404.0, "path": "/components/" + strings.Repeat("x", 188) + "…"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var log bytes.Buffer
			s := guarded(&log)
			r := asked(ticketJSON(aTicket))
			c.change(r, s)
			watched(t, s).ServeHTTP(httptest.NewRecorder(), r)
			all := lines(t, log.String())
			if len(all) != 1 {
				t.Fatalf("%d lines:\n%s", len(all), log.String())
			}
			for key, want := range c.want {
				if got := all[0][key]; got != want {
					t.Errorf("%s is %v, want %v", key, got, want)
				}
			}
			var leaks leaktest.Search
			leaks.Hide("a verify ticket", aTicket)
			leaks.Hide("the token", aToken)
			leaks.Check(t, "the log", log.String())
		})
	}
}

// certificates are the files of a listener whose clients have their own authority.
type certificates struct{ server, clients *certtest.Authority }

func openTLS(t *testing.T, clients bool) (*httpserve.TLS, certificates) {
	t.Helper()
	c, dir := certificates{certtest.New(t), certtest.New(t)}, t.TempDir()
	cert, key := c.server.Issue(t, "worker")
	ca := ""
	for name, text := range map[string][]byte{"crt": cert, "key": key, "ca": c.clients.PEM} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if clients {
		ca = filepath.Join(dir, "ca")
	}
	encryption, err := httpserve.OpenTLS(filepath.Join(dir, "crt"), filepath.Join(dir, "key"), ca, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return encryption, c
}

// A change needs the certificate or the token, whichever are configured; a certificate
// that has ended, or that others signed, is none.
func TestChangesWithACertificate(t *testing.T) {
	withCA, c := openTLS(t, true)
	withoutCA, _ := openTLS(t, false)
	parsed := func(a *certtest.Authority, end time.Duration) *x509.Certificate {
		certPEM, keyPEM := a.IssueUntil(t, "ops", time.Now().Add(end))
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	ops, ended, stranger := parsed(c.clients, time.Hour), parsed(c.clients, -time.Minute), parsed(certtest.New(t), time.Hour)
	for _, tt := range []struct {
		what       string
		encryption *httpserve.TLS
		token      bool
		cert       *x509.Certificate
		from, auth string
		want       int
		who        any
	}{
		{"a certificate", withCA, false, ops, "192.0.2.1:1", "", 204, "CN=ops"},
		{"a certificate, where there is a token too", withCA, true, ops, "192.0.2.1:1", "", 204, "CN=ops"},
		{"a certificate with a wrong token", withCA, true, ops, "192.0.2.1:1", "wrong", 204, "CN=ops"},
		{"the token instead", withCA, true, nil, "192.0.2.1:1", aToken, 204, "token"},
		{"neither", withCA, true, nil, "192.0.2.1:1", "", 401, nil},
		{"neither, from this machine", withCA, true, nil, "127.0.0.1:1", "", 401, nil},
		{"no certificate", withCA, false, nil, "192.0.2.1:1", "", 403, nil},
		{"no certificate, from this machine", withCA, false, nil, "127.0.0.1:1", "", 403, nil},
		{"no certificate, with some token", withCA, false, nil, "192.0.2.1:1", aToken, 403, nil},
		{"one that has ended", withCA, false, ended, "192.0.2.1:1", "", 403, nil},
		{"a stranger's", withCA, false, stranger, "127.0.0.1:1", "", 403, nil},
		{"a certificate where none is asked for", withoutCA, false, ops, "192.0.2.1:1", "", 403, nil},
		{"TLS alone, from this machine", withoutCA, false, nil, "127.0.0.1:1", "", 204, "local"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			var log bytes.Buffer
			s := guarded(&log)
			s.TLS = tt.encryption
			if !tt.token {
				s.Token = nil
			}
			r := asked(ticketJSON(aTicket))
			r.RemoteAddr, r.TLS = tt.from, &tls.ConnectionState{}
			if tt.cert != nil {
				r.TLS.PeerCertificates = []*x509.Certificate{tt.cert}
			}
			if tt.auth != "" {
				r.Header.Set("Authorization", "Bearer "+tt.auth)
			}
			w := httptest.NewRecorder()
			watched(t, s).ServeHTTP(w, r)
			if who := lines(t, log.String())[0]["who"]; w.Code != tt.want || who != tt.who {
				t.Errorf("%d by %v, want %d by %v: %s", w.Code, who, tt.want, tt.who, w.Body)
			}
		})
	}
}

// On a real listener: probes and reads need no certificate, a change does, and a
// certificate that others signed gets no connection.
func TestRunWithClientCertificates(t *testing.T) {
	encryption, c := openTLS(t, true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := guarded(io.Discard)
	s.Token, s.TLS = nil, encryption
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, listener) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	ask := func(cert *tls.Certificate, method, path, body string) int {
		t.Helper()
		config := &tls.Config{RootCAs: c.server.Pool(), MinVersion: tls.VersionTLS12}
		if cert != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+listener.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			return 0
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	ops, stranger := c.clients.Pair(t, "ops"), certtest.New(t).Pair(t, "ops")
	for _, tt := range []struct {
		what         string
		cert         *tls.Certificate
		method, path string
		want         int
	}{
		{"a probe", nil, "GET", "/livez", 200}, {"a scrape", nil, "GET", "/metrics", 200}, {"Connect's health", nil, "GET", "/health", 200},
		{"a change", nil, "PUT", "/components/wxc/verify-ticket", 403},
		{"a change", &ops, "PUT", "/components/wxc/verify-ticket", 204},
		{"a probe", &ops, "GET", "/livez", 200},
		{"a stranger's probe", &stranger, "GET", "/livez", 0},
		{"a stranger's change", &stranger, "PUT", "/components/wxc/verify-ticket", 0},
	} {
		if got := ask(tt.cert, tt.method, tt.path, ticketJSON(aTicket)); got != tt.want {
			t.Errorf("%s, certificate %v: %d, want %d", tt.what, tt.cert != nil, got, tt.want)
		}
	}
}

// FuzzPermit holds the rule of who may change state against any address, host, header
// and token.
func FuzzPermit(f *testing.F) {
	f.Add("127.0.0.1:1", "localhost:8083", "Accept", "*/*", "", false)
	f.Add("[::1]:1", "[::1]:8083", "X-Forwarded-For", "127.0.0.1", "", false)
	f.Add("192.0.2.1:1", "localhost", "Origin", "http://localhost", "Bearer "+aToken, true)
	f.Add("192.0.2.1:1", "worker", "Sec-Fetch-Site", "cross-site", "bearer\t"+aToken, true)
	f.Add("@", "127.0.0.1.example", "Via", "", "Bearer", true)
	f.Add("127.0.0.1:1", "", "x_real-ip", "a", "Basic "+aToken, true)
	f.Fuzz(func(t *testing.T, from, host, name, value, authorization string, token bool) {
		var log bytes.Buffer
		s, changed := guarded(&log), false
		s.Ticket = func(context.Context, string) error { changed = true; return nil }
		if !token {
			s.Token = nil
		}
		r := asked(ticketJSON(aTicket))
		r.RemoteAddr, r.Host = from, host
		r.Header[name] = []string{value}
		r.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		} else {
			r.Header.Del("Authorization")
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)

		if changed != (w.Code == 204) {
			t.Fatalf("%d, and changed is %v", w.Code, changed)
		}
		if site := r.Header.Get("Sec-Fetch-Site"); changed && site != "" && site != "same-origin" && site != "none" {
			t.Errorf("a browser's call from a %q page was allowed", site)
		}
		scheme, given, _ := strings.Cut(authorization, " ")
		switch knows := strings.EqualFold(scheme, "bearer") && strings.TrimSpace(given) == aToken; {
		case token && changed != knows && !(knows && w.Code == 403):
			t.Errorf("%q: %d", authorization, w.Code)
		case token:
		case changed:
			address, _, err := net.SplitHostPort(from)
			if err != nil {
				address = strings.Trim(from, "[]")
			}
			if ip := net.ParseIP(address); !ip.IsLoopback() && !strings.EqualFold(address, "localhost") {
				t.Errorf("allowed from %q", from)
			}
			if lower := strings.ToLower(name); strings.Contains(lower, "forwarded") || lower == "via" {
				t.Errorf("allowed with %q", name)
			}
		}
		if strings.Contains(w.Body.String(), aToken) || strings.Contains(w.Body.String(), aTicket) || strings.Contains(log.String(), aTicket) {
			t.Errorf("leaks:\n%s\n%s", w.Body, log.String())
		}
		if n := len(lines(t, log.String())); n != 1 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}
