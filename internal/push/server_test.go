package push

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// serve runs a Handler on its own network until the test ends.
func serve(t *testing.T, d *desk) (dial func() net.Conn, stop func() error) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	listener, err := network.Listen("tcp", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, listener) }()
	dial = func() net.Conn {
		conn, err := network.DialContext(context.Background(), "tcp", "localhost:80")
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	return dial, func() error { cancel(); return <-done }
}

// whole returns a push as HTTP text.
func whole(t *testing.T, s sheet) string {
	body := s.body(t)
	return fmt.Sprintf("POST %s?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", s.path, s.query(t).Encode(), len(body), body)
}

// say writes to a connection and returns the status of the answer, 0 if the connection
// ends instead.
func say(t *testing.T, conn net.Conn, text string) int {
	t.Helper()
	go func() { _, _ = io.WriteString(conn, text) }() // the server may close early
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		dial, stop := serve(t, d)
		conn := dial()
		if got := say(t, conn, whole(t, shopPush(orderJSON("1", time.Now())))); got != 200 {
			t.Errorf("HTTP %d", got)
		}
		for _, what := range []string{"GET /", "OPTIONS *", "CONNECT a:80"} { // on the same connection
			if got := say(t, conn, what+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); got != 404 {
				t.Errorf("%s: HTTP %d", what, got)
			}
		}
		// A push in progress at the end is finished.
		release := make(chan struct{})
		d.handing(func(context.Context) error { <-release; return nil })
		answered := make(chan int)
		go func() { answered <- say(t, dial(), whole(t, shopPush(orderJSON("2", time.Now())))) }()
		synctest.Wait()
		stopped := make(chan error)
		go func() { stopped <- stop() }()
		time.Sleep(3 * time.Second)
		close(release)
		if got := <-answered; got != 200 {
			t.Errorf("HTTP %d", got)
		}
		if err := <-stopped; err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := len(d.took()); got != 2 {
			t.Errorf("%d events", got)
		}
	})
}

// Slow, oversized and silent clients are disconnected.
func TestSlowAndLongRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		dial, stop := serve(t, d)
		push := whole(t, shopPush(orderJSON("1", time.Now())))
		for name, c := range map[string]struct {
			text   string
			status int
			within time.Duration
		}{
			"a header without end": {"POST /push/" + shopID + " HTTP/1.1\r\nHost: localhost\r\n", 0, headerTimeout},
			"a body without end":   {push[:len(push)-1], 503, readTimeout},
			"a long header":        {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n", 431, time.Second},
			"a long query":         {"GET /push/" + shopID + "?" + strings.Repeat("x", 2*maxHeader) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, time.Second},
			"a long body":          {strings.Replace(push, "Content-Length: ", "Content-Length: 99", 1), 503, readTimeout},
			"chunks that are none": {strings.SplitN(push, "Content-Length", 2)[0] + "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", 400, time.Second},
			"no HTTP":              {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, headerTimeout},
		} {
			conn, began := dial(), time.Now()
			status := say(t, conn, c.text)
			if took := time.Since(began); status != c.status || took > c.within {
				t.Errorf("%s: HTTP %d after %s", name, status, took)
			}
			_ = conn.Close()
		}
		idle, began := dial(), time.Now()
		if got := say(t, idle, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); got != 404 {
			t.Errorf("HTTP %d", got)
		}
		if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(began) != idleTimeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := d.took(); got != nil {
			t.Errorf("%v was handed on", got)
		}
	})
}

// A push whose body does not arrive is not malformed: the vendor may send it again. It is
// counted by a result of its own, since anybody can cause it.
func TestABodyThatBreaksOffIsAskedForAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fault  error
		status int
		result Result
	}{
		"the connection ends":       {io.ErrUnexpectedEOF, 503, CutOff},
		"the connection is reset":   {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, 503, CutOff},
		"nothing comes any more":    {os.ErrDeadlineExceeded, 503, CutOff},
		"its chunks are malformed":  {errors.New("malformed chunked encoding"), 400, Malformed},
		"it is whole, and too long": {nil, 413, Oversized},
	} {
		d := newDesk(t)
		rest := iotest.ErrReader(c.fault)
		if c.fault == nil {
			rest = strings.NewReader(strings.Repeat(" ", maxBody))
		}
		s := shopPush(orderJSON("1", time.Now()))
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodPost, s.path+"?"+s.query(t).Encode(), io.MultiReader(strings.NewReader(s.body(t)), rest)))
		d.want(name, w, c.status, c.result)
		if got := d.took(); got != nil {
			t.Errorf("%s: %v was handed on", name, got)
		}
	}
}

// A push is answered at once even if other clients hold all connections.
func TestManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		dial, stop := serve(t, d)
		for range 2 * maxConns {
			dial()
		}
		began := time.Now()
		if got := say(t, dial(), whole(t, shopPush(orderJSON("1", time.Now())))); got != 200 {
			t.Errorf("HTTP %d", got)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s", took)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRunReportsADeadListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newDesk(t).Run(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "serve pushes") {
		t.Errorf("Run = %v", err)
	}
}
