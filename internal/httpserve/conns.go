package httpserve

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// boundedListener keeps the connections it has accepted, so that one can be
// closed to make room for another.
type boundedListener struct {
	net.Listener
	most int

	mu    sync.Mutex
	conns map[*conn]struct{}
	peers map[string]int // connections of each
}

// conn is a connection and what it is at.
type conn struct {
	net.Conn
	listener *boundedListener
	peer     string
	// since is when it began to wait for the peer; working means that a request
	// has come in whole and is being answered. Both are under the listener's lock.
	since   time.Time
	working bool
}

// Accept takes the next connection, and closes another if there are too many.
func (l *boundedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, listener: l, peer: peerOf(accepted.RemoteAddr().String()), since: time.Now()}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.peers[c.peer]++
	var out *conn
	if len(l.conns) > l.most {
		out = l.victim(c)
		l.forget(out)
	}
	l.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close() // the peer is told nothing, and no log line for each
	}
	return c, nil
}

// victim is the connection to close for a newcomer: of the peers with the most
// connections, the one that has waited for its peer longest. One whose request is
// being answered is closed only if its peer has none that waits, and the newcomer
// itself last of all.
func (l *boundedListener) victim(newcomer *conn) *conn {
	worse := func(a, b *conn) bool {
		switch na, nb := l.peers[a.peer], l.peers[b.peer]; {
		case b == newcomer:
			return na >= nb
		case na != nb:
			return na > nb
		case a.working != b.working:
			return b.working
		}
		return a.since.Before(b.since)
	}
	out := newcomer
	for c := range l.conns {
		if c != newcomer && worse(c, out) {
			out = c
		}
	}
	return out
}

// forget drops a connection from the books; twice is once.
func (l *boundedListener) forget(c *conn) {
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	if l.peers[c.peer]--; l.peers[c.peer] == 0 {
		delete(l.peers, c.peer)
	}
}

// Close ends a connection.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.listener.forget(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// waits notes that a connection waits for its peer, or that it does not.
func (c *conn) waits(yes bool) {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.working = !yes
	if yes {
		c.since = time.Now()
	}
}

// state hears from net/http when a connection waits for its next request.
func (l *boundedListener) state(nc net.Conn, state http.ConnState) {
	if c, ok := nc.(*conn); ok && state == http.StateIdle {
		c.waits(true)
	}
}

// crowded reports whether more than half of the connections are in use.
func (l *boundedListener) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) > l.most/2
}

type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, nc)
}

// handler notes when a request has come in whole, and keeps no connection for a
// next one while there are many.
func (l *boundedListener) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.crowded() {
			w.Header().Set("Connection", "close")
		}
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			if r.Body == nil || r.Body == http.NoBody {
				c.waits(false)
			} else {
				r.Body = &body{r.Body, c}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// body tells its connection when it is at its end.
type body struct {
	io.ReadCloser
	conn *conn
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.conn.waits(false)
	}
	return n, err
}

// peerOf is whom an address belongs to, as far as can be told.
func peerOf(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
