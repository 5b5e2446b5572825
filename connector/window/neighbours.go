package window

import (
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// lead is how many seconds before its own start a window is asked for. The API's
// documentation does not say whether a range counts its first and its last second in.
// A window has the seconds from Start to End−1; asked for from a second earlier to End
// it lists them whatever the API counts in. Two neighbours then list up to two seconds
// twice, which drop out by their IDs (Dedupe).
const lead = 1

// askedFrom returns where the range begins that is sent for a window; 0 = at its own
// start, which is enough once one end is known to be counted in, because windows share
// their edges.
func askedFrom(start int64, p Policy) int64 {
	if p.Ends >= OneEnd {
		return 0
	}
	return max(0, start-lead)
}

// After makes the range that is sent for the first page of a window begin after its first
// second, if the API is known to count both ends in: the window before has listed that
// second. By update time, an ID that both list is one change or two, which takes a call
// to find out (Ambiguous). A window is asked for in full if
//
//   - the window before does not list all of that second: it has other filters, or may
//     have been listed second by second (narrow.go in package connector), or that second
//     was not over when it was asked for;
//   - it has no second pass, which lists the second should the API count otherwise from
//     now on;
//   - it has seen orders: those of the second would not be known for repeats any more;
//   - it has probably several pages (see Sizer). Then it is asked for in full after all,
//     and what it showed before must come again later (returns).
func After(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	at, _ := c.Find(w.Start)
	w.After = p.Ends == BothEnds && returns(w, p) && at > 0 && alike(c.Windows[at-1], w) && c.Windows[at-1].End-c.Windows[at-1].Start > 1 && p.SettleDelay >= time.Second &&
		w.Pass == 1 && w.Key == "" && w.Seen.Len() == 0 && w.Reach == 0 && w.End-w.Start > 1 && w.End-w.Start <= p.Clamp(c.Length) &&
		p.Lookback > 0 && time.Unix(w.Opened, 0).Before(secondPassAt(w, p))
}

// returns reports whether an order that leaves a window by update time comes back in a
// later one. With a status filter, or after the end of the range, it does not.
func returns(w *offsets.Window, p Policy) bool {
	return p.Range == wechat.UpdateTime && w.Status == 0 && p.End == 0
}

// alike reports whether two windows have the same filters.
func alike(a, b *offsets.Window) bool { return a.Status == b.Status && a.OpenID == b.OpenID }

// Overlap makes the range that is sent for a window begin a second early, even if the
// API is known to count one end in.
func Overlap(w *offsets.Window) { w.From = max(0, w.Start-lead) }

// neighbours returns the windows whose ranges share a second with that of w, the nearest
// first: one on either side, or two where they are a second long. Windows that were cut
// follow (offsets.Window.Reach): what they have listed counts for all of the longer
// window. If w is a part of that, none of its listings can be a change of its own, as
// with a neighbour to the right; if w begins where that ended, they are to its left.
func neighbours(c *offsets.Checkpoint, w *offsets.Window) (left, right []*offsets.Window) {
	at, _ := c.Find(w.Start)
	for i := at - 1; i >= 0 && c.Windows[i].End >= w.Asked(); i-- {
		left = append(left, c.Windows[i])
	}
	for i := at + 1; i < len(c.Windows) && c.Windows[i].Asked() <= w.End; i++ {
		right = append(right, c.Windows[i])
	}
	for _, r := range c.Reaching() {
		switch {
		case r.Start >= w.Start || r.Reach < w.Asked():
		case w.End <= r.Reach:
			right = append(right, r)
		default:
			left = append(left, r)
		}
	}
	return left, right
}

// seen returns the nearest of the windows that has listed an ID; nil if none has.
func seen(windows []*offsets.Window, id string) *offsets.Window {
	for _, w := range windows {
		if w.Seen.Has(id) {
			return w
		}
	}
	return nil
}
