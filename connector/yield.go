package connector

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// A process reads a limited number of windows beyond each shop's first (extraWindows),
// so a window that only waits must not occupy one of them. It yields, whatever it waits
// for, while another window of its shop is being read. It stays open, keeps the token
// of its next page, and is read again once a page of the shop has arrived. The shop's
// earliest window never yields.

// errYielded ends the reading of a window for the benefit of other shops.
var errYielded = errors.New("the window yields to other shops")

const (
	// yieldEvery is how often a walker looks for windows that only wait.
	yieldEvery = 2 * time.Second
	// patience is how long a window may go without an answer, or without room for its
	// page, when no fault is known. It is longer than a call may take.
	patience = 25 * time.Second
	// slowCall is the duration from which a call counts as slow. With slow calls
	// windows take turns, if more shops want extra windows than can have them.
	slowCall = 2 * time.Second
	// longQueue is the wait for the rate limit from which no further window is started.
	longQueue = time.Second
)

// reader is the reading of one window.
type reader struct {
	window *offsets.Window
	cancel context.CancelCauseFunc
	// called is when the list call in progress began, full when the page began to wait
	// for room; zero = neither. took is the duration of the latest call.
	called, full time.Time
	took         time.Duration
	// turn is the one with which the reading began, if any.
	turn *turn
}

// extraWindows are the windows that shops of this process read beyond their first.
// Their number is bounded, process-wide, by the capacity of tokens.
type extraWindows struct {
	// tokens holds a token for each extra window being read.
	tokens chan struct{}
	*demand
}

// demand counts the shops that compete for extra windows.
type demand struct {
	// sharing is how many shops read extra windows or want to. starving is how many of
	// these were refused one although they have fewer than their part.
	sharing, starving atomic.Int64
}

// part returns how many extra windows each shop may have while all of them want more.
func (s extraWindows) part() int { return cap(s.tokens) / int(max(1, s.sharing.Load())) }

// acquireExtra reports whether the shop may read one more window beside the given number,
// and takes a token if so. A shop that has its part leaves the rest to shops that
// starve.
func (w *walker) acquireExtra(already int) bool {
	w.share(true)
	has, part := already-1, w.extra.part()
	if has >= part && w.extra.starving.Load() > 0 {
		return false
	}
	select {
	case w.extra.tokens <- struct{}{}:
		w.starve(false)
		return true
	default:
		w.starve(has < part)
		return false
	}
}

// share notes whether the shop reads extra windows or wants to.
func (w *walker) share(wants bool) {
	if w.sharing != wants {
		w.sharing = wants
		w.extra.sharing.Add(delta(wants))
	}
	if !wants {
		w.starve(false)
	}
}

// starve notes whether the shop was refused an extra window of its part.
func (w *walker) starve(starves bool) {
	if w.starving != starves {
		w.starving = starves
		w.extra.starving.Add(delta(starves))
	}
}

func delta(up bool) int64 {
	if up {
		return 1
	}
	return -1
}

// readOrYield is read, but returns errYielded if the window yielded.
func (w *walker) readOrYield(ctx context.Context, r *reader) error {
	err := w.read(ctx, r.window)
	w.mu.Lock()
	w.readers = slices.DeleteFunc(w.readers, func(other *reader) bool { return other == r })
	w.mu.Unlock()
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errYielded) {
		err = errYielded
	}
	r.cancel(nil)
	r.turn.end()
	return err
}

// yield ends the reading of windows that only wait, but for the earliest one.
func (w *walker) yield(now time.Time) {
	state, _, _ := w.shop.Client.State()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.readers {
		waits := !r.full.IsZero() && now.Sub(r.full) >= patience
		// Answers without a list are examined for all windows that got one, together.
		// Windows that yielded would be examined one after another.
		if !r.called.IsZero() && state != wechat.StateExamining {
			waits = waits || now.Sub(r.called) >= patience || state != "" && now.Sub(r.called) >= yieldEvery
		}
		if waits && r != w.earliest() {
			w.stalled = true
			r.cancel(errYielded)
		}
	}
}

// earliest returns the reader that never yields: its window holds the watermark back.
// The caller holds mu.
func (w *walker) earliest() *reader {
	var first *reader
	for _, r := range w.readers {
		if first == nil || r.window.Start < first.window.Start {
			first = r
		}
	}
	return first
}

// reading returns the reader of a window. The caller holds mu.
func (w *walker) reading(win *offsets.Window) *reader {
	for _, r := range w.readers {
		if r.window == win {
			return r
		}
	}
	return new(reader)
}

// takesTurns reports whether a window should give its slot to a starving shop, because
// the API is slow. It is asked after a page, so that no call is wasted.
func (w *walker) takesTurns(win *offsets.Window) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reading(win)
	return r.took >= slowCall && r != w.earliest() && len(w.readers)-1 > w.extra.part() && w.extra.starving.Load() > 0
}

// calling notes that a list call of a window begins. The function it returns notes its
// end.
func (w *walker) calling(win *offsets.Window) (over func()) {
	began := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reading(win)
	r.called = began
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		r.called, r.took = time.Time{}, time.Since(began)
		r.turn.end()
	}
}

// waitForSpace waits until the lane has space for one more page in its outboxes.
func (w *walker) waitForSpace(ctx context.Context, win *offsets.Window) error {
	select {
	case w.space <- struct{}{}:
		return nil
	default:
	}
	w.mu.Lock()
	r := w.reading(win)
	r.full = time.Now()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		r.full = time.Time{}
	}()
	select {
	case w.space <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unstall notes that a page has arrived, so windows that yielded can be read again. The
// caller holds mu.
func (w *walker) unstall() {
	if w.stalled {
		w.stalled = false
		w.rest.wake()
	}
}

// firstOnly reports whether the shop may not start a window beyond its first now. The
// caller holds mu.
func (w *walker) firstOnly() bool {
	if _, until, _ := w.shop.Client.State(); !until.IsZero() {
		w.stalled = true
	}
	return w.stalled || w.shop.Client.Queue() >= longQueue || w.ids.crowded() || w.ids.full(w.state)
}
