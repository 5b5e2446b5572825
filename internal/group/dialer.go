package group

import (
	"context"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// cancelable copies a dialer; when ctx ends, the copy closes all its connections and
// stops dialling. kafka-go's ConsumerGroup waits for a call in flight, which may take
// minutes if it is closed while it joins.
func cancelable(ctx context.Context, d *kafka.Dialer) *kafka.Dialer {
	c := kafka.Dialer{}
	if d != nil {
		c = *d
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	dial := c.DialFunc
	if dial == nil {
		dial = (&net.Dialer{LocalAddr: c.LocalAddr, FallbackDelay: c.FallbackDelay, KeepAlive: c.KeepAlive}).DialContext
	}
	c.DialFunc = func(dialling context.Context, network, address string) (net.Conn, error) {
		dialling, cancel := context.WithCancel(dialling)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := dial(dialling, network, address)
		if err != nil {
			return nil, err
		}
		return &cancelableConn{Conn: conn, detach: context.AfterFunc(ctx, func() { conn.Close() })}, nil
	}
	return &c
}

type cancelableConn struct {
	net.Conn
	detach func() bool
}

func (c *cancelableConn) Close() error {
	c.detach()
	return c.Conn.Close()
}
