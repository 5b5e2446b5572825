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
	// enoughTold is how many orders in a row pushes must have told of before polls are
	// left to be the safety net.
	enoughTold = 20
)

// awaits reports whether a window of the shop's range will have a record of an event:
// any change by update time, else only a new order. A nudge without an event has none.
func (h *shopState) awaits(event string) bool {
	return event == orderNew || event != "" && h.s.Range == string(wechat.UpdateTime)
}

// mayBring reports whether an event may bring a record: one that will not, such as a
// payment by creation time, is worth no call. A nudge without an event may.
func (h *shopState) mayBring(event string) bool { return event == "" || h.awaits(event) }

// pushedAll reports whether pushes have told of the last orders that polls have found.
func (h *shopState) pushedAll() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told >= enoughTold
}

// found compares what a first pass has found with the events that were pushed. The events
// of a second may come with the time of the next one. Those of an early list may come until
// the next list.
func (h *shopState) found(span window.Span, orders int, early bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.untold > 0 {
		h.told, h.untold = 0, 0
	}
	if orders == 0 {
		return
	}
	events := 0
	for _, at := range h.pushed {
		if span.Start-1 <= at && at <= span.End {
			events++
		}
	}
	h.told += min(events, orders)
	switch {
	case events >= orders:
	case early:
		h.untold, h.untoldTo = orders-events, span.End
	default:
		h.told = 0
	}
}

// expect notes an event that awaits its record, to measure how long that takes; or that an
// order is told of that has a record already.
func (h *shopState) expect(event string, at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.untold > 0 && h.awaits(event) && at <= h.untoldTo {
		h.untold--
		h.told++
		return
	}
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
