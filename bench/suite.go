package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"time"

	"golang.org/x/term"
)

// suite is one call of the benchmark.
type suite struct {
	binary string
	other  string // another build, which is measured in the bare client's place; "" = none
	rounds int
	// orders are those of a run at 0 ms a page, perWindow of each window at 20 ms.
	orders, perWindow int
	// shops and lanes are those of kafka/scale and kafka/group, workers the latter's,
	// settings their workers', such as "POLL_INTERVAL=60s".
	shops, lanes, workers int
	settings              []string
	only                  *regexp.Regexp
	report                report
}

// scenario is a comparison of whole runs. The targets are ratios of orderwalk
// to the bare client, except memory, which is in MB; they hold for a real Kafka.
type scenario struct {
	latency                 time.Duration
	windows                 int
	rate, cpu, broker, peak target
}

var scenarios = []scenario{
	{0, 1, atLeast(0.65, 1.0), atMost(1.2, 0.9), atMost(2.9, 1.5), atMost(40, 25)},
	{0, 8, atLeast(0.65, 0.95), atMost(1.2, 0.9), atMost(2.9, 1.5), atMost(40, 25)},
	{20 * time.Millisecond, 1, atLeast(0.985, 0.995), atMost(1.3, 1.1), target{}, atMost(40, 25)},
	{20 * time.Millisecond, 8, atLeast(0.98, 0.995), atMost(1.9, 1.5), target{}, atMost(40, 25)},
}

const (
	// windowOrders at 20 ms a page, which is 8 s.
	windowOrders = 40_000
	// startOrders are enough to see the first, restartOrders enough to die in the middle.
	startOrders, restartOrders = 1_000, 10_000
	// span is the range of every run, a little more than a day.
	span = 100_000
	// runTimeout is for a run that hangs.
	runTimeout = 5 * time.Minute
)

var (
	startTarget   = atMost(2.5, 1)
	restartTarget = atMost(1, 1)
)

// load is the orders of a run at 0 ms, or perWindow for each window at 20 ms.
func (s scenario) load(orders, perWindow int) load {
	if s.latency > 0 {
		orders = perWindow * s.windows
	}
	return newLoad(orders, s.latency)
}

// newLoad is a shop whose day is long over, so that no part of it is live.
func newLoad(orders int, latency time.Duration) load {
	return load{Orders: orders, Start: time.Now().Unix() - 3*span, Span: span, Latency: latency}
}

// wanted reports whether -only names it.
func (s *suite) wanted(name string) bool { return s.only.MatchString(name) }

func (s *suite) run(ctx context.Context) error {
	api, err := startHelper(ctx, "api")
	if err != nil {
		return err
	}
	defer api.stop()
	for _, name := range []string{"kafka", "kfake"} {
		if err := s.runOn(ctx, name, api); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// job is one thing to measure, by the name that -only goes by.
type job struct {
	name string
	run  func(context.Context, *bench, string) error
}

// runOn runs everything that is wanted on one kind of broker.
func (s *suite) runOn(ctx context.Context, name string, api *helper) error {
	var jobs []job
	for _, sc := range scenarios {
		jobs = append(jobs, job{
			fmt.Sprintf("%s/%dms/%d", name, sc.latency.Milliseconds(), sc.windows),
			func(ctx context.Context, b *bench, name string) error { return s.compare(ctx, b, name, sc) },
		})
	}
	jobs = append(jobs, job{name + "/start", s.start}, job{name + "/restart", s.restart})
	if name == "kafka" {
		jobs = append(jobs, s.fleets()...)
	}
	var b *bench
	for _, j := range jobs {
		if !s.wanted(j.name) {
			continue
		}
		if b == nil {
			broker, err := startBroker(ctx, name)
			if err != nil {
				return err
			}
			defer broker.stop()
			b = &bench{broker: broker, api: api, binary: s.binary, other: s.other}
			// A cold broker would be measured with the first program.
			if _, err := s.pair(ctx, b, 0, newLoad(s.orders, 0), 1); err != nil {
				return fmt.Errorf("warm up: %w", err)
			}
		}
		if err := j.run(ctx, b, j.name); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return nil
}

// pair runs both programs once, orderwalk first in even rounds.
func (s *suite) pair(ctx context.Context, b *bench, round int, l load, windows int) (both [2]result, err error) {
	for i := range both {
		which := (i + round) % 2
		ctx, cancel := context.WithTimeout(ctx, runTimeout)
		defer cancel()
		t, err := b.prepare(ctx, l, windows)
		if err != nil {
			return both, err
		}
		if both[which], err = t.measure(ctx, which == 0); err != nil {
			return both, err
		}
	}
	return both, nil
}

func (s *suite) compare(ctx context.Context, b *bench, name string, sc scenario) error {
	var rate, cpu, broker, peak series
	l := sc.load(s.orders, s.perWindow)
	for round := range s.rounds {
		s.progress(name, round)
		both, err := s.pair(ctx, b, round, l, sc.windows)
		if err != nil {
			return err
		}
		rate.add(both[0].rate, both[1].rate)
		cpu.add(both[0].cpu, both[1].cpu)
		broker.add(both[0].broker, both[1].broker)
		peak.add(both[0].peak, both[1].peak)
	}
	s.report.table(fmt.Sprintf("%s: %d orders, %v a page, windows at once: %d", name, l.Orders, l.Latency, sc.windows),
		row{"orders/s", "%.0f", rate, b.held(sc.rate), true},
		row{"CPU s per million", "%.2f", cpu, b.held(sc.cpu), true},
		row{"broker CPU s per million", "%.2f", broker, b.held(sc.broker), true},
		row{"peak memory, MB", "%.1f", peak, b.held(sc.peak), false},
	)
	return nil
}

func (s *suite) start(ctx context.Context, b *bench, name string) error {
	var seconds series
	for round := range s.rounds {
		s.progress(name, round)
		var both [2]float64
		for i := range both {
			which := (i + round) % 2
			ctx, cancel := context.WithTimeout(ctx, runTimeout)
			defer cancel()
			t, err := b.prepare(ctx, newLoad(startOrders, 0), 1)
			if err != nil {
				return err
			}
			took, err := t.start(ctx, which == 0)
			if err != nil {
				return err
			}
			both[which] = took.Seconds()
		}
		seconds.add(both[0], both[1])
	}
	s.report.table(name+": from the start of the process to the first record in the topic",
		row{"seconds", "%.3f", seconds, b.held(startTarget), true})
	return nil
}

func (s *suite) restart(ctx context.Context, b *bench, name string) error {
	var seconds series
	for round := range s.rounds {
		s.progress(name, round)
		ctx, cancel := context.WithTimeout(ctx, runTimeout)
		defer cancel()
		t, err := b.prepare(ctx, newLoad(restartOrders, 20*time.Millisecond), 1)
		if err != nil {
			return err
		}
		took, err := t.restart(ctx)
		if err != nil {
			return err
		}
		seconds.ours = append(seconds.ours, took.Seconds())
	}
	s.report.table(name+": after kill −9, from the next start to the next list call",
		row{"seconds", "%.3f", seconds, b.held(restartTarget), false})
	return nil
}

// held is the target, where there is one: kfake's transactions cost next to
// nothing, so a ratio on it says little, and the targets are ratios to the bare
// client, not to another build.
func (b *bench) held(t target) target {
	if b.broker.name != "kafka" || b.other != "" {
		return target{}
	}
	return t
}

// progress shows the current measurement on a terminal.
func (s *suite) progress(name string, round int) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintf(os.Stderr, "%s, round %d of %d\n", name, round+1, s.rounds)
	}
}
