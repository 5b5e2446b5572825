package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What many shops and several workers are held to. Times are in seconds, from
// the moment that something is done to the last of the shops concerned; memory
// is in MiB.
var (
	killTarget   = atMost(15, 12) // the session timeout of 10 s, and 5 s
	stopTarget   = atMost(2, 1)
	ownTarget    = atMost(2, 1)
	askedTarget  = atMost(5, 3)
	memoryTarget = atMost(300, 200)
	idleTarget   = atMost(5, 2.5) // per cent of a core
)

const (
	// takeoverShops are shared by two workers.
	takeoverShops, takeoverLanes = 40, 16
	manyShops, manyLanes         = 10_000, 64
	groupWorkers                 = 4
	idleShops                    = 1_000
	// idleSettle is for what a start leaves behind, idleTime is measured.
	idleSettle, idleTime = 30 * time.Second, time.Minute
	// pollInterval is the default of ORDERWALK_POLL_INTERVAL.
	pollInterval = 10 * time.Second
)

// takeover has two workers share shops whose orders do not come to an end, does
// something to the second, and measures until each of its shops is published by
// another life.
func (s *suite) takeover(what string, t target, do func(context.Context, *fleet, *worker) error) func(context.Context, *bench, string) error {
	return func(ctx context.Context, b *bench, name string) error {
		var seconds series
		for round := range s.rounds {
			s.progress(name, round)
			ctx, cancel := context.WithTimeout(ctx, runTimeout)
			defer cancel()
			took, err := b.takeover(ctx, s.orders, do)
			if err != nil {
				return err
			}
			seconds.ours = append(seconds.ours, took.Seconds())
		}
		s.report.table(fmt.Sprintf("%s: %s, until each of its shops goes on", name, what), row{"seconds", "%.2f", seconds, t, false})
		return nil
	}
}

func (b *bench) takeover(ctx context.Context, orders int, do func(context.Context, *fleet, *worker) error) (took time.Duration, err error) {
	f, err := b.newFleet(ctx, takeoverShops, takeoverLanes, newLoad(orders, 0), "RATE_LIMIT=4", "CONCURRENCY=2")
	if err != nil {
		return 0, err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	o, err := f.watch(ctx)
	if err != nil {
		return 0, err
	}
	defer o.client.Close()
	if _, err := f.start(ctx, "first"); err != nil {
		return 0, err
	}
	if err := o.until(ctx, func() bool { return len(o.epochs) == f.shops }); err != nil {
		return 0, fmt.Errorf("wait for the first worker: %w", err)
	}
	second, err := f.start(ctx, "second")
	if err != nil {
		return 0, err
	}
	var its []string
	for len(its) < f.shops/3 { // it gets half of the lanes
		if its, err = second.publishes(ctx); err != nil {
			return 0, err
		}
	}
	o.mark(its)
	began := time.Now()
	if err := do(ctx, f, second); err != nil {
		return 0, err
	}
	if err := o.until(ctx, func() bool { return len(o.moved) == len(its) }); err != nil {
		return 0, fmt.Errorf("wait for another owner: %w; %d of %d shops have one", err, len(o.moved), len(its))
	}
	last := began
	for _, at := range o.moved {
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(began), nil
}

// publishes lists the shops that a worker has published orders of.
func (w *worker) publishes(ctx context.Context) (shops []string, err error) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, ctx.Err() // it has not come up yet
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, `orderwalk_orders_published_total{shop="`)
		if name, count, _ := strings.Cut(rest, `"} `); ok && strings.TrimSpace(count) != "0" {
			shops = append(shops, name)
		}
	}
	return shops, err
}

// many has one worker begin with very many shops, and begin again.
func (s *suite) many(ctx context.Context, b *bench, name string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	l := load{Start: time.Now().Unix() - 60, Span: 1}
	f, err := b.newFleet(ctx, manyShops, manyLanes, l)
	if err != nil {
		return err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	rows := []row{}
	for _, which := range []string{"first start", "another start"} {
		s.progress(name+", "+which, 0)
		if len(rows) > 0 {
			// Until then a shop has no window that is due.
			time.Sleep(pollInterval)
		}
		if err := f.forget(ctx); err != nil {
			return err
		}
		w, err := f.start(ctx, "many")
		if err != nil {
			return err
		}
		c, err := f.calls(ctx, func(c calls) bool { return c.Shops == int64(f.shops) })
		if err != nil {
			return err
		}
		peak := int64(0)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			peak = max(peak, highWater(w.cmd.Process.Pid))
		}
		if err := w.stop(); err != nil {
			return err
		}
		rows = append(rows,
			row{which + ": seconds until every shop was asked once", "%.2f", series{ours: []float64{time.Unix(0, c.Newest).Sub(w.started).Seconds()}}, askedTarget, false},
			row{which + ": peak memory in 30 s, MiB", "%.0f", series{ours: []float64{float64(peak) / (1 << 20)}}, memoryTarget, false})
	}
	s.report.table(fmt.Sprintf("%s: %d shops in %d lanes, one worker", name, manyShops, manyLanes), rows...)
	return nil
}

// idle has one worker poll shops without orders.
func (s *suite) idle(ctx context.Context, b *bench, name string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	f, err := b.newFleet(ctx, idleShops, offsetPartitions, load{Start: time.Now().Unix() - 60, Span: 1})
	if err != nil {
		return err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	s.progress(name, 0)
	w, err := f.start(ctx, "idle")
	if err != nil {
		return err
	}
	if _, err := f.calls(ctx, func(c calls) bool { return c.Shops == int64(f.shops) }); err != nil {
		return err
	}
	var used [2]time.Duration
	var seen [2]calls
	for i, wait := range []time.Duration{idleSettle, idleTime} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if used[i], err = cpuOf(w.cmd.Process.Pid); err != nil {
			return err
		}
		if err := f.ask(ctx, "/bench/calls", nil, &seen[i]); err != nil {
			return err
		}
	}
	if err := w.stop(); err != nil {
		return err
	}
	s.report.table(fmt.Sprintf("%s: %d shops without orders, polled every 10 s, for %v", name, idleShops, idleTime),
		row{"per cent of a core", "%.2f", series{ours: []float64{100 * (used[1] - used[0]).Seconds() / idleTime.Seconds()}}, idleTarget, false},
		row{"list calls a second", "%.0f", series{ours: []float64{float64(seen[1].Calls-seen[0].Calls) / idleTime.Seconds()}}, target{}, false})
	return nil
}

// fleets are the jobs about many shops and several workers.
func (s *suite) fleets() []job {
	kill := func(_ context.Context, _ *fleet, w *worker) error {
		w.kill()
		return nil
	}
	stop := func(_ context.Context, _ *fleet, w *worker) error { return w.stop() }
	return []job{
		{"kafka/kill", s.takeover("after kill −9 of a worker", killTarget, kill)},
		{"kafka/stop", s.takeover("after SIGTERM to a worker", stopTarget, stop)},
		{"kafka/own", s.takeover("after kill −9 of a worker, from its next start on", ownTarget, restartOwn)},
		{"kafka/many", s.many},
		{"kafka/idle", s.idle},
		{"kafka/scale", s.scale},
		{"kafka/group", s.group},
		{"kafka/steer", s.steer},
	}
}

// restartOwn kills a worker and starts it again under its own name, as a
// container is started again in its pod.
func restartOwn(ctx context.Context, f *fleet, w *worker) error {
	w.kill()
	_, err := f.start(ctx, "second")
	return err
}
