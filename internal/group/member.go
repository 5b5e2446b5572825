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

// Events, as [Config.OnEvent] gets them.
const (
	EventAssigned     = "assigned"      // a generation began
	EventLost         = "lost"          // unheard of for a session timeout
	EventRemoved      = "removed"       // the coordinator no longer knows us
	EventGhostRemoved = "ghost_removed" // a dead member of our name was removed
	EventRetry        = "retry"         // a heartbeat or an attempt to join failed
)

// Events lists all of them, so that a counter can have each from the start.
func Events() []string {
	return []string{EventAssigned, EventLost, EventRemoved, EventGhostRemoved, EventRetry}
}

// Config says which group a worker belongs to and how to reach it.
type Config struct {
	// Brokers, as "host:port", and the Dialer to reach them: for joining, which
	// kafka-go does on connections of its own. Its ClientID is replaced by
	// Worker, if there is one. Its Timeout defaults to 3 s.
	Brokers []string
	Dialer  *kafka.Dialer
	// Addr and Transport are for all other requests.
	Addr      net.Addr
	Transport *kafka.Transport

	GroupID string
	Topic   string // the offsets topic, whose partitions are the lanes; it has to exist
	// Worker is the worker ID. Members of this name are taken for dead when Run
	// starts and removed. Empty: none is.
	Worker string
	// SessionTimeout is how long the coordinator waits for a sign of life.
	// Defaults to 10 s. Brokers allow 6 s to 30 min unless told otherwise.
	SessionTimeout time.Duration
	// Heartbeat is the time between signs of life. Defaults to half a second, or
	// a sixth of SessionTimeout if that is less: others learn of a planned stop
	// at their next one.
	Heartbeat time.Duration
	// Load tells the load of each lane that this worker knows of, in a unit that
	// all workers share, such as shops. Lanes that nobody mentions count as
	// empty. It is asked at every rebalance, on a goroutine of kafka-go's.
	// Defaults to no knowledge: lanes are then balanced by their number.
	Load func() map[int]int
	// Together, if any, tells which lanes have to be with one worker, as sets. It
	// is asked as Load is, of the leader.
	Together func() [][]int
	// Until, if any, is waited for before joining: until it is closed Topic may
	// not be there.
	Until <-chan struct{}

	Log *slog.Logger // defaults to none
	// OnEvent, if any, is called with one of the Event constants.
	OnEvent func(event string)
	// OnOutage, if any, hears why a request failed that keeps the membership up,
	// each time, and nil when one succeeds again.
	OnOutage func(err error)
}

// Assignment is what a generation of the group gives to this worker.
type Assignment struct {
	Generation int32
	Member     string // member ID
	Lanes      []int  // sorted
	Members    int    // of the group; 0 until they have been counted
	// Others is Busy unless every other member rests, and has for a while; it is only
	// looked at while this one does. Then it is Stuck if one of them is.
	Others Rest
}

// Member is one worker's membership.
type Member struct {
	cfg      Config
	interval time.Duration // between heartbeats
	attempt  time.Duration // limit of one request
	call     call
	outage   outage

	// blind is set when this member, as the leader, had to assign without
	// knowing the topic's partitions.
	blind atomic.Bool
	// rest is the Rest of this member, told what the group has been told of it.
	rest, told atomic.Int32

	// The rest belongs to attend's goroutine, except held.
	id      string    // member ID; empty before the first generation and when removed
	heard   time.Time // when the last request that the coordinator answered well was sent
	lost    bool      // told, and not made good since
	joined  bool      // there has been a generation
	removed bool      // by somebody, while we were alive; a twin is suspected
	// complaint is what was said last of a member that should not be here.
	complaint string

	mu   sync.Mutex
	held Assignment // the last one: what we claim when joining
}

// New makes a member; Run makes it join.
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
		// Four tries fit into a session even if each is swallowed.
		attempt: cfg.SessionTimeout / 4,
		call:    call{addr: cfg.Addr, transport: cfg.Transport, group: cfg.GroupID},
		outage:  outage{log: cfg.Log.With("group", cfg.GroupID), tell: cfg.OnOutage},
	}
}

// Run joins the group and stays in it until ctx ends, joining again after every
// loss. Then it leaves at once, so that others need not wait for the session
// timeout, and returns nil: whoever wants to drain its lanes first cancels ctx
// after that. It returns an error only when Kafka refuses this worker before it
// has ever been a member, for a reason that waiting does not change.
//
// It calls assigned when a generation begins, and again with the same
// assignment when its members have been counted and when it still stands after
// lost. A generation that ended before it
// could be told is left out. It calls lost when the coordinator has not
// answered for a session timeout: others may own every lane by then, though
// none has to. Both are called on Run's goroutine, one at a time, and neither
// after ctx has ended. Heartbeats go on meanwhile, but the next assignment
// waits.
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

// news is what Run has to tell.
type news struct {
	lost       bool
	assignment Assignment
}

// mailbox holds the latest news. It has room for one, and one who puts.
type mailbox chan news

func (b mailbox) put(n news) {
	select {
	case <-b:
	default:
	}
	b <- n
}

// Current asks the coordinator whether the assignment still stands: whether no
// later generation has begun. It keeps asking until it gets an answer, ctx ends
// or Kafka refuses. False means that another assignment has been or will be
// told; it may contain the same lanes.
func (m *Member) Current(ctx context.Context, a Assignment) (bool, error) {
	for {
		err := m.call.heartbeat(ctx, m.attempt, a.Generation, a.Member)
		var refused *Error
		switch {
		case err == nil, errors.Is(err, kafka.RebalanceInProgress):
			return true, nil // until the next generation begins, nobody else has got our lanes
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

// Rest tells the others whether this worker has anything to do. They learn of it as
// they learn of a new member, by a rebalance.
func (m *Member) Rest(rest Rest) { m.rest.Store(int32(rest)) }

func (m *Member) take(a Assignment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = a
}

func (m *Member) claim() Assignment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}
