package connector

import (
	"context"
	"errors"
	"slices"
	"time"

	"orderwalk/offsets"
)

// round is what a walker that is awake has under way.
type round struct {
	*walker
	ended   chan ending
	reading []*offsets.Window
	// look fires when windows that only wait should yield; nil = there are none.
	look <-chan time.Time
}

// walk reads windows until there is only to wait (for wait), until an error, or until
// nothing is left to read. The windows stay in the checkpoint whatever happens, so walk
// can be called again.
func (w *walker) walk(ctx context.Context) (wait time.Duration, err error) {
	switch {
	case w.begun:
		err = w.hear(ctx)
	case w.finished():
		return 0, nil
	default:
		err = w.begin(ctx)
	}
	w.begun = err == nil
	if err != nil {
		return 0, err
	}
	r := &round{walker: w, ended: make(chan ending)}
	defer r.end()
	for {
		select {
		case <-w.rest.woken: // for what is planned now
		default:
		}
		wait, done, err := r.step(ctx)
		if done || err != nil {
			w.begun = false
			return 0, err
		}
		if len(r.reading) == 0 {
			return wait, ctx.Err()
		}
		w.rest.wakeIn(wait)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-r.look:
			r.look = nil
			w.yield(time.Now())
		case <-w.rest.woken:
			err = w.hear(ctx)
		case e := <-r.ended:
			err = r.over(e)
		}
		if err != nil {
			w.begun = false
			return 0, err
		}
	}
}

// step plans and starts to read what is planned. It waits for the shop's turn if the shop
// reads nothing yet, whatever happens meanwhile: shops get their turns in the order in
// which they began to wait. Clocks jump, so it plans again within a minute.
func (r *round) step(ctx context.Context) (wait time.Duration, done bool, err error) {
	next, wait, done := r.plan(r.reading)
	if done && len(r.reading) == 0 {
		return 0, true, nil
	}
	var turn *turn
	if len(next) > 0 && len(r.reading) == 0 {
		if turn, err = r.takeTurn(ctx); err != nil {
			return 0, false, err
		}
	}
	for _, win := range next {
		r.reading = append(r.reading, win)
		r.start(ctx, win, turn)
	}
	if len(r.reading) > 1 && r.look == nil {
		r.look = time.After(yieldEvery)
	}
	if longest := max(r.shop.Policy.PollInterval, time.Minute); wait <= 0 || wait > longest {
		wait = longest
	}
	return wait, false, nil
}

// start reads a window. turn, if any, ends with the first answer.
func (r *round) start(ctx context.Context, win *offsets.Window, turn *turn) {
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
	r.reading = slices.DeleteFunc(r.reading, func(other *offsets.Window) bool { return other == win })
	if len(r.reading) > 0 {
		<-r.extra.tokens
	}
}

// end ends all readings.
func (r *round) end() {
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
