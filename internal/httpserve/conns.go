package httpserve

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// boundedListener tracks the connections it has accepted, so that it can close one to
// make room for another.
type boundedListener struct {
	net.Listener
	max int

	mu    sync.Mutex
	conns map[*conn]struct{}
	peers map[string]int // connections of each
}

// conn is a connection and its state.
type conn struct {
	net.Conn
	listener *boundedListener
	peer     string
	// since is when it began to wait for the peer; working reports that a request has
	// arrived completely and is being answered. The listener's mu guards both.
	since   time.Time
	working bool
	// flag is the handler's; see Flag.
	flag atomic.Bool
}

// Accept accepts the next connection, and closes another one if there are too many.
func (l *boundedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, listener: l, peer: PeerOf(accepted.RemoteAddr().String()), since: time.Now()}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.peers[c.peer]++
	var out *conn
	if len(l.conns) > l.max {
		out = l.victim(c)
		l.remove(out)
	}
	l.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close() // without an answer, and without a log line for each
	}
	return c, nil
}

// victim returns the connection to close for a new one: of the peers with the most
// connections, the one that has waited for its peer longest. A connection whose request is
// being answered is closed only if its peer has none that waits; the new one is closed
// last of all.
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

// remove stops tracking a connection; a second call has no effect.
func (l *boundedListener) remove(c *conn) {
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
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// waits sets whether a connection waits for its peer.
func (c *conn) waits(yes bool) {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.working = !yes
	if yes {
		c.since = time.Now()
	}
}

// connState is net/http's hook; it notes connections that wait for their next request.
func (l *boundedListener) connState(nc net.Conn, state http.ConnState) {
	if c := tracked(nc); c != nil && state == http.StateIdle {
		c.waits(true)
	}
}

// tracked returns the connection below TLS that the listener tracks; nil if it is none of
// the listener's.
func tracked(nc net.Conn) *conn {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// crowded reports whether more than half of the connections are in use.
func (l *boundedListener) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) > l.max/2
}

// Flag returns a flag that all requests of a connection share, for what a handler has
// learned of the connection; nil if no Server serves the request.
func Flag(r *http.Request) *atomic.Bool {
	if c, _ := r.Context().Value(connKey{}).(*conn); c != nil {
		return &c.flag
	}
	return nil
}

type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, tracked(nc))
}

// handler notes when a request has arrived completely, and disables keep-alive while
// there are many connections.
func (l *boundedListener) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.crowded() {
			w.Header().Set("Connection", "close")
		}
		if c, _ := r.Context().Value(connKey{}).(*conn); c != nil {
			if r.Body == nil || r.Body == http.NoBody {
				c.waits(false)
			} else {
				r.Body = &body{r.Body, c}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// body notes on its connection when it has been read to its end.
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

// PeerOf returns the peer of an address with a port: an IPv4 address or an IPv6 /64
// network, by which limits count; empty if the text is no address.
func PeerOf(address string) string {
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
