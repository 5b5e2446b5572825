package httpserve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener with connections from arbitrary addresses.
type pipes struct {
	accepting chan net.Conn
	once      sync.Once
	closed    chan struct{}
}

type pipe struct {
	net.Conn
	from string
}

func (p pipe) Network() string      { return "tcp" }
func (p pipe) String() string       { return p.from }
func (p pipe) RemoteAddr() net.Addr { return p }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepting:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return pipe{from: "here"} }

// client is one connection of a peer.
type client struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
}

const someConns = 20

// house runs a server in a bubble; it answers /slow when the channel is closed.
type house struct {
	t     *testing.T
	pipes *pipes
	slow  chan struct{}
}

func run(t *testing.T, story func(h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{t, &pipes{accepting: make(chan net.Conn), closed: make(chan struct{})}, make(chan struct{})}
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				_, _ = io.WriteString(w, "done")
			}
		})
		mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-h.slow; _, _ = io.WriteString(w, "done") })
		server := &Server{What: "tests", Handler: mux, MaxConns: someConns, MaxHeader: 8 << 10,
			HeaderTimeout: 3 * time.Second, ReadTimeout: 4 * time.Second, WriteTimeout: time.Minute,
			IdleTimeout: 30 * time.Second, StopTimeout: time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- server.Run(ctx, h.pipes) }()
		story(h)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		time.Sleep(time.Second) // net/http leaves a refused connection open for a moment
	})
}

func (h *house) dial(from string) *client {
	here, there := net.Pipe()
	h.pipes.accepting <- pipe{there, from}
	synctest.Wait()
	return &client{h.t, here, bufio.NewReader(here)}
}

// say writes without waiting for the server to read.
func (c *client) say(text string) {
	go func() { _, _ = io.WriteString(c.conn, text) }()
	synctest.Wait()
}

// ask sends a request; 0 if the connection ends without an answer.
func (c *client) ask(text string) (status int, last bool) {
	c.say(text)
	answer, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return 0, true
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	synctest.Wait()
	return answer.StatusCode, answer.Close
}

// open reports whether the server has not closed the connection.
func (c *client) open() bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.read.ReadByte()
	return !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe)
}

const (
	get   = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	post  = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
	whole = post + "body"
)

// Several floods of open connections: the vendor's request is answered at once beside
// each, also if all come from one address, that of a proxy.
func TestFloods(t *testing.T) {
	for name, text := range map[string]string{
		"silence": "", "half a header": "POST / HTTP/1.1\r\nHost:", "half a body": post + "bo", "requests": get,
		"a body in chunks": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n",
		"pipelined":        get + get + get + get[:9],
	} {
		for _, peers := range []int{1, 2, 7, 200} {
			for _, proxy := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s from %d peers, proxy %v", name, peers, proxy), func(t *testing.T) {
					run(t, func(h *house) {
						for i := range 5 * someConns {
							c := h.dial(fmt.Sprintf("10.0.0.%d:%d", i%peers, 1000+i))
							go func() { _, _ = io.Copy(io.Discard, c.conn) }()
							c.say(text)
							if i%someConns != someConns-1 {
								continue
							}
							from := "203.0.113.9:1"
							if proxy {
								from = "10.0.0.0:1"
							}
							if status, _ := h.dial(from).ask(whole); status != 200 {
								t.Errorf("after %d connections: HTTP %d", i+1, status)
							}
						}
					})
				})
			}
		}
	}
}

// A request that is being answered outlives a flood from its own address, and one that
// arrives slowly outlives a flood from another.
func TestRequestsUnderWayOutliveAFlood(t *testing.T) {
	run(t, func(h *house) {
		slow, trickle := h.dial("10.0.0.1:1"), h.dial("203.0.113.9:1")
		slow.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
		trickle.say(post + "bo")
		for i := range 10 * someConns {
			h.dial(fmt.Sprintf("10.0.0.1:%d", 10+i))
		}
		if status, _ := trickle.ask("dy"); status != 200 {
			t.Errorf("the request that trickled in: HTTP %d", status)
		}
		close(h.slow)
		if status, _ := slow.ask(""); status != 200 {
			t.Errorf("the request that was answered slowly: HTTP %d", status)
		}
	})
}

// Connections never exceed the bound, and closed ones are no longer counted.
func TestConnectionsAreBounded(t *testing.T) {
	run(t, func(h *house) {
		var all []*client
		for i := range 3 * someConns {
			all = append(all, h.dial(fmt.Sprintf("10.0.%d.1:1", i)))
		}
		open := 0
		for _, c := range all {
			if c.open() {
				open++
			}
		}
		if open != someConns {
			t.Errorf("%d connections are open, want %d", open, someConns)
		}
		time.Sleep(5 * time.Second) // HeaderTimeout has ended them all
		for range someConns {
			if c := h.dial("10.0.0.1:1"); !c.open() {
				t.Error("a connection was closed without need")
			}
		}
	})
}

// Keep-alive is on with few connections and off with many.
func TestCrowdsAreNotKeptAlive(t *testing.T) {
	run(t, func(h *house) {
		first := h.dial("10.0.0.1:1")
		if status, last := first.ask(get); status != 200 || last {
			t.Errorf("alone: HTTP %d, last %v", status, last)
		}
		for range someConns / 2 {
			h.dial("10.0.0.2:1")
		}
		if status, last := first.ask(get); status != 200 || !last || first.open() {
			t.Errorf("in a crowd: HTTP %d, last %v", status, last)
		}
	})
}

// Connections leave files for the rest of the process.
func TestConnectionsLeaveFiles(t *testing.T) {
	for files, want := range map[uint64]int{0: 512, 2: 1, 256: 64, 1024: 256, 1 << 20: 512, 1<<64 - 1: 512} {
		if got := connLimit(512, files); got != want {
			t.Errorf("of %d files: %d connections, want %d", files, got, want)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	run(t, func(h *house) {
		for size, want := range map[int]int{7 << 10: 200, 9 << 10: 431, 900 << 10: 431} {
			text := "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", size) + "\r\n\r\n"
			if status, _ := h.dial("10.0.0.1:1").ask(text); status != want {
				t.Errorf("%d bytes: HTTP %d, want %d", size, status, want)
			}
		}
	})
}

func TestPeerOf(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ff::4]:81": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64", "pipe": "",
	} {
		if got := PeerOf(address); got != want {
			t.Errorf("%s is of %q, want %q", address, got, want)
		}
	}
}

// One address cannot use all slots of an expensive call.
func TestPerPeer(t *testing.T) {
	release := make(chan struct{})
	handler := PerPeer(2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	ask := func(from string) <-chan int {
		answered := make(chan int, 1)
		go func() {
			w := &recorder{}
			handler.ServeHTTP(w, &http.Request{RemoteAddr: from})
			answered <- w.status
		}()
		return answered
	}
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		first, second := ask("10.0.0.1:1"), ask("10.0.0.1:2")
		synctest.Wait()
		if got := <-ask("10.0.0.1:3"); got != http.StatusServiceUnavailable {
			t.Errorf("the third: HTTP %d", got)
		}
		other := ask("10.0.0.2:1")
		close(release)
		synctest.Wait()
		for _, answered := range []<-chan int{first, second, other, ask("10.0.0.1:4")} {
			if got := <-answered; got != 0 {
				t.Errorf("HTTP %d", got)
			}
		}
	})
}

type recorder struct{ status int }

func (r *recorder) Header() http.Header         { return http.Header{} }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }
