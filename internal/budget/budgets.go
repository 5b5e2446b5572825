package budget

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orderwalk/internal/incident"
	"orderwalk/internal/wechat"
)

// quotasAtOnce bounds concurrent requests to the vendor.
const quotasAtOnce = 4

// Budgets are the budgets of all app IDs of a worker.
type Budgets struct {
	share     float64
	log       *slog.Logger
	incidents *incident.Log
	wake      chan struct{} // poked when a request may be due earlier than planned

	mu  sync.Mutex
	all map[string]*Budget // by app ID
}

// New returns Budgets without an app ID. share is the live walk's share of the day, 0
// to 1. What many app IDs have at the same time goes to incidents, the rest to log.
func New(share float64, log *slog.Logger, incidents *incident.Log) *Budgets {
	return &Budgets{share: share, log: log, incidents: incidents, wake: make(chan struct{}, 1), all: make(map[string]*Budget)}
}

// Caller is an app ID, its name in logs, and the client whose calls count.
type Caller struct {
	Name, AppID string
	Client      *wechat.Client
}

// Enlist sets the app IDs. The first caller of each app ID counts. A budget that stays
// keeps what it knows.
func (bs *Budgets) Enlist(callers []Caller) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	before := bs.all
	bs.all = make(map[string]*Budget)
	for _, c := range callers {
		if bs.all[c.AppID] != nil {
			continue
		}
		q := before[c.AppID]
		if q == nil {
			q = &Budget{share: bs.share, incidents: bs.incidents}
		}
		q.setClient(c.Name, c.Client)
		bs.all[c.AppID] = q
	}
	for appID, q := range before {
		if bs.all[appID] == nil {
			q.leave()
		}
	}
	bs.poke()
}

func (bs *Budgets) poke() {
	select {
	case bs.wake <- struct{}{}:
	default:
	}
}

// Of returns the budget of an app ID; nil = not enlisted.
func (bs *Budgets) Of(appID string) *Budget {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	return bs.all[appID]
}

// Resize sets this worker's part of an app ID's calls, 0 to 1.
func (bs *Budgets) Resize(appID string, part float64) {
	if q := bs.Of(appID); q != nil && q.resize(part) {
		bs.poke()
	}
}

// Run asks the vendor for the remaining calls of each app ID with a lane here: soon
// after a lane has arrived, then every hour, until ctx ends.
func (bs *Budgets) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next := bs.due(time.Now())
		bs.ask(ctx, due)
		if len(due) > 0 && ctx.Err() == nil {
			continue
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-bs.wake:
		case <-timer.C:
		}
	}
}

// due lists the budgets to ask for now, and when the next one is due; zero = unknown.
func (bs *Budgets) due(now time.Time) (due []*Budget, next time.Time) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for _, q := range bs.all {
		q.mu.Lock()
		at := q.due
		q.mu.Unlock()
		switch {
		case at.IsZero():
		case !at.After(now):
			due = append(due, q)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return due, next
}

// ask asks for several budgets. New errors share one log line: no order depends on the
// answer.
func (bs *Budgets) ask(ctx context.Context, due []*Budget) {
	var asking errgroup.Group
	asking.SetLimit(quotasAtOnce)
	var mu sync.Mutex
	var failed int
	var first *Budget
	var reason error
	for _, q := range due {
		asking.Go(func() error {
			news, err := q.ask(ctx)
			if news && ctx.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				if failed++; failed == 1 {
					first, reason = q, err
				}
			}
			return nil
		})
	}
	_ = asking.Wait() // none of them fails
	if failed > 0 {
		bs.log.Warn("cannot read the remaining list calls of the day; asking again every hour",
			"shop", first.shop, "shops", failed, "reason", reason)
	}
}
