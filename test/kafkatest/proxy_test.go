package kafkatest_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"orderwalk/test/kafkatest"
)

// broker answers every frame with the correlation ID and the same payload, and reports
// what it received.
func broker(t *testing.T) (addr string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got = make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					frame, err := receive(c)
					if err != nil {
						return
					}
					got <- string(frame[8:])
					send(c, frame[4:])
				}
			}()
		}
	}()
	return l.Addr().String(), got
}

func send(w io.Writer, payload []byte) {
	w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...))
}

func receive(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head))
	_, err := io.ReadFull(r, payload)
	return payload, err
}

type client struct {
	t    *testing.T
	conn net.Conn
	id   uint32
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

func (c *client) ask(api uint16, text string) {
	c.id++
	payload := binary.BigEndian.AppendUint16(nil, api)
	payload = binary.BigEndian.AppendUint16(payload, 3)
	payload = binary.BigEndian.AppendUint32(payload, c.id)
	send(c.conn, append(payload, text...))
}

// answer returns the next answer's text, or "closed".
func (c *client) answer() string {
	payload, err := receive(c.conn)
	if err != nil {
		return "closed"
	}
	return string(payload[4:])
}

func (c *client) want(text string) {
	c.t.Helper()
	if got := c.answer(); got != text {
		c.t.Errorf("answer %q, want %q", got, text)
	}
}

func TestProxyActions(t *testing.T) {
	const other = 3
	tests := []struct {
		name    string
		do      kafkatest.Action
		reaches bool // the affected request reaches the broker
		stays   bool // the connection stays open
	}{
		{"drop request", kafkatest.DropRequest, false, false},
		{"delay request", kafkatest.DelayRequest, true, false},
		{"swallow answer", kafkatest.SwallowAnswer, true, true},
		{"cut answer", kafkatest.CutAnswer, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target, got := broker(t)
			p := kafkatest.NewProxy(1)
			defer p.Close()
			addr, err := p.Forward(target)
			if err != nil {
				t.Fatal(err)
			}
			p.SetRules(kafkatest.Rule{API: kafkatest.EndTxn, Do: tt.do, Probability: 1, Limit: 1, Delay: 10 * time.Millisecond})
			c := dial(t, addr)
			c.ask(other, "first")
			c.want("first")
			if text := <-got; text != "first" {
				t.Errorf("broker got %q, want first", text)
			}
			c.ask(kafkatest.EndTxn, "end")
			if tt.reaches {
				if text := <-got; text != "end" {
					t.Errorf("broker got %q, want end", text)
				}
			}
			if tt.stays {
				c.ask(other, "next")
				c.want("next") // and not "end"
				<-got
			} else {
				c.want("closed")
			}
			// The limit is reached: a new connection passes.
			c = dial(t, addr)
			c.ask(kafkatest.EndTxn, "again")
			c.want("again")
			if text := <-got; text != "again" {
				t.Errorf("broker got %q, want again", text)
			}
			if n := p.Hits(kafkatest.EndTxn, tt.do); n != 1 {
				t.Errorf("%d hits counted, want 1", n)
			}
			if n := p.Requests(kafkatest.EndTxn); n != 2 {
				t.Errorf("%d requests counted, want 2", n)
			}
		})
	}
}

// A delayed request arrives after requests sent later on another connection, and a cut
// in between does not stop it.
func TestProxyDelayedRequestArrivesLate(t *testing.T) {
	target, got := broker(t)
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(target)
	if err != nil {
		t.Fatal(err)
	}
	p.SetRules(kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.DelayRequest, Probability: 1, Limit: 1, Delay: 3 * time.Second})
	c := dial(t, addr)
	c.ask(kafkatest.EndTxn, "late")
	c.want("closed")
	c = dial(t, addr)
	c.ask(kafkatest.EndTxn, "early")
	c.want("early")
	p.Cut()
	for _, want := range []string{"early", "late"} {
		if text := <-got; text != want {
			t.Errorf("broker got %q, want %q", text, want)
		}
	}
}

func TestProxyCut(t *testing.T) {
	target, _ := broker(t)
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(target)
	if err != nil {
		t.Fatal(err)
	}
	a, b := dial(t, addr), dial(t, addr)
	for _, c := range []*client{a, b} {
		c.ask(0, "up")
		c.want("up")
	}
	p.Cut()
	for _, c := range []*client{a, b} {
		c.want("closed")
	}
	c := dial(t, addr)
	c.ask(0, "up")
	c.want("up")
}

func TestProxyUnplug(t *testing.T) {
	target, _ := broker(t)
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(target)
	if err != nil {
		t.Fatal(err)
	}
	a := dial(t, addr)
	a.ask(0, "up")
	a.want("up")
	p.Unplug(time.Hour)
	a.want("closed")
	dial(t, addr).want("closed")
	p.Unplug(0)
	b := dial(t, addr)
	b.ask(0, "up")
	b.want("up")
}

func TestProxyStall(t *testing.T) {
	target, got := broker(t)
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(target)
	if err != nil {
		t.Fatal(err)
	}
	p.Stall(time.Hour)
	c := dial(t, addr)
	c.ask(0, "held")
	p.Stall(0)
	c.want("held")
	<-got

	p.Stall(time.Hour)
	c.ask(0, "lost")
	p.Close()
	c.want("closed")
	if len(got) != 0 {
		t.Errorf("%q passed a stalled proxy", <-got)
	}
}

// With the same seed the same requests pass.
func TestProxySeed(t *testing.T) {
	target, got := broker(t)
	run := func(seed uint64) (fates string) {
		p := kafkatest.NewProxy(seed)
		defer p.Close()
		addr, err := p.Forward(target)
		if err != nil {
			t.Fatal(err)
		}
		p.SetRules(kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.CutAnswer, Probability: 0.5})
		for range 32 {
			c := dial(t, addr)
			c.ask(kafkatest.EndTxn, "x")
			fates += c.answer()[:1]
			<-got
		}
		return fates
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("one seed, two fates: %s and %s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("two seeds, one fate: %s", a)
	}
}

func TestProxyOfABrokerThatIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.ask(0, "hello")
	c.want("closed")
}

func TestProxyHolds(t *testing.T) {
	target, got := broker(t)
	p := kafkatest.NewProxy(1)
	defer p.Close()
	addr, err := p.Forward(target)
	if err != nil {
		t.Fatal(err)
	}
	p.SetRules(kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.HoldRequest, Probability: 1})
	held, free := dial(t, addr), dial(t, addr)
	held.ask(kafkatest.EndTxn, "held")
	for p.Hits(kafkatest.EndTxn, kafkatest.HoldRequest) == 0 {
		time.Sleep(time.Millisecond)
	}
	free.ask(3, "free")
	free.want("free")
	if text := <-got; text != "free" {
		t.Errorf("broker got %q, want free", text)
	}
	p.SetRules()
	held.want("held")
	if text := <-got; text != "held" {
		t.Errorf("broker got %q, want held", text)
	}
}
