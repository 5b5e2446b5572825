package connector

import (
	"context"
	"sync"
	"time"
)

// rest lets a walker wait without a goroutine: most shops of a large worker wait for
// their next poll most of the time, and a goroutine takes 4 kB at least. A walker is awake,
// with a goroutine, until there is nothing to do but wait; and again when it is woken, by
// its timer too.
type rest struct {
	// run is what a walker does while it is awake. It ends with a call of until, unless the
	// walk has ended. turn is the one with which it begins, if any.
	run   func(turn *turn)
	turns *turns
	// woken is poked by each wake. A walker that is awake receives it.
	woken chan struct{}

	mu    sync.Mutex
	state restState
	timer *time.Timer
}

type restState int

const (
	resting restState = iota
	queued            // for a turn
	awake
)

// wake ends a rest: the walker runs as soon as it has a turn.
func (r *rest) wake() {
	poke(r.woken)
	r.mu.Lock()
	rests := r.state == resting
	if rests {
		r.state = queued
	}
	r.mu.Unlock()
	if rests {
		r.turns.next(r.begin)
	}
}

// begin runs the walker in a turn, if it still waits for one.
func (r *rest) begin(t *turn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != queued {
		return false
	}
	r.state = awake
	go r.run(t)
	return true
}

// hurry ends a rest, or the wait for a turn: the walker runs at once.
func (r *rest) hurry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != awake {
		r.state = awake
		go r.run(nil)
	}
}

// wakeIn wakes the walker after a time, and not when an earlier call said.
func (r *rest) wakeIn(wait time.Duration) {
	if r.timer == nil {
		r.timer = time.AfterFunc(wait, r.wake)
		return
	}
	r.timer.Reset(wait)
}

// until rests for at most a time, or until ctx ends, for which the canceller must hurry
// the walker. The caller is run, and returns now.
func (r *rest) until(ctx context.Context, wait time.Duration) {
	r.wakeIn(wait)
	r.mu.Lock()
	r.state = resting
	r.mu.Unlock()
	// What came between the walker's last look and now has found it awake.
	switch {
	case ctx.Err() != nil:
		r.hurry()
	case len(r.woken) > 0:
		r.wake()
	}
}

// over ends the timer.
func (r *rest) over() {
	if r.timer != nil {
		r.timer.Stop()
	}
}
