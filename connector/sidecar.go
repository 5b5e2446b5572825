package connector

import (
	"context"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/group"
)

// Sidecar is what goes on in a worker beside its lanes. It has one of the lanes'
// partitions for its records, and one worker at a time that leads: the one to
// which the group assigns that lane.
type Sidecar struct {
	// Key is that of the record that says which lane.
	Key []byte
	// Follow runs in every worker until ctx ends.
	Follow func(ctx context.Context, lane int)
	// Lead, if any, runs in the worker that has the lane, until ctx ends, which
	// it may take a moment to notice, or until the lane is not its any more.
	// After an error it is called again.
	Lead func(ctx context.Context, mine func(context.Context) (bool, error)) error
}

// relead is how long a failed Lead rests.
const relead = 2 * time.Second

// sidecars runs a Sidecar.
type sidecars struct {
	*Sidecar
	lane  int
	lanes *laneSet

	mu    sync.Mutex
	stop  context.CancelFunc // of the one who leads; nil when nobody does
	group sync.WaitGroup
}

// assign starts or stops leading.
func (s *sidecars) assign(ctx context.Context, a group.Assignment) {
	mine := false
	for _, lane := range a.Lanes {
		mine = mine || lane == s.lane
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.Lead == nil:
	case mine && s.stop == nil:
		ctx, s.stop = context.WithCancel(ctx)
		s.group.Go(func() { s.lead(ctx) })
	case !mine && s.stop != nil:
		s.stop()
		s.stop = nil
	}
}

func (s *sidecars) lead(ctx context.Context) {
	for {
		err := s.Lead(ctx, func(ctx context.Context) (bool, error) { return s.lanes.mine(ctx, s.lane) })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.lanes.log.Warn("what this worker does for the group starts again", "reason", err)
		}
		if backoff.Sleep(ctx, relead) != nil {
			return
		}
	}
}

// Nudge tells the walkers of an app ID that something has happened to an order
// at a time: they look as soon as it has left SETTLE_DELAY. The event is the
// vendor's name of it; empty if the vendor has told of none.
func (c *Connector) Nudge(appID, event string, at time.Time) {
	c.registry.nudge(appID, event, at.Unix())
}
