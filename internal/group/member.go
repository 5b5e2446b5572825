package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
)

// Events that [Config.OnEvent] receives.
const (
	EventAssigned     = "assigned"      // a generation began
	EventLost         = "lost"          // no heartbeat was accepted for a session timeout
	EventRemoved      = "removed"       // the coordinator no longer knows us
	EventGhostRemoved = "ghost_removed" // a dead member with our worker ID was removed
	EventRetry        = "retry"         // a heartbeat or an attempt to join failed
)

// Events returns all events, so that a counter can have each of them from the start.
func Events() []string {
	return []string{EventAssigned, EventLost, EventRemoved, EventGhostRemoved, EventRetry}
}

// Config names the group of a worker and how to reach it.
type Config struct {
	// Brokers, as "host:port", and Dialer are for joining, which kafka-go does on its
	// own connections. Worker, if set, replaces the Dialer's ClientID. The Dialer's
	// Timeout defaults to 3 s.
	Brokers []string
	Dialer  *kafka.Dialer
	// Addr and Transport are for all other requests.
	Addr      net.Addr
	Transport *kafka.Transport

	GroupID string
	Topic   string // the offsets topic, whose partitions are the lanes; it must exist
	// Worker is the worker ID. When Run starts it removes members with this ID as
	// dead; if Worker is empty, it removes none.
	Worker string
	// URL is where this worker serves HTTP for the other workers; may be empty.
	URL string
	// SessionTimeout is how long the coordinator waits for a heartbeat. Defaults to
	// 10 s. Brokers allow 6 s to 30 min by default.
	SessionTimeout time.Duration
	// Heartbeat is the time between heartbeats. Defaults to half a second, or a sixth
	// of SessionTimeout if that is less: other workers notice a planned stop at their
	// next heartbeat.
	Heartbeat time.Duration
	// Load returns the load of each lane that this worker knows, in a unit that all
	// workers share, such as shops. A lane that no worker lists counts as empty.
	// kafka-go calls it at every rebalance, on its own goroutine. Defaults to none:
	// lanes are then balanced by their number.
	Load func() map[int]int
	// Together, if any, returns sets of lanes that must be with the same worker. Only
	// the leader's is called, as Load is.
	Together func() [][]int
	// Until, if any, delays joining until it is closed; Topic need not exist before.
	Until <-chan struct{}

	Log *slog.Logger // defaults to none
	// OnEvent, if any, is called with one of the Event constants.
	OnEvent func(event string)
	// OnOutage, if any, is called with the error of each failed request that keeps
	// the membership up, and with nil when one succeeds again. It is for the caller to
	// log them: Log has them at level debug.
	OnOutage func(err error)
}

// Assignment is this worker's part in a generation of the group.
type Assignment struct {
	Generation int32
	Member     string // member ID
	Lanes      []int  // sorted
	Members    int    // size of the group; 0 until it is counted
	// Others is the combined Rest of the other members. It is Busy unless all of them
	// have rested for a while, and is only looked up while this one rests. Then it is
	// Stuck if one of them is.
	Others Rest
}

// Member is one worker's membership.
type Member struct {
	cfg      Config
	interval time.Duration // between heartbeats
	attempt  time.Duration // limit of one request
	call     call
	outage   outage

	// blind reports that this member, as the leader, had to assign without knowing
	// the topic's partitions.
	blind atomic.Bool
	// rest is the Rest of this member, sentRest the one it has last sent to the group.
	rest, sentRest atomic.Int32

	// The fields below belong to runMembership's goroutine, except held.
	id     string    // member ID; empty before the first generation and when removed
	heard  time.Time // when the last request was sent that the coordinator accepted
	lost   bool      // reported as lost, and not assigned again since
	joined bool      // has been in a generation
	// patience is the limit of the next heartbeat, or of a request before joining, at
	// least attempt. An unanswered one closes its connection, and a new one takes several
	// answers before its own: with the same limit a slow Kafka would never answer again.
	patience time.Duration
	// unanswered reports that the last join failed: it may have left a member behind.
	unanswered bool
	removed    bool // by another client while we were alive; a worker with our ID is suspected
	// complaint is the last logged complaint about a misconfigured peer.
	complaint string

	mu   sync.Mutex
	held Assignment // the latest; we claim its lanes when joining
}

// New returns a member; Run joins the group.
func New(cfg Config) *Member {
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(string) {}
	}
	if cfg.OnOutage == nil {
		cfg.OnOutage = func(error) {}
	}
	if cfg.Load == nil {
		cfg.Load = func() map[int]int { return nil }
	}
	if cfg.Together == nil {
		cfg.Together = func() [][]int { return nil }
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = min(500*time.Millisecond, cfg.SessionTimeout/6)
	}
	return &Member{
		cfg:      cfg,
		interval: cfg.Heartbeat,
		// Three heartbeats fit into a session even if the network swallows each.
		attempt:  cfg.SessionTimeout / 4,
		patience: cfg.SessionTimeout / 4,
		call:     call{addr: cfg.Addr, transport: cfg.Transport, group: cfg.GroupID},
		outage:   outage{log: cfg.Log.With("group", cfg.GroupID), report: cfg.OnOutage},
	}
}

// Run joins the group and stays in it until ctx ends, joining again after every loss.
// Then it leaves at once, so that others need not wait for the session timeout, and
// returns nil; a caller that drains its lanes first cancels ctx after that. Run returns
// an error only if Kafka refuses this worker before it has ever been a member, for a
// reason that a retry does not change.
//
// Run calls assigned when a generation begins. It calls it again with the same
// assignment when the members have been counted, and when the assignment still stands
// after lost. It leaves out a generation that ended before it could be reported. It
// calls lost when the coordinator has not answered for a session timeout: other workers
// may own every lane by then, though none has to. Run calls both on its own goroutine,
// one at a time, and neither after ctx has ended. Heartbeats continue meanwhile, but the
// next assignment waits.
func (m *Member) Run(ctx context.Context, assigned func(Assignment), lost func()) error {
	box := make(mailbox, 1)
	var err error
	var attending sync.WaitGroup
	attending.Go(func() {
		defer close(box)
		err = m.runMembership(ctx, box)
	})
	for n := range box {
		switch {
		case ctx.Err() != nil:
		case n.lost:
			lost()
		default:
			assigned(n.assignment)
		}
	}
	attending.Wait()
	return err
}

// news is an event that Run passes to its caller.
type news struct {
	lost       bool
	assignment Assignment
}

// mailbox holds the latest news: one item, from one sender.
type mailbox chan news

func (b mailbox) put(n news) {
	select {
	case <-b:
	default:
	}
	b <- n
}

// Current asks the coordinator whether the assignment still stands, that is, whether no
// later generation has begun. It repeats the request until it gets an answer, ctx ends
// or Kafka refuses. False means that assigned has been or will be called with another
// assignment; that may contain the same lanes.
func (m *Member) Current(ctx context.Context, a Assignment) (bool, error) {
	for limit := m.attempt; ; limit = min(2*limit, m.cfg.SessionTimeout/2) { // see patience
		err := m.call.heartbeat(ctx, limit, a.Generation, a.Member)
		var refused *Error
		switch {
		case err == nil, errors.Is(err, kafka.RebalanceInProgress):
			return true, nil // no other member gets our lanes before the next generation
		case gone(err), errors.Is(err, kafka.IllegalGeneration):
			return false, nil
		case errors.As(err, &refused):
			return false, err
		}
		if backoff.Sleep(ctx, m.interval/2) != nil {
			return false, fmt.Errorf("ask for the group's generation: %w", err)
		}
	}
}

// Rest sets whether this worker has work, for the others. They learn of it by a
// rebalance, as of a new member.
func (m *Member) Rest(rest Rest) { m.rest.Store(int32(rest)) }

func (m *Member) setHeld(a Assignment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = a
}

func (m *Member) getHeld() Assignment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}
