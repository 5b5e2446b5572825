package connector

import (
	"context"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/group"
)

// Sidecar is work of the group that runs beside the lanes. Its records are in the
// partition of one lane, and the worker to which the group assigns that lane leads it.
type Sidecar struct {
	// Key is the record key whose hash selects the lane.
	Key []byte
	// Prepare, if not nil, runs in every worker before its first lane opens; the worker
	// ends with its error.
	Prepare func(ctx context.Context, lane int) error
	// CatchUp, if not nil, reads what was written of the group so far. A worker calls it
	// whenever it has opened a lane: see lane.known.
	CatchUp func(ctx context.Context) error
	// Follow runs in every worker until ctx ends.
	Follow func(ctx context.Context, lane int)
	// Lead, if not nil, runs in the worker that owns the lane, until ctx ends or the
	// lane moves. mine reports whether the lane still is assigned to this worker. After
	// an error Lead is called again.
	Lead func(ctx context.Context, mine func(context.Context) (bool, error)) error
}

// relead is the pause before a failed Lead is called again.
const relead = 2 * time.Second

// sidecars runs a Sidecar.
type sidecars struct {
	*Sidecar
	lane  int
	lanes *laneSet

	mu    sync.Mutex
	stop  context.CancelFunc // ends Lead; nil while this worker does not lead
	group sync.WaitGroup
}

// assign starts or stops Lead after an assignment.
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
			s.lanes.log.Warn("group work of this worker failed and restarts", "reason", err)
		}
		if backoff.Sleep(ctx, relead) != nil {
			return
		}
	}
}

// Nudge tells the walkers of an app ID that an order was created or changed at a time.
// They read up to it once it is older than SETTLE_DELAY. event is the vendor's name of
// the event; empty = no event was received. order is the order's ID; empty = unknown.
func (c *Connector) Nudge(appID, event, order string, at time.Time) {
	c.registry.nudge(appID, event, order, at.Unix())
}
