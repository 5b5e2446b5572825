package connector

import (
	"math"
	"time"

	"orderwalk/connector/window"
	"orderwalk/offsets"
)

const (
	// nudgesPer is how many polls nudges may cause in the time of a poll, on average: as
	// many again as half of the polls. A shop with orders all the time gains little by
	// more. atOnce is how many may follow each other without that.
	nudgesPer = 1.5
	atOnce    = 60
	// enoughOnTime is how many second passes in a row must have found no late order
	// before more of the time without orders is read again at once.
	enoughOnTime = 8
)

// credit is how many polls nudges may cause now.
type credit struct {
	left  float64
	until time.Time // when left was counted; zero = never
}

// count brings the credit up to a time.
func (c *credit) count(now time.Time, interval time.Duration) {
	if c.until.IsZero() {
		c.left, c.until = atOnce, now
	}
	if gone := now.Sub(c.until); gone > 0 {
		c.left = min(atOnce, c.left+nudgesPer*gone.Seconds()/interval.Seconds())
		c.until = now
	}
}

// wait returns after how many seconds there is credit for a poll.
func (c *credit) wait(interval time.Duration) int64 {
	if c.left >= 1 {
		return 0
	}
	return int64(math.Ceil((1 - c.left) * interval.Seconds() / nudgesPer))
}

// setPace decides how often the shop is polled from now on. The caller holds mu.
func (w *walker) setPace(now time.Time) {
	p := w.shop.Policy
	if p.End > 0 || !w.history.hasCaughtUp() {
		w.pace = window.Pace{Interval: p.PollInterval}
		return
	}
	w.status.quota.Polls(w, p.PollInterval)
	if w.lastOrder.IsZero() {
		w.lastOrder = now
	}
	w.pace = window.PaceOf(p, window.Load{Idle: now.Sub(w.lastOrder), Pushed: w.status.pushedAll(), Scarce: w.status.quota.Scarce()})
}

// policy returns the shop's policy as it is in force now: with the interval of the pace,
// and with the fields that the walker sets. The caller holds mu.
func (w *walker) policy() window.Policy {
	p := w.shop.Policy
	p.Crowded, p.Ends, p.Punctual = w.ids.crowded(), w.ends, w.onTime >= enoughOnTime
	p.Swept, p.Sweeping = w.swept, w.sweep != nil
	if w.pace.Interval > 0 {
		p.Stretch = int64(w.pace.Interval / p.PollInterval)
		p.PollInterval = w.pace.Interval
	}
	return p
}

// nudge returns the nudge for the next window, see window.Policy.Nudge; 0 = none. Nudges
// wait for credit, and cause no poll while calls are short. The caller holds mu.
func (w *walker) nudge(now time.Time, p window.Policy) int64 {
	at := w.inbox.nudgedTo(w.state.Frontier(), func(order string) bool { return window.Published(w.state, order, p) })
	if at == 0 {
		return 0
	}
	w.lastOrder = now
	if w.pace.Why == window.Saving {
		return 0
	}
	w.credit.count(now, w.shop.Policy.PollInterval)
	return max(at, p.LatestEnd(now)+w.credit.wait(w.shop.Policy.PollInterval))
}

// opened notes the windows that are opened now. The caller holds mu.
func (w *walker) opened(spans []window.Span) {
	if len(spans) == 0 {
		return
	}
	last := spans[len(spans)-1]
	w.status.opened(last)
	if w.history.hasCaughtUp() {
		w.status.quota.Polled()
	}
	if time.Duration(last.End-last.Start)*time.Second < w.pace.Interval {
		w.credit.left--
	}
}

// foundLate notes whether a second pass, which is over now, has found a late order. The
// caller holds mu.
func (w *walker) foundLate(win *offsets.Window) {
	switch {
	case win.Pass == 1:
	case win.Late:
		w.onTime = 0
	default:
		w.onTime++
	}
}
