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

// A shop that waits for somebody at the vendor's side looks again after
// minWait, and ever less often up to maxWait; at once when its secret or token
// changes, or its entry in the shops file, which begins the lane anew.
const minWait, maxWait = time.Minute, 10 * time.Minute

// walker is one shop's loop over its windows. It asks what is next, reads
// pages, and leaves orders and checkpoint in its outbox for the lane to
// commit; reading runs ahead of the commits, never of the checkpoint that goes
// with them.
type walker struct {
	member *member
	// stop ends its run. leaving says that it was called, running that the run has
	// not ended yet. The committer alone uses the three.
	stop             context.CancelFunc
	leaving, running bool

	shop  Shop
	host  *wechat.Host
	log   *slog.Logger
	sheet *shopState // what is shown of the shop; nothing is decided by it
	// inbox is what others tell the walker, history what walkers before it knew.
	inbox   *inbox
	history *history

	// space takes a token for each page that waits in an outbox of the lane;
	// it is full when commits do not keep up.
	space chan struct{}
	// spare are the windows that shops of this process read beside another one of
	// their own.
	spare extraWindows
	ids   *idBudget // of the process
	// now tells the lane that something should be committed now, soon that
	// something should be before long.
	now, soon chan<- struct{}

	mu     sync.Mutex // guards what follows
	state  *offsets.Checkpoint
	stored offsets.Stored
	pace   window.Sizer
	outbox []delivery
	dirty  bool // state has changed since it was handed over
	tight  bool // see Policy.Tight
	// kept, if set, is closed when the state as it is now is committed.
	kept chan struct{}
	// readers are the windows being read; stalled says that some have yielded.
	readers []*reader
	stalled bool
	// sharing and starving are this walker's part of the demand for windows.
	sharing, starving bool
	counted           int64 // IDs of state, as the budget knows them

	pages atomic.Int64 // read by this walker
}

// delivery is one page's share of an outbox.
type delivery struct {
	window window.Span
	asked  int64 // the first second of the range that listed them
	ids    []string
	readAt time.Time
	late   bool
}

// ending is how the reading of one window ended.
type ending struct {
	window *offsets.Window
	err    error
}

// run walks until ctx ends, a bounded range is done (nil), or the shop fails.
// What only somebody at the vendor's side can change is waited for.
func (w *walker) run(ctx context.Context) error {
	w.inbox.observe(true)
	defer w.inbox.observe(false)
	delay := minWait
	if err := w.arrive(ctx); err != nil {
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
	w.sheet.walked(frontier)
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
		w.member.wait(err)
		w.sheet.set(StateWaiting, err)
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

// walk reads windows until there is an error or nothing left to read. The
// windows stay in the checkpoint whatever happens here, so it can be called
// again.
func (w *walker) walk(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan ending)
	reading := make(map[*offsets.Window]bool)
	defer func() {
		cancel()
		for len(reading) > 0 {
			w.over(reading, (<-ended).window)
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
	look := time.NewTimer(lookEvery)
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
			// Clocks jump: no plan is good for long.
			timer.Reset(min(wait, max(w.shop.Policy.PollInterval, time.Minute)))
		}
		if len(reading) > 1 && !looking {
			look.Reset(lookEvery)
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
			w.over(reading, e.window)
			if e.err != nil && !errors.Is(e.err, errHeld) && !errors.Is(e.err, errYielded) {
				return e.err
			}
		}
	}
}

// finished says that a bounded range was read to its end by an earlier
// process; that takes no answer of the API.
func (w *walker) finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state != nil && window.Next(w.state, time.Now(), w.shop.Policy).Done
}

// hear asks the API for its clock when nothing else has asked for anything
// lately and its clock, as heard last, is the one that holds windows back: a
// single answer with an old date must not stop the shop for long.
func (w *walker) hear(ctx context.Context) error {
	now, _ := w.host.Now()
	if time.Since(now) < time.Minute || time.Since(w.host.LastHeard()) < max(w.shop.Policy.PollInterval, time.Second) {
		return nil
	}
	return w.shop.Client.HearAgain(ctx)
}

// plan applies what next says to the checkpoint. It returns the windows that
// are to be read and are not being read already.
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
		if n := len(reading) + len(start); n > 0 && (w.alone() || !w.another(n)) {
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
		w.sheet.opened(s.Open[n-1])
	}
	horizon := w.shop.Policy.LatestEnd(now)
	w.sheet.planned(w.state, horizon, w.shop.Policy.LiveFrom(horizon), len(reading)+len(start))
	return start, s.Wait, s.Done
}

// over notes that a window is not being read any more.
func (w *walker) over(reading map[*offsets.Window]bool, win *offsets.Window) {
	delete(reading, win)
	if len(reading) > 0 {
		<-w.spare.tokens
	}
}

// poke makes the lane commit, at once or with other things. It never blocks:
// one that was poked already does not need it.
func poke(when chan<- struct{}) {
	select {
	case when <- struct{}{}:
	default:
	}
}
