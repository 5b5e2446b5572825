package connector

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// The windows that shops of a process read beside their first ones are few
// (spareWindows), so a window that only waits must not be one of them. Whatever
// it waits for, it gives up reading, while the shop has another window that is
// read: it stays open, with the token of its next page, and is taken up again
// when a page of the shop has come through. One window of each shop waits.

// errYielded ends the reading of a window for the benefit of other shops.
var errYielded = errors.New("another window of the shop waits for the same")

const (
	// lookEvery is how often a walker looks for windows that only wait.
	lookEvery = 2 * time.Second
	// patience is how long a window may be without an answer or without room for
	// its page when nothing is known to be the matter: longer than a call may take.
	patience = 25 * time.Second
	// slowCall is a call that takes so long that windows take turns at being read
	// beside others where more shops want to than can.
	slowCall = 2 * time.Second
	// longQueue is how long calls may wait for the rate limit and be worth another
	// window.
	longQueue = time.Second
)

// reader is the reading of one window.
type reader struct {
	window *offsets.Window
	cancel context.CancelCauseFunc
	// called is when the list call under way began, full when the page began to
	// wait for room; zero = it does not. took is how long the latest call took.
	called, full time.Time
	took         time.Duration
}

// extraWindows are the process's windows beside the first one of each shop.
type extraWindows struct {
	// tokens has one for each of them that is being read.
	tokens chan struct{}
	*demand
}

// demand is how much the spare windows are asked for.
type demand struct {
	// sharing is how many shops read spare windows or want to, starving how many
	// of these have asked in vain for one of their part.
	sharing, starving atomic.Int64
}

// part is how many spare windows each shop may have where all of them want more
// than there are.
func (s extraWindows) part() int { return cap(s.tokens) / int(max(1, s.sharing.Load())) }

// another asks for a window beside so many that are being read already. A shop
// that has its part leaves the others theirs.
func (w *walker) another(already int) bool {
	w.share(true)
	has, part := already-1, w.spare.part()
	if has >= part && w.spare.starving.Load() > 0 {
		return false
	}
	select {
	case w.spare.tokens <- struct{}{}:
		w.starve(false)
		return true
	default:
		w.starve(has < part)
		return false
	}
}

// share notes whether the shop reads spare windows or wants to.
func (w *walker) share(wants bool) {
	if w.sharing != wants {
		w.sharing = wants
		w.spare.sharing.Add(delta(wants))
	}
	if !wants {
		w.starve(false)
	}
}

// starve notes whether the shop has asked for its part in vain.
func (w *walker) starve(starves bool) {
	if w.starving != starves {
		w.starving = starves
		w.spare.starving.Add(delta(starves))
	}
}

func delta(up bool) int64 {
	if up {
		return 1
	}
	return -1
}

// readOrYield is read, unless the window yields (errYielded).
func (w *walker) readOrYield(ctx context.Context, win *offsets.Window) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.mu.Lock()
	w.readers = append(w.readers, &reader{window: win, cancel: cancel})
	w.mu.Unlock()
	err := w.read(ctx, win)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range w.readers {
		if r.window == win {
			w.readers = append(w.readers[:i], w.readers[i+1:]...)
			break
		}
	}
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errYielded) {
		return errYielded
	}
	return err
}

// yield ends the reading of windows that wait while another one of the shop is
// read.
func (w *walker) yield(now time.Time) {
	state, _, _ := w.shop.Client.State()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.readers {
		waits := !r.full.IsZero() && now.Sub(r.full) >= patience
		// Silent answers are examined for all windows that have had one: those that
		// leave would be examined one after the other.
		if !r.called.IsZero() && state != wechat.StateExamining {
			waits = waits || now.Sub(r.called) >= patience || state != "" && now.Sub(r.called) >= lookEvery
		}
		if waits && r != w.earliest() {
			w.stalled = true
			r.cancel(errYielded)
		}
	}
}

// earliest is the reader that does not yield: the one that holds the watermark
// back. The caller holds mu.
func (w *walker) earliest() *reader {
	var first *reader
	for _, r := range w.readers {
		if first == nil || r.window.Start < first.window.Start {
			first = r
		}
	}
	return first
}

// reading is the reader of a window. The caller holds mu.
func (w *walker) reading(win *offsets.Window) *reader {
	for _, r := range w.readers {
		if r.window == win {
			return r
		}
	}
	return new(reader)
}

// takesTurns reports whether a window of a slow API lets another shop read one:
// after a page, so that no call is in vain.
func (w *walker) takesTurns(win *offsets.Window) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reading(win)
	return r.took >= slowCall && r != w.earliest() && len(w.readers)-1 > w.spare.part() && w.spare.starving.Load() > 0
}

// calling notes that a list call of a window begins; the function it returns,
// that it has ended.
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
	}
}

// room waits until a page may wait for a commit.
func (w *walker) room(ctx context.Context, win *offsets.Window) error {
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

// goesOn notes that a page has come through: windows that have yielded can be
// read again. The caller holds mu.
func (w *walker) goesOn() {
	if w.stalled {
		w.stalled = false
		poke(w.inbox.wake)
	}
}

// alone reports whether the shop may read no other window beside one now. The
// caller holds mu.
func (w *walker) alone() bool {
	if _, until, _ := w.shop.Client.State(); !until.IsZero() {
		w.stalled = true
	}
	return w.stalled || w.shop.Client.Queue() >= longQueue || w.ids.crowded() || w.ids.full(w.state)
}
