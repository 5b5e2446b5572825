package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// quotasAtOnce is how many questions are under way at a time.
const quotasAtOnce = 4

// quotas are those of all app IDs of a worker.
type quotas struct {
	share float64
	log   *slog.Logger
	wake  chan struct{} // something may have to be asked earlier

	mu  sync.Mutex
	all map[string]*quota // by app ID
}

func newQuotas(share float64, log *slog.Logger) *quotas {
	return &quotas{share: share, log: log, wake: make(chan struct{}, 1), all: make(map[string]*quota)}
}

// enlist makes them those of these shops. One that stays keeps what it knows.
func (qs *quotas) enlist(shops []Shop) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	before := qs.all
	qs.all = make(map[string]*quota)
	for _, shop := range shops {
		if qs.all[shop.AppID] != nil {
			continue
		}
		q := before[shop.AppID]
		if q == nil {
			q = &quota{share: qs.share, log: qs.log}
		}
		q.serve(shop.Name, shop.Client)
		qs.all[shop.AppID] = q
	}
	poke(qs.wake)
}

func (qs *quotas) of(appID string) *quota {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	return qs.all[appID]
}

// resize sets this worker's part of an app ID's calls.
func (qs *quotas) resize(appID string, part float64) {
	if q := qs.of(appID); q != nil && q.resize(part) {
		poke(qs.wake)
	}
}

// run asks the vendor, for each app ID with a lane here, what is left of the
// day: soon after it has come here, then every hour.
func (qs *quotas) run(ctx context.Context) {
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
func (qs *quotas) due(now time.Time) (due []*quota, next time.Time) {
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
func (qs *quotas) ask(ctx context.Context, due []*quota) {
	var asking errgroup.Group
	asking.SetLimit(quotasAtOnce)
	var mu sync.Mutex
	var failed int
	var first *quota
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
