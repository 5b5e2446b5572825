package connector

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// A shop that waits for an act at the vendor's side tries again after minWait, then
// after twice as long each time, up to maxWait. It tries at once when its secret or
// token changes, or its entry in the shops file.
const minWait, maxWait = time.Minute, 10 * time.Minute

// walker is one shop's loop over its windows. It plans, reads pages, and leaves orders
// and checkpoint in its outbox for the lane to commit. Reading runs ahead of the
// commits, but a checkpoint never commits without the orders it covers.
type walker struct {
	member *member
	// stop ends run. leaving reports that stop was called, running that run has not
	// returned. Only the committer uses the three.
	stop             context.CancelFunc
	leaving, running bool

	shop   Shop
	host   *wechat.Host
	log    *slog.Logger
	status *shopState // what metrics and status show, and the app ID's budget
	// inbox holds messages from outside, history what earlier walkers of the shop knew.
	inbox   *inbox
	history *history

	// space holds a token for each page that waits in an outbox of the lane. It is full
	// when commits do not keep up.
	space chan struct{}
	// extra bounds, process-wide, the windows read beyond each shop's first.
	extra extraWindows
	ids   *idBudget // shared by the process
	// now asks the lane to commit at once, soon within flushInterval.
	now, soon chan<- struct{}

	mu     sync.Mutex // guards what follows
	state  *offsets.Checkpoint
	stored offsets.Stored
	sizer  window.Sizer
	outbox []delivery
	dirty  bool // state has changed since collect took it
	tight  bool // see Policy.Tight
	// kept, if not nil, is closed once the present state is committed.
	kept chan struct{}
	// readers are the windows being read. stalled reports that one has yielded, so that
	// no further window is started until a page arrives.
	readers []*reader
	stalled bool
	// sharing and starving are what this walker has added to the process's demand.
	sharing, starving bool
	counted           int64 // IDs of state that ids has counted

	pages atomic.Int64 // pages read by this walker
}

// delivery is one page's share of an outbox.
type delivery struct {
	window window.Span
	asked  int64 // first second of the range sent to the API
	ids    []string
	readAt time.Time
	late   bool
}

// ending reports how the reading of one window ended.
type ending struct {
	window *offsets.Window
	err    error
}

// run walks until ctx ends, a bounded range is done (nil), or the shop fails. It waits
// and tries again while the API demands an act at the vendor's side.
func (w *walker) run(ctx context.Context) error {
	w.inbox.observe(true)
	defer w.inbox.observe(false)
	delay := minWait
	if err := w.storeStart(ctx); err != nil {
		return err
	}
	frontier := int64(0)
	if w.state != nil {
		frontier = w.state.Frontier()
		for _, win := range w.state.Windows {
			if win.Seen.Len() > 0 {
				w.shop.Client.Remember(query(win, w.shop.Policy.Range, ""))
			}
		}
	}
	w.status.walked(frontier)
	for {
		before, given := w.pages.Load(), w.shop.Client.Given()
		err := w.walk(ctx)
		var refusal *wechat.Error
		if ctx.Err() != nil || !errors.As(err, &refusal) || refusal.Class != wechat.Wait {
			return err
		}
		if w.pages.Load() > before {
			delay = minWait
		}
		w.member.setWaits(err)
		w.status.set(StateWaiting, err)
		pause := max(delay, refusal.RetryAfter)
		w.log.Warn("shop waits", "reason", err, "again_in", pause)
		changed, err := w.shop.Client.Await(ctx, pause, given)
		if err != nil {
			return err
		}
		if delay = min(2*delay, maxWait); changed {
			delay = minWait
		}
	}
}

// walk reads windows until an error, or until nothing is left to read. The windows stay
// in the checkpoint whatever happens, so walk can be called again.
func (w *walker) walk(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan ending)
	reading := make(map[*offsets.Window]bool)
	defer func() {
		cancel()
		for len(reading) > 0 {
			w.windowEnded(reading, (<-ended).window)
		}
		w.share(false)
	}()
	if w.finished() {
		return nil
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	look := time.NewTimer(yieldEvery)
	defer look.Stop()
	looking := true
	for {
		start, wait, done := w.plan(reading)
		if done && len(reading) == 0 {
			return nil
		}
		for _, win := range start {
			reading[win] = true
			go func() { ended <- ending{win, w.readOrYield(ctx, win)} }()
		}
		if wait > 0 {
			// Clocks jump, so plan again within a minute.
			timer.Reset(min(wait, max(w.shop.Policy.PollInterval, time.Minute)))
		}
		if len(reading) > 1 && !looking {
			look.Reset(yieldEvery)
			looking = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
			looking = false
			w.yield(time.Now())
		case <-w.inbox.wake:
		case <-timer.C:
			if err := w.hear(ctx); err != nil {
				return err
			}
		case e := <-ended:
			w.windowEnded(reading, e.window)
			if e.err != nil && !errors.Is(e.err, errHeld) && !errors.Is(e.err, errYielded) {
				return e.err
			}
		}
	}
}

// finished reports whether an earlier process has read a bounded range to its end. It
// needs no answer of the API.
func (w *walker) finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state != nil && window.Next(w.state, time.Now(), w.shop.Policy).Done
}

// hear asks the API for its clock if that clock holds windows back and no call has been
// answered lately. Otherwise one answer with an old date would stop the shop.
func (w *walker) hear(ctx context.Context) error {
	now, _ := w.host.Now()
	if time.Since(now) < time.Minute || time.Since(w.host.LastHeard()) < max(w.shop.Policy.PollInterval, time.Second) {
		return nil
	}
	return w.shop.Client.HearAgain(ctx)
}

// plan applies the next step (window.Next) to the checkpoint. It returns the windows to
// start reading.
func (w *walker) plan(reading map[*offsets.Window]bool) (start []*offsets.Window, wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, _ := w.host.Now()
	policy := w.policy()
	policy.Nudge = w.inbox.nudgedTo(w.state.Frontier())
	s := window.Next(w.state, now, policy)
	held := w.hold(&s, now)
	window.Open(w.state, s.Open, policy)
	for _, win := range s.Again {
		window.Reopen(w.state, win, policy)
	}
	slots := policy.Concurrency - len(reading)
	if len(reading) < 2 {
		w.share(false)
	}
	for i := 0; i < len(w.state.Open()) && slots > 0; i++ {
		win := w.state.Open()[i]
		if reading[win] || held(win) {
			continue
		}
		if n := len(reading) + len(start); n > 0 && (w.firstOnly() || !w.acquireExtra(n)) {
			break
		}
		if win.Key == "" {
			win = window.Fit(w.state, win, policy)
			window.Restart(win, policy)
		}
		if win.Opened == 0 {
			win.Opened = now.Unix()
		}
		start = append(start, win)
		slots--
	}
	w.count()
	if n := len(s.Open); n > 0 {
		w.status.opened(s.Open[n-1])
	}
	horizon := w.shop.Policy.LatestEnd(now)
	w.status.planned(w.state, horizon, w.shop.Policy.LiveFrom(horizon), len(reading)+len(start))
	return start, s.Wait, s.Done
}

// windowEnded notes that a window is no longer read.
func (w *walker) windowEnded(reading map[*offsets.Window]bool, win *offsets.Window) {
	delete(reading, win)
	if len(reading) > 0 {
		<-w.extra.tokens
	}
}

// poke wakes the receiver without blocking. A poke that is still pending covers this
// one.
func poke(when chan<- struct{}) {
	select {
	case when <- struct{}{}:
	default:
	}
}
