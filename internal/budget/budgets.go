package budget

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orderwalk/internal/wechat"
)

// quotasAtOnce is how many questions are under way at a time.
const quotasAtOnce = 4

// Budgets are those of all app IDs of a worker.
type Budgets struct {
	share float64
	log   *slog.Logger
	wake  chan struct{} // something may have to be asked earlier

	mu  sync.Mutex
	all map[string]*Budget // by app ID
}

func New(share float64, log *slog.Logger) *Budgets {
	return &Budgets{share: share, log: log, wake: make(chan struct{}, 1), all: make(map[string]*Budget)}
}

// Caller is an app ID, by a name for the log, and the client whose calls count.
type Caller struct {
	Name, AppID string
	Client      *wechat.Client
}

// Enlist makes them those of these callers, of which each app ID's first counts.
// One that stays keeps what it knows.
func (qs *Budgets) Enlist(callers []Caller) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	before := qs.all
	qs.all = make(map[string]*Budget)
	for _, c := range callers {
		if qs.all[c.AppID] != nil {
			continue
		}
		q := before[c.AppID]
		if q == nil {
			q = &Budget{share: qs.share, log: qs.log}
		}
		q.serve(c.Name, c.Client)
		qs.all[c.AppID] = q
	}
	qs.poke()
}

func (qs *Budgets) poke() {
	select {
	case qs.wake <- struct{}{}:
	default:
	}
}

func (qs *Budgets) Of(appID string) *Budget {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	return qs.all[appID]
}

// Resize sets this worker's part of an app ID's calls.
func (qs *Budgets) Resize(appID string, part float64) {
	if q := qs.Of(appID); q != nil && q.resize(part) {
		qs.poke()
	}
}

// Run asks the vendor, for each app ID with a lane here, what is left of the
// day: soon after it has come here, then every hour.
func (qs *Budgets) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next := qs.due(time.Now())
		qs.ask(ctx, due)
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
		case <-qs.wake:
		case <-timer.C:
		}
	}
}

// due lists what is to be asked now, and when there is more; zero = not known.
func (qs *Budgets) due(now time.Time) (due []*Budget, next time.Time) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	for _, q := range qs.all {
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

// ask asks for all of them. Errors that are new are one line in the log: no
// order depends on the answer.
func (qs *Budgets) ask(ctx context.Context, due []*Budget) {
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
		qs.log.Warn("cannot see what is left of the day's list calls, asking again every hour",
			"shop", first.shop, "shops", failed, "reason", reason)
	}
}
