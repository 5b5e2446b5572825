package connector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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

// overdue is how much later than usual a poll must be before the API is asked for its
// clock: that clock is known to the second, and answers take their time.
const overdue = 10 * time.Second

// walker is one shop's loop over its windows. It plans, reads pages, and leaves orders
// and checkpoint in its outbox for the lane to commit. Reading runs ahead of the
// commits, but a checkpoint never commits without the orders it covers.
type walker struct {
	member *member
	// stop ends the walk. leaving reports that stop was called, running that the walk has
	// not ended, failed that it has ended with an error. Only the committer uses them.
	stop                     func()
	leaving, running, failed bool
	// rest is how the walker waits. The fields below belong to run: turn is its turn until a
	// reading has it, begun reports that walk has begun, given is the secret or token at that
	// time, delay is how long to wait for the vendor next.
	rest  *rest
	turn  *turn
	begun bool
	given wechat.Given
	delay time.Duration

	shop   *Shop // the member's
	host   *wechat.Host
	lane   *slog.Logger // the lane's log, see log
	status *shopState   // what metrics and status show, and the app ID's budget
	// waiting is the wait for the vendor, for the log.
	waiting waiting
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
	dirty  bool          // state has changed since collect took it
	ends   window.Ends   // see Policy.Ends
	sweep  *window.Sweep // in progress; nil = none
	swept  int64         // see Policy.Swept
	onTime int           // second passes in a row that have found no late order
	// pace is how often the shop is polled, lastOrder when an order came or was told of
	// last; credit is for nudges.
	pace      window.Pace
	lastOrder time.Time
	credit    credit
	// unkept reports that the present state must be committed before the walk begins.
	unkept bool
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

// run walks until there is only to wait, and then rests; or until ctx ends, a bounded
// range is done (nil), or the shop fails: over gets that. It waits and tries again while
// the API demands an act at the vendor's side. turn is the one with which it begins, if any.
func (w *walker) run(ctx context.Context, turn *turn, over func(error)) {
	w.turn = turn
	wait, err := w.proceed(ctx)
	w.endTurn()
	if wait > 0 && err == nil {
		w.rest.until(ctx, wait)
		return
	}
	w.rest.over()
	w.status.quota.Polls(w, 0)
	w.waiting.over(false)
	w.inbox.observe(nil)
	over(err)
}

// proceed walks until there is only to wait (for wait), or until the walk ends.
func (w *walker) proceed(ctx context.Context) (wait time.Duration, err error) {
	w.mu.Lock()
	unkept := w.unkept
	w.mu.Unlock()
	if err := ctx.Err(); err != nil { // it was stopped while it rested
		return 0, err
	}
	if unkept {
		return time.Minute, nil
	}
	for {
		before := w.pages.Load()
		if !w.begun { // not for each poll: it may read a file
			w.given = w.shop.Client.Given()
		}
		wait, err := w.walk(ctx)
		if w.pages.Load() > before || w.delay == 0 {
			w.delay = minWait
		}
		if wait > 0 || err == nil || ctx.Err() != nil {
			return wait, err
		}
		w.endTurn()
		if w.delay, err = w.await(ctx, err, w.delay, w.given); err != nil {
			return 0, err
		}
	}
}

// takeTurn returns the turn with which run began, if it is not used yet, or waits for
// another.
func (w *walker) takeTurn(ctx context.Context) (*turn, error) {
	if turn := w.turn; turn != nil {
		w.turn = nil
		return turn, nil
	}
	return w.rest.turns.await(ctx)
}

func (w *walker) endTurn() {
	w.turn.end()
	w.turn = nil
}

// log returns the log that names the shop. Walkers seldom log: ten thousand loggers would
// take 4 MB.
func (w *walker) log() *slog.Logger { return w.lane.With("shop", w.shop.Name) }

// remember tells the client and the status what the checkpoint says.
func (w *walker) remember() {
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
}

// await waits for an act at the vendor's side, if err demands one, for delay or until the
// secret or token is another one than given. It returns the delay of the next wait, and
// err if nothing is to be waited for.
func (w *walker) await(ctx context.Context, err error, delay time.Duration, given wechat.Given) (time.Duration, error) {
	var refusal *wechat.Error
	if !errors.As(err, &refusal) || refusal.Class != wechat.Wait {
		return 0, err
	}
	w.member.setWaits(err)
	w.status.set(StateWaiting, err)
	pause := max(delay, refusal.RetryAfter)
	w.waiting.begin(err, pause)
	changed, err := w.shop.Client.Await(ctx, pause, given)
	if changed {
		return minWait, err
	}
	return min(2*delay, maxWait), err
}

// finished reports whether an earlier process has read a bounded range to its end. It
// needs no answer of the API.
func (w *walker) finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state != nil && window.Next(w.state, time.Now(), w.shop.Policy).Done
}

// hear asks the API for its clock if that clock holds windows back and no call has been
// answered lately. Otherwise one answer with an old date would stop the shop. While the
// API's clock is only behind, polls are answered in time and tell it: they are not doubled.
func (w *walker) hear(ctx context.Context) error {
	now, _ := w.host.Now()
	if time.Since(now) < time.Minute {
		return nil
	}
	w.mu.Lock()
	p := w.policy()
	readable := p.LatestEnd(now) - w.state.Frontier()
	w.mu.Unlock()
	interval := max(p.PollInterval, time.Second)
	if time.Duration(readable)*time.Second >= interval || time.Since(w.host.LastHeard()) < interval+overdue {
		return nil
	}
	return w.shop.Client.HearAgain(ctx)
}

// plan applies the next step (window.Next) to the checkpoint. It returns the windows to
// start reading.
func (w *walker) plan(reading []*offsets.Window) (start []*offsets.Window, wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, _ := w.host.Now()
	w.setPace(now)
	policy := w.policy()
	policy.Nudge = w.nudge(now, policy)
	s := window.Next(w.state, now, policy)
	held := w.hold(&s, now)
	window.Open(w.state, s.Open, policy)
	for _, win := range s.Again {
		window.Reopen(w.state, win, policy)
	}
	w.openSweep(s.Sweep, policy)
	slots := policy.Concurrency - len(reading)
	if len(reading) < 2 {
		w.share(false)
	}
	for i := 0; i < len(w.state.Open()) && slots > 0; i++ {
		win := w.state.Open()[i]
		if slices.Contains(reading, win) || held(win) {
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
		window.After(w.state, win, policy)
		window.Early(w.state, win, now, policy)
		start = append(start, win)
		slots--
	}
	w.count()
	w.opened(s.Open)
	horizon := policy.LatestEnd(now)
	w.status.planned(w.state, horizon, policy.LiveFrom(horizon), len(reading)+len(start))
	w.status.paced(w.pace)
	return start, s.Wait, s.Done
}

// poke wakes the receiver without blocking. A poke that is still pending covers this
// one.
func poke(when chan<- struct{}) {
	select {
	case when <- struct{}{}:
	default:
	}
}
