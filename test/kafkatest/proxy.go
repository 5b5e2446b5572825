package kafkatest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

// Action is a fault of one request or its answer.
type Action int

const (
	// DropRequest closes the connection instead of delivering the request.
	DropRequest Action = iota + 1
	// DelayRequest closes the connection to the client at once and delivers the
	// request to the broker Rule.Delay later, without returning the answer. It
	// simulates a request that is still in the network when its sender has continued
	// elsewhere.
	DelayRequest
	// SwallowAnswer delivers the request, drops the answer and keeps the
	// connection, so that the client waits until its own timeout.
	SwallowAnswer
	// HoldRequest holds the request, and all that follow on its connection, until the
	// rules are set again: the brokers see a frozen client.
	HoldRequest
	// CutAnswer delivers the request and closes the connection when the answer
	// comes.
	CutAnswer
)

// EndTxn is the API key of the request that commits or aborts a transaction.
const EndTxn = 26

// Rule says how often an action affects requests of one API.
type Rule struct {
	API         int16         // Kafka's number for the kind of request, such as EndTxn
	Do          Action        //
	Probability float64       // 0 to 1, for each request
	Delay       time.Duration // for DelayRequest
	Limit       int           // most hits of the rule; 0 = unlimited
}

// Proxy sits between Kafka clients and brokers and loses, delays and cuts requests by
// its rules; it does not change the bytes that it passes. Requests in progress on a
// connection that closes are lost with their answers, as on a network. The brokers
// must advertise the proxy's addresses, see Options.Proxies.
type Proxy struct {
	ctx  context.Context // done at Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu        sync.Mutex
	rand      *rand.Rand
	rules     []*rule
	released  chan struct{} // closed when the rules are set again
	stalled   time.Time     // no bytes pass before this time
	unplugged time.Time     // no connection is accepted before this time
	listeners []net.Listener
	links     map[*link]bool
	requests  map[int16]int
	hits      map[hit]int
}

type rule struct {
	Rule
	hits int
}

type hit struct {
	api int16
	do  Action
}

// NewProxy returns a proxy that draws from seed and passes everything until SetRules.
func NewProxy(seed uint64) *Proxy {
	ctx, stop := context.WithCancel(context.Background())
	return &Proxy{
		ctx: ctx, stop: stop,
		rand:     rand.New(rand.NewPCG(seed, seed)),
		released: make(chan struct{}),
		links:    map[*link]bool{},
		requests: map[int16]int{},
		hits:     map[hit]int{},
	}
}

// SetRules replaces the rules; without rules everything passes. Of several rules for
// one API the first that is drawn applies.
func (p *Proxy) SetRules(rules ...Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	close(p.released)
	p.released = make(chan struct{})
	for _, r := range rules {
		p.rules = append(p.rules, &rule{Rule: r})
	}
}

// Requests returns the number of requests of an API so far.
func (p *Proxy) Requests(api int16) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[api]
}

// Hits returns how often an action was drawn for requests of an API so far.
func (p *Proxy) Hits(api int16, do Action) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[hit{api, do}]
}

// Forward listens on one more address and forwards to target, which need not be
// listening yet.
func (p *Proxy) Forward(target string) (addr string, err error) {
	l, err := listen()
	if err != nil {
		return "", fmt.Errorf("open the proxy's port: %w", err)
	}
	p.mu.Lock()
	p.listeners = append(p.listeners, l)
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed by Close
			}
			p.wg.Go(func() { p.serve(client, target) })
		}
	})
	return l.Addr().String(), nil
}

// Cut closes all connections. New ones are accepted, and delayed requests are still
// delivered.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Unplug closes all connections, and every new one for d. It replaces an earlier call,
// so Unplug(0) ends it.
func (p *Proxy) Unplug(d time.Duration) {
	p.mu.Lock()
	p.unplugged = time.Now().Add(d)
	p.mu.Unlock()
	p.Cut()
}

// Stall holds back all bytes, in both directions, for d; connections stay open. It
// replaces an earlier call, so Stall(0) ends it.
func (p *Proxy) Stall(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = time.Now().Add(d)
}

// Close closes everything, drops delayed requests, and returns when all of the proxy's
// goroutines have ended.
func (p *Proxy) Close() {
	p.stop()
	p.mu.Lock()
	for _, l := range p.listeners {
		l.Close()
	}
	for l := range p.links {
		l.client.Close()
		l.broker.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// choose draws the action for one request; 0 = pass. Held requests wait until released
// is closed.
func (p *Proxy) choose(api int16) (do Action, delay time.Duration, released <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[api]++
	for _, r := range p.rules {
		if r.API != api || r.Limit > 0 && r.hits >= r.Limit || p.rand.Float64() >= r.Probability {
			continue
		}
		r.hits++
		p.hits[hit{api, r.Do}]++
		return r.Do, r.Delay, p.released
	}
	return 0, 0, nil
}

// patience returns when no stall is active; false = the proxy is closing.
func (p *Proxy) patience() bool {
	for {
		p.mu.Lock()
		left := time.Until(p.stalled)
		p.mu.Unlock()
		if left <= 0 {
			return p.ctx.Err() == nil
		}
		if !p.sleep(min(left, 20*time.Millisecond)) { // Stall may have been called again
			return false
		}
	}
}

func (p *Proxy) sleep(d time.Duration) bool { return backoff.Sleep(p.ctx, d) == nil }

// maxFrame is above the brokers' default limit (socket.request.max.bytes).
const maxFrame = 128 << 20

// readFrame reads a request or an answer: four bytes of length and the rest.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size < 4 || size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is not Kafka's", size)
	}
	frame := append(head, make([]byte, size)...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}
