package connector

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// link is the network of one worker. While it is frozen nothing gets through. What was
// sent in the meantime arrives when it thaws, even if the sender has closed the
// connection or died: as with a stopped process, or a router that holds packets back.
type link struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	thawed chan struct{} // closed while the link is not frozen
	conns  []*linkConn
}

func newLink(dial func(ctx context.Context, network, address string) (net.Conn, error)) *link {
	l := &link{dial: dial, thawed: make(chan struct{})}
	close(l.thawed)
	return l
}

func (l *link) open() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.thawed
}

func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.thawed:
		l.thawed = make(chan struct{})
	default:
	}
}

func (l *link) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.thawed:
	default:
		close(l.thawed)
	}
}

// cut breaks every connection.
func (l *link) cut() {
	l.mu.Lock()
	conns := slices.Clone(l.conns)
	l.conns = nil
	l.mu.Unlock()
	for _, c := range conns {
		c.Conn.Close()
	}
}

func (l *link) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-l.open():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &linkConn{Conn: conn, link: l, closed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, nil
}

// linkConn is one connection.
type linkConn struct {
	net.Conn
	link   *link
	closed chan struct{}

	mu       sync.Mutex
	held     [][]byte // sent and not yet delivered; a goroutine delivers it after the thaw
	draining bool
	shut     bool
	deadline time.Time // of reads
}

func (c *linkConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.shut {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	thawed := c.link.open()
	frozen := true
	select {
	case <-thawed:
		frozen = false
	default:
	}
	if !frozen && !c.draining {
		c.mu.Unlock()
		return c.Conn.Write(b)
	}
	c.held = append(c.held, slices.Clone(b))
	if !c.draining {
		c.draining = true
		go c.drain()
	}
	c.mu.Unlock()
	return len(b), nil
}

// drain delivers what was held back, and then the end of the connection.
func (c *linkConn) drain() {
	for {
		<-c.link.open()
		c.mu.Lock()
		if len(c.held) == 0 {
			c.draining = false
			shut := c.shut
			c.mu.Unlock()
			if shut {
				c.Conn.Close()
			}
			return
		}
		b := c.held[0]
		c.held = c.held[1:]
		c.mu.Unlock()
		_ = c.Conn.SetWriteDeadline(time.Time{})
		if _, err := c.Conn.Write(b); err != nil {
			c.mu.Lock()
			c.held = nil
			c.mu.Unlock()
		}
	}
}

func (c *linkConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, err
	}
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.link.open():
		return n, nil
	case <-c.closed:
		return 0, net.ErrClosed
	case <-late: // what has arrived is lost, and so is the connection
		c.Close()
		return 0, os.ErrDeadlineExceeded
	}
}

func (c *linkConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut {
		return net.ErrClosed
	}
	c.shut = true
	close(c.closed)
	if c.draining { // drain closes it
		return c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	return c.Conn.Close()
}

func (c *linkConn) SetDeadline(t time.Time) error {
	c.setDeadline(t)
	return c.Conn.SetDeadline(t)
}

func (c *linkConn) SetReadDeadline(t time.Time) error {
	c.setDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *linkConn) setDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
}
