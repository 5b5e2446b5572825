package connector

import (
	"context"
	"errors"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// errHeld ends the reading of a window that must wait for more of the day's list calls.
// The window stays open, with the token of its next page.
var errHeld = errors.New("the backfill's part of the day's list calls is used up")

// recentSpan is how far behind now a walk counts as live from its start.
const recentSpan = time.Hour

// recent reports whether second counts as live rather than backfill. A walk that has
// been live once stays live when it falls behind (history.caughtUp).
func recent(second int64, now time.Time, p window.Policy) bool {
	return now.Add(-p.SettleDelay-max(recentSpan, 2*p.PollInterval)).Unix() <= second
}

// live reports whether a window belongs to the live walk. Second passes do: only
// windows that were opened soon after their end have one.
func (w *walker) live(win *offsets.Window, now time.Time) bool {
	return win.Pass == 2 || w.history.hasCaughtUp() || recent(win.Start, now, w.shop.Policy)
}

// list requests the page of a window that key stands for, if the day's calls allow it.
func (w *walker) list(ctx context.Context, win *offsets.Window, key string) (wechat.Page, error) {
	return w.request(ctx, win, query(win, w.shop.Policy.Range, key))
}

// request makes a list call for a window, if the day's calls allow it.
func (w *walker) request(ctx context.Context, win *offsets.Window, q wechat.Query) (wechat.Page, error) {
	now, _ := w.host.Now()
	if !w.status.quota.Acquire(w.live(win, now)) {
		return wechat.Page{}, errHeld
	}
	defer w.status.quota.Release()
	defer w.calling(win)()
	return w.shop.Client.List(ctx, q)
}

// hold removes from a step the windows that must wait for more of the day's list calls.
// It returns a function that reports whether a window of the checkpoint must wait. The
// caller holds mu.
func (w *walker) hold(s *window.Step, now time.Time) func(*offsets.Window) bool {
	if recent(w.state.Watermark, now, w.policy()) {
		w.history.catchUp()
	}
	if w.history.hasCaughtUp() {
		w.status.hold(false)
		return func(*offsets.Window) bool { return false }
	}
	until := w.status.quota.Opens()
	held := func(win *offsets.Window) bool {
		return !until.IsZero() && win.State == offsets.Open && !w.live(win, now)
	}
	some := false
	if n := len(s.Open); n > 0 && held(&offsets.Window{Start: s.Open[0].Start, State: offsets.Open, Pass: 1}) {
		s.Open, some = nil, true
	}
	for _, win := range w.state.Open() {
		some = some || held(win)
	}
	if wait := time.Until(until); some && (s.Wait == 0 || wait < s.Wait) {
		s.Wait = max(wait, time.Millisecond)
	}
	w.status.hold(some)
	if some {
		w.member.setWaits(nil) // it makes no call, so it does not wait for the vendor
		w.waiting.over(false)
	}
	return held
}

func (h *shopState) hold(held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = held
}

// budgeted adds the daily budget's effect to a status. held reports that the shop has
// windows that wait for calls.
func (h *shopState) budgeted(s *ShopStatus, held bool) {
	tries := s.State == StateWaiting && s.Windows > 0
	if s.State != StateStarting && s.State != StateBackfill && s.State != StateLive && !tries {
		return
	}
	if why := h.quota.Exhausted(); why != nil {
		s.State, s.Reason = StateExhausted, h.reason(why)
		return
	}
	if why := h.quota.Waits(); why != nil && held && s.State == StateBackfill {
		s.Held, s.Reason = true, h.reason(why)
	}
}
