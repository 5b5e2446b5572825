package connector

import (
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

const (
	// orderNew is the vendor's name of the event of a new order.
	orderNew = "channels_ec_order_new"
	// mostPushed bounds the events of a shop that await their record; more are not
	// measured.
	mostPushed = 1000
)

// awaits reports whether a window of the shop's range will have a record of an event:
// any change by update time, else only a new order. A nudge without an event has none.
func (h *shopState) awaits(event string) bool {
	return event == orderNew || event != "" && h.s.Range == string(wechat.UpdateTime)
}

// expect notes an event that awaits its record, to measure how long that takes.
func (h *shopState) expect(event string, at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.awaits(event) && !h.s.State.ended() && at >= max(h.from, h.s.Watermark) && len(h.pushed) < mostPushed {
		h.pushed = append(h.pushed, at)
	}
}

// walked notes that windows exist up to a frontier: whether they had a record of an
// event is unknown.
func (h *shopState) walked(frontier int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from = frontier
	h.pushed = slices.DeleteFunc(h.pushed, func(at int64) bool { return at < frontier })
}

// recorded measures the events whose windows have brought orders, and drops those whose
// windows have not. The caller holds mu.
func (h *shopState) recorded(r receipt, now time.Time) {
	h.pushed = slices.DeleteFunc(h.pushed, func(at int64) bool {
		brought := slices.ContainsFunc(r.brought, func(s window.Span) bool { return s.Start <= at && at < s.End })
		if brought {
			h.toRecord.Observe(max(0, now.Sub(time.Unix(at, 0)).Seconds()))
		}
		return brought || at < r.watermark
	})
}
