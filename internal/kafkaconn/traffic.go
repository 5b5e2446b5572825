package kafkaconn

import (
	"net"
	"sync/atomic"
)

// Traffic is what went over a kind of connections, as bytes of TCP: encrypted where TLS
// is used, with the handshakes and logins.
type Traffic struct {
	Sent, Received uint64
	Open           int // connections that are open now
}

// Pooled returns the traffic of the Transport: all requests to produce and to fetch, and
// about topics.
func (k *Kafka) Pooled() Traffic { return k.pooled.now() }

// Single returns the traffic of the Dialer's connections: the group membership.
func (k *Kafka) Single() Traffic { return k.single.now() }

// meter counts the traffic of its connections.
type meter struct {
	sent, received atomic.Uint64
	open           atomic.Int64
}

func (m *meter) now() Traffic {
	return Traffic{Sent: m.sent.Load(), Received: m.received.Load(), Open: int(m.open.Load())}
}

// measure counts a connection as open until it is closed.
func (m *meter) measure(conn net.Conn) net.Conn {
	m.open.Add(1)
	return &measured{Conn: conn, meter: m}
}

type measured struct {
	net.Conn
	meter  *meter
	closed atomic.Bool
}

func (c *measured) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.received.Add(uint64(max(0, n)))
	return n, err
}

func (c *measured) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.sent.Add(uint64(max(0, n)))
	return n, err
}

func (c *measured) Close() error {
	if !c.closed.Swap(true) {
		c.meter.open.Add(-1)
	}
	return c.Conn.Close()
}
