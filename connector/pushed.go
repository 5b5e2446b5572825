package connector

import (
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

const (
	// orderNew is the vendor's name of the event of an order's creation.
	orderNew = "channels_ec_order_new"
	// mostPushed bounds the events of a shop whose records are awaited; the time
	// of more than these is not measured.
	mostPushed = 1000
	// mostNudges bounds the seconds that a shop is to be looked at, fewNudges those
	// of a shop that is not walked here. The latest are kept: a walk that begins, or
	// goes on, reads up to now before it waits for one of them.
	mostNudges, fewNudges = 256, 16
)

// awaits reports whether an event is one that a window of the shop's range has
// a record of: a change of any kind, or a creation. What is looked for without
// an event is none.
func (h *sheet) awaits(event string) bool {
	return event == orderNew || event != "" && h.s.Range == string(wechat.UpdateTime)
}

// nudge takes in what has happened at a second, and wakes the walker.
func (h *sheet) nudge(event string, at int64) {
	h.mu.Lock()
	// A window's end may be outside of it.
	if i, known := slices.BinarySearch(h.nudges, at+1); !known {
		h.nudges = slices.Insert(h.nudges, i, at+1)
	}
	h.trim()
	if h.awaits(event) && !h.s.State.ended() && at >= max(h.from, h.s.Watermark) && len(h.pushed) < mostPushed {
		h.pushed = append(h.pushed, at)
	}
	h.mu.Unlock()
	poke(h.wake)
}

// trim bounds the nudges. The caller holds mu.
func (h *sheet) trim() {
	most := mostNudges
	if h.s.State.ended() {
		most = fewNudges
	}
	if n := len(h.nudges) - most; n > 0 {
		h.nudges = slices.Delete(h.nudges, 0, n)
	}
	if cap(h.nudges) > 4*most {
		h.nudges = slices.Clip(slices.Clone(h.nudges))
	}
}

// leastNudged is how long a window is that is read for an order the vendor has
// told of: a shop with orders at every second is not read every second.
const leastNudged = 2

// nudgedTo is the second of the first order behind the frontier that the vendor
// has told of, or a little later; 0 if there is none. Not that of the last one:
// where orders keep coming, that is always too near to be read.
func (h *sheet) nudgedTo(frontier int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nudges = slices.DeleteFunc(h.nudges, func(at int64) bool { return at <= frontier })
	if len(h.nudges) == 0 {
		return 0
	}
	return max(h.nudges[0], frontier+leastNudged)
}

// walked notes that there are windows up to a frontier: what they have brought
// before is not known here.
func (h *sheet) walked(frontier int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from = frontier
	h.pushed = slices.DeleteFunc(h.pushed, func(at int64) bool { return at < frontier })
}

// recorded measures the events whose windows have brought orders, and forgets
// those whose windows have not. The caller holds mu.
func (h *sheet) recorded(r receipt, now time.Time) {
	h.pushed = slices.DeleteFunc(h.pushed, func(at int64) bool {
		brought := slices.ContainsFunc(r.brought, func(s window.Span) bool { return s.Start <= at && at < s.End })
		if brought {
			h.toRecord.Observe(max(0, now.Sub(time.Unix(at, 0)).Seconds()))
		}
		return brought || at < r.watermark
	})
}
