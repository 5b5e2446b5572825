package txn

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fate is how the network treats a request.
type fate struct {
	do    doing
	delay time.Duration // with late
}

type doing int

const (
	deliver doing = iota
	lose          // the connection closes, the request never arrives
	swallow       // the request arrives, the answer does not, the connection stays
	cut           // the request arrives, the connection closes instead of the answer
	late          // as swallow, and the request arrives only after the delay
)

// network is a virtual network that treats requests as decide returns.
type network struct {
	dial   func(context.Context, string, string) (net.Conn, error)
	decide func(key kmsg.Key) fate
	late   *sync.WaitGroup // requests still under way

	quiet atomic.Bool // leaves requests alone

	mu   sync.Mutex
	seen map[kmsg.Key]int
}

// disturb puts a network before the fixture's transport. decide chooses the fate of
// every request, given how many of the key came before it.
func (w *fixture) disturb(decide func(key kmsg.Key, nth int) fate) *network {
	n := &network{dial: w.net.DialContext, late: &w.late, seen: map[kmsg.Key]int{}}
	n.decide = func(key kmsg.Key) fate {
		n.mu.Lock()
		nth := n.seen[key]
		n.seen[key]++
		n.mu.Unlock() // a goroutine that waits for a mutex stops the bubble's clock
		if n.quiet.Load() {
			return fate{}
		}
		return decide(key, nth)
	}
	w.disturbed = n
	w.transport.CloseIdleConnections()
	w.transport = w.newTransport()
	w.transport.Dial = n.Dial
	return n
}

// once disturbs the nth request of a key, and no other.
func (w *fixture) once(key kmsg.Key, nth int, f fate) *network {
	return w.disturb(func(k kmsg.Key, n int) fate {
		if k == key && n == nth {
			return f
		}
		return fate{}
	})
}

func (n *network) count(key kmsg.Key) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen[key]
}

func (n *network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, network: n, deaf: make(chan struct{})}, nil
}

// conn holds a request back until it is complete and its fate known.
type conn struct {
	net.Conn
	network *network
	frame   []byte
	cut     bool
	held    bool // the late request's goroutine closes the connection

	mu       sync.Mutex
	deaf     chan struct{} // closed when the client has given up
	closed   bool
	mute     bool
	deadline time.Time
}

func (c *conn) Write(p []byte) (int, error) {
	c.frame = append(c.frame, p...)
	for len(c.frame) >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(c.frame))
		if len(c.frame) < size {
			break
		}
		request := append([]byte(nil), c.frame[:size]...)
		c.frame = c.frame[size:]
		if err := c.send(request); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (c *conn) send(request []byte) error {
	f := c.network.decide(kmsg.Key(binary.BigEndian.Uint16(request[4:])))
	switch f.do {
	case lose:
		c.Conn.Close()
		return io.ErrClosedPipe
	case cut:
		c.cut = true
	case swallow:
		c.mute = true
	case late:
		c.mute, c.held = true, true
		c.network.late.Go(func() {
			time.Sleep(f.delay)
			c.Conn.SetDeadline(time.Time{})
			if _, err := c.Conn.Write(request); err == nil {
				var size [4]byte
				if _, err := io.ReadFull(c.Conn, size[:]); err == nil {
					io.CopyN(io.Discard, c.Conn, int64(binary.BigEndian.Uint32(size[:])))
				}
			}
			c.Conn.Close()
		})
		return nil
	}
	_, err := c.Conn.Write(request)
	return err
}

func (c *conn) Read(p []byte) (int, error) {
	if c.mute {
		c.mu.Lock()
		timer := time.NewTimer(time.Until(c.deadline))
		c.mu.Unlock()
		defer timer.Stop()
		if !c.held {
			go io.Copy(io.Discard, c.Conn)
		}
		select {
		case <-timer.C:
		case <-c.deaf:
		}
		return 0, context.DeadlineExceeded
	}
	if c.cut {
		io.ReadFull(c.Conn, p[:1])
		c.Conn.Close()
		return 0, io.EOF
	}
	return c.Conn.Read(p)
}

func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	if c.held {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.deaf)
	}
	if c.held {
		return nil
	}
	return c.Conn.Close()
}

// These tests check the network that the others rely on.
func TestNetworkItself(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		n := w.once(kmsg.InitProducerID, 0, fate{do: swallow})
		started := time.Now()
		writer := w.open()
		if n.count(kmsg.InitProducerID) != 2 || time.Since(started) < coordinatorLimit {
			t.Errorf("%d InitProducerID in %v, want 2 and the limit of one", n.count(kmsg.InitProducerID), time.Since(started))
		}
		if writer.Epoch() != 1 {
			t.Errorf("epoch = %d, want 1: the request whose answer was swallowed counted", writer.Epoch())
		}
	})
}
