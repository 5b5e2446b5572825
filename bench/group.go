package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// grouped is what a group of workers with very many shops took.
type grouped struct {
	asked, resumed   float64 // seconds
	fewest, most     float64 // shops of a worker
	greatest, memory float64 // MiB, of a worker and of all together
	idle, calls      float64
}

// group has several workers share very many shops, leaves them alone, and kills one.
func (s *suite) group(ctx context.Context, b *bench, name string) error {
	var rounds []grouped
	for round := range s.rounds {
		s.progress(name, round)
		ctx, cancel := context.WithTimeout(ctx, 2*runTimeout)
		defer cancel()
		one, err := b.group(ctx, s.workers, s.shops, s.lanes, s.settings)
		if err != nil {
			return err
		}
		rounds = append(rounds, one)
	}
	line := func(what, format string, number func(grouped) float64) row {
		var of series
		for _, one := range rounds {
			of.ours = append(of.ours, number(one))
		}
		return row{what, format, of, target{}, false}
	}
	title := fmt.Sprintf("%s: %d shops in %d lanes, %d workers", name, s.shops, s.lanes, s.workers)
	if s.settings != nil {
		title += ", " + strings.Join(s.settings, " ")
	}
	s.report.table(title,
		line("seconds until every shop was asked once", "%.2f", func(g grouped) float64 { return g.asked }),
		line("shops of a worker, fewest", "%.0f", func(g grouped) float64 { return g.fewest }),
		line("shops of a worker, most", "%.0f", func(g grouped) float64 { return g.most }),
		line("peak memory of a worker, MiB", "%.0f", func(g grouped) float64 { return g.greatest }),
		line("peak memory of all workers, MiB", "%.0f", func(g grouped) float64 { return g.memory }),
		line("CPU of all workers while left alone, per cent of a core", "%.2f", func(g grouped) float64 { return g.idle }),
		line("list calls a second then", "%.0f", func(g grouped) float64 { return g.calls }),
		line("seconds from a kill of one worker until every shop was asked again", "%.2f", func(g grouped) float64 { return g.resumed }),
	)
	return nil
}

func (b *bench) group(ctx context.Context, workers, shops, lanes int, settings []string) (out grouped, err error) {
	f, err := b.newFleet(ctx, shops, lanes, load{Start: time.Now().Unix() - 60, Span: 1}, settings...)
	if err != nil {
		return out, err
	}
	defer func() {
		if gone := f.close(context.WithoutCancel(ctx)); err == nil {
			err = gone
		}
	}()
	began := time.Now()
	for i := range workers {
		if _, err := f.start(ctx, fmt.Sprintf("worker-%d", i)); err != nil {
			return out, err
		}
	}
	everyShop := func(c calls) bool { return c.Shops == int64(f.shops) }
	c, err := f.calls(ctx, everyShop)
	if err != nil {
		return out, err
	}
	out.asked = time.Unix(0, c.Newest).Sub(began).Seconds()
	if err := f.divided(ctx, &out); err != nil {
		return out, err
	}
	if out.idle, out.calls, err = f.busy(ctx, watchedTime, f.workers...); err != nil {
		return out, err
	}
	for _, w := range f.workers {
		peak := mib(highWater(w.cmd.Process.Pid))
		out.greatest, out.memory = max(out.greatest, peak), out.memory+peak
	}
	began = time.Now()
	f.workers[len(f.workers)-1].kill()
	if err := f.forget(ctx); err != nil {
		return out, err
	}
	if c, err = f.calls(ctx, everyShop); err != nil {
		return out, err
	}
	out.resumed = time.Unix(0, c.Newest).Sub(began).Seconds()
	return out, nil
}

// divided waits until each shop is walked by one worker, and notes how they are shared.
func (f *fleet) divided(ctx context.Context, out *grouped) error {
	for {
		sum := 0
		for i, w := range f.workers {
			text, _, err := w.get(ctx, "/metrics")
			if err != nil {
				return err
			}
			n := bytes.Count(text, []byte("\norderwalk_shop_info{"))
			sum += n
			if i == 0 {
				out.fewest, out.most = float64(n), float64(n)
			}
			out.fewest, out.most = min(out.fewest, float64(n)), max(out.most, float64(n))
		}
		if sum == f.shops {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("wait until the workers have divided the shops: %w; they walk %d", ctx.Err(), sum)
		}
	}
}
