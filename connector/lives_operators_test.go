package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"orderwalk/offsets"
)

// operators are the people who steer the shops of a life through any worker, alter what
// is committed of stopped ones, and change the list of shops while workers run. Workers
// hear of it at different times, and read what is wanted whenever they open a lane.
type operators struct {
	mu     sync.Mutex
	wanted map[string]Wanted
	names  []string         // of the walks at present
	topics []string         // of the walks at present; empty = the story's
	list   int              // version of the list of shops
	given  map[*process]int // the latest version that a worker was given
	acted  bool
	acts   sync.WaitGroup
}

// drawOperators draws what operators do in two of three lives.
func (l *life) drawOperators() {
	rnd := l.ops
	if rnd.IntN(3) == 0 {
		return
	}
	for range rnd.IntN(24) {
		at, from, own := rnd.IntN(len(l.walks)), time.Duration(rnd.Int64N(int64(l.length))), rand.New(rand.NewPCG(rnd.Uint64(), 1))
		if l.startNow {
			from = max(from, 10*time.Second)
		}
		add := func(from time.Duration, what string, do func(s *stage, rnd *rand.Rand)) {
			l.add(from, fmt.Sprintf("operators: %s, walk %d", what, at), func(s *stage) {
				s.ops.mu.Lock()
				defer s.ops.mu.Unlock()
				s.ops.acted = true
				do(s, own)
			})
		}
		steer := func(verb string) func(s *stage, rnd *rand.Rand) {
			return func(s *stage, rnd *rand.Rand) { s.steerWalk(rnd, at, verb) }
		}
		switch rnd.IntN(9) {
		case 0, 1, 2:
			verb := draw(rnd, "pause", "stop", "stop", "resume", "resume", "resume", "restart", "restart failed")
			add(from, verb, steer(verb))
		case 3, 4:
			add(from, "stop", steer("stop"))
			add(from, "alter", func(s *stage, rnd *rand.Rand) { s.alterWalk(rnd, at) })
			if again := from + between(rnd, time.Millisecond, 10*time.Second); again < l.length {
				add(again, "resume", steer("resume"))
			}
		case 5, 6:
			add(from, "another list", func(s *stage, rnd *rand.Rand) { s.relist(rnd, at) })
		case 7:
			add(from, "one worker differs", func(s *stage, rnd *rand.Rand) { s.differ(rnd) })
		case 8:
			add(from, "another end", func(s *stage, rnd *rand.Rand) { s.moveEnd(rnd) })
		}
	}
}

// steerWalk changes what is wanted of a walk. The caller holds ops.mu, as for the other
// acts of operators.
func (s *stage) steerWalk(rnd *rand.Rand, at int, verb string) {
	name := s.ops.names[at]
	w := s.ops.wanted[name]
	switch verb {
	case "pause":
		w.Paused, w.Stopped = true, false
	case "stop":
		if !w.Stopped {
			w.Restarts++
		}
		w.Paused, w.Stopped = false, true
	case "resume":
		w.Paused, w.Stopped = false, false
	case "restart":
		w.Restarts++
	default:
		w.IfFailed++
	}
	s.ops.wanted[name] = w
	s.later(rnd, s.tellWanted)
}

// tellWanted tells a worker what is wanted.
func (s *stage) tellWanted(_ *pod, run *process) {
	s.ops.mu.Lock()
	wanted := maps.Clone(s.ops.wanted)
	s.ops.mu.Unlock()
	run.Steer(wanted)
}

// later lets every worker that runs hear of something, each at a time of its own. One that
// starts later hears of it then.
func (s *stage) later(rnd *rand.Rand, tell func(p *pod, run *process)) {
	for _, p := range s.pods {
		run := p.run
		if run == nil {
			continue
		}
		delay := draw(rnd, 0, between(rnd, time.Millisecond, 4*time.Second))
		s.ops.acts.Go(func() {
			select {
			case <-run.ended:
			case <-time.After(delay):
				tell(p, run)
			}
		})
	}
}

// during is a context that ends with a worker.
func during(run *process, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() {
		select {
		case <-run.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

var errNotAltered = errors.New("it is not stopped, or nothing is stored")

// alterWalk sends back what is stored of a walk, or only its windows, or those without
// their page tokens: that loses and repeats nothing.
func (s *stage) alterWalk(rnd *rand.Rand, at int) {
	p, name := s.at(rnd.IntN(4)), s.ops.names[at]
	windows, keyless, delay, limit := rnd.IntN(2) == 0, rnd.IntN(2) == 0, between(rnd, time.Millisecond, 5*time.Second), between(rnd, time.Second, time.Minute)
	run := p.run
	if run == nil {
		return
	}
	shop := p.all[at]
	edit := func(stored Stored) (*offsets.Checkpoint, error) {
		s.ops.mu.Lock()
		stopped := s.ops.names[at] == name && s.ops.wanted[name].Stopped
		s.ops.mu.Unlock()
		if !stopped || stored.Checkpoint == nil {
			return nil, errNotAltered
		}
		entries := offsets.Entries(stored.Partition, stored.Checkpoint)
		for _, e := range entries {
			if keyless {
				delete(e.Offset, "next_key")
			}
		}
		if windows && len(entries) > 1 {
			entries = entries[1:]
		}
		return offsets.Edit(stored.Partition, stored.Checkpoint, entries, time.Now().Add(time.Hour).Unix())
	}
	s.ops.acts.Go(func() {
		select {
		case <-run.ended:
			return
		case <-time.After(delay):
		}
		ctx, cancel := during(run, limit)
		defer cancel()
		text := "done"
		if err := run.Alter(ctx, shop, edit); err != nil {
			text = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		s.note("  alter %s: %s", name, text)
	})
}

// calmOperators ends what operators want. In most lives with operators the workers that
// run take that over; otherwise it reports that all have to start again.
func (s *stage) calmOperators() (gently, restart bool) {
	o := &s.ops
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wanted = make(map[string]Wanted)
	for _, p := range s.pods {
		p.own = nil
	}
	for i, w := range s.life.walks {
		o.names[i] = w.name
	}
	o.list++
	gently = o.acted && s.life.seed%3 > 0
	if !gently {
		return false, o.acted
	}
	s.current = s.life.last
	for _, p := range s.pods {
		p.done = false
	}
	s.later(s.life.ops, func(p *pod, run *process) {
		s.tellWanted(p, run)
		s.giveList(p, run)
	})
	return true, false
}

// restartFailed starts again what has failed, without a restart of any worker.
func (s *stage) restartFailed() {
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	for _, name := range s.ops.names {
		s.ops.wanted[name] = Wanted{IfFailed: 1000}
	}
	s.later(s.life.ops, s.tellWanted)
}
