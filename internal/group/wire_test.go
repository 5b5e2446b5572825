package group

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// wire is a worker's network.
type wire struct {
	dial  func(context.Context, string, string) (net.Conn, error)
	mu    sync.Mutex
	state wireState
	conns map[*wiredConn]bool
}

type wireState int

const (
	wireUp   wireState = iota
	wireDown           // connections break, no new ones
	wireMute           // requests are lost; connections stay
	wireSlow           // a request takes a second
)

func (n *wire) set(s wireState) {
	n.mu.Lock()
	n.state = s
	conns := slices.Collect(maps.Keys(n.conns))
	n.mu.Unlock()
	if s == wireDown {
		for _, c := range conns {
			c.Conn.Close()
		}
	}
}

func (n *wire) is() wireState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

func (n *wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n.is() == wireDown {
		return nil, errors.New("no route to host")
	}
	c, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	wired := &wiredConn{c, n}
	n.mu.Lock()
	n.conns[wired] = true
	n.mu.Unlock()
	return wired, nil
}

type wiredConn struct {
	net.Conn
	wire *wire
}

func (c *wiredConn) Write(b []byte) (int, error) {
	switch c.wire.is() {
	case wireMute:
		return len(b), nil
	case wireSlow:
		time.Sleep(time.Second)
	}
	return c.Conn.Write(b)
}

func (c *wiredConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}
