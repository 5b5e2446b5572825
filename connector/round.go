package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"orderwalk/offsets"
)

const (
	// maxTurns is how many shops of a process begin to read at a time: enough to keep
	// all calls that a host allows in progress.
	maxTurns = 640
	// longestTurn is how long a turn takes at most, when the API does not answer.
	longestTurn = time.Second
)

// turns holds a value for each shop that begins to read a window while it reads none. The
// turn ends with its first answer. Shops that started together are polled in the same
// second: without turns, all of them would wait for their calls deep in the client, on
// stacks of 8 kB and more.
type turns chan struct{}

// await waits for a turn and begins it. The turn ends when end is called first, or after
// longestTurn.
func (t turns) await(ctx context.Context) (end func(), err error) {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	over := sync.OnceFunc(func() { <-t })
	late := time.AfterFunc(longestTurn, over)
	return func() {
		late.Stop()
		over()
	}, nil
}

// round is what one walk over a shop's windows has under way. It is on the heap, and its
// steps are functions of their own, because the goroutine of walk rests between two polls
// with its stack: one that uses less than 1,248 bytes then fits into 4 kB, any other
// takes 8.
type round struct {
	*walker
	ended   chan ending
	reading map[*offsets.Window]bool
	// timer fires when there may be more to do, look when windows that only wait should
	// yield; nil = there are none.
	timer *time.Timer
	look  <-chan time.Time
}

// walk reads windows until an error, or until nothing is left to read. The windows stay
// in the checkpoint whatever happens, so walk can be called again.
func (w *walker) walk(ctx context.Context) error {
	if w.finished() {
		return nil
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	r := &round{walker: w, ended: make(chan ending), reading: make(map[*offsets.Window]bool), timer: time.NewTimer(0), look: time.After(yieldEvery)}
	defer r.end()
	for {
		if done, err := r.step(ctx); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.look:
			r.look = nil
			w.yield(time.Now())
		case <-w.inbox.wake:
		case <-r.timer.C:
			if err := w.hear(ctx); err != nil {
				return err
			}
		case e := <-r.ended:
			if err := r.over(e); err != nil {
				return err
			}
		}
	}
}

// step plans, starts to read what is planned, and sets the timers. It waits for the shop's
// turn if the shop reads nothing yet, whatever happens meanwhile: shops get their turns in
// the order in which they began to wait.
func (r *round) step(ctx context.Context) (done bool, err error) {
	next, wait, done := r.plan(r.reading)
	if done && len(r.reading) == 0 {
		return true, nil
	}
	turn := func() {}
	if len(next) > 0 && len(r.reading) == 0 {
		if turn, err = r.turns.await(ctx); err != nil {
			return false, err
		}
	}
	for _, win := range next {
		r.reading[win] = true
		r.start(ctx, win, turn)
	}
	if wait > 0 {
		// Clocks jump, so plan again within a minute.
		r.timer.Reset(min(wait, max(r.shop.Policy.PollInterval, time.Minute)))
	}
	if len(r.reading) > 1 && r.look == nil {
		r.look = time.After(yieldEvery)
	}
	return false, nil
}

// start reads a window. turn ends the turn with which it does.
func (r *round) start(ctx context.Context, win *offsets.Window, turn func()) {
	// end cancels it when ctx ends, so ctx need not keep a list of its children for that.
	reading, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	one := &reader{window: win, cancel: cancel, turn: turn}
	r.mu.Lock()
	r.readers = append(r.readers, one)
	r.mu.Unlock()
	go func() { r.ended <- ending{win, r.readOrYield(reading, one)} }()
}

// over notes that a window is no longer read, and returns an error that ends the walk.
func (r *round) over(e ending) error {
	r.drop(e.window)
	if e.err != nil && !errors.Is(e.err, errHeld) && !errors.Is(e.err, errYielded) {
		return e.err
	}
	return nil
}

func (r *round) drop(win *offsets.Window) {
	delete(r.reading, win)
	if len(r.reading) > 0 {
		<-r.extra.tokens
	}
}

// end ends all readings.
func (r *round) end() {
	r.timer.Stop()
	r.mu.Lock()
	for _, one := range r.readers {
		one.cancel(nil)
	}
	r.mu.Unlock()
	for len(r.reading) > 0 {
		r.drop((<-r.ended).window)
	}
	r.share(false)
}
