package window

import (
	"slices"
	"time"

	"orderwalk/offsets"
)

// Early makes the range that is sent for the last window of a live shop end now, and not
// where the window does, SETTLE_DELAY before. What it lists there is published at once.
// Nothing else follows from it: the watermark stays behind, and the next window lists these
// seconds again, when they are settled. Its repeats drop out because the IDs count for every
// window up to the end of the range (offsets.Window.Reach).
//
// That is for creation times, which do not move: of an order that is listed again by update
// time it is unknown whether it has changed once more. And it is for lists of one page. A
// window that turns out to have several is asked for as it is, because a page token is
// bound to the range; so Early leaves out windows that will probably not fit.
func Early(c *offsets.Checkpoint, w *offsets.Window, now time.Time, p Policy) {
	w.Until = 0
	until := now.Unix()
	unread := w.Pass == 1 && w.Key == "" && w.Seen.Len() == 0 && w.Reach == 0
	if !p.Early || movable(w, p) || p.End > 0 || !unread || w.End != c.Frontier() || w.End != p.LatestEnd(now) || until <= w.End {
		return
	}
	if i, _ := c.Find(w.Start); i > 0 {
		before := c.Windows[i-1]
		orders, over := int64(before.Seen.Len()), max(before.End, before.Reach)-before.Start
		if orders*(until-w.Start) > over*int64(p.PageSize)*9/10 {
			return
		}
	}
	w.Until = until
}

// Published reports whether an early list has brought an order of a second that has not
// settled.
func Published(c *offsets.Checkpoint, order string, p Policy) bool {
	return p.Early && slices.ContainsFunc(c.Reaching(), func(w *offsets.Window) bool { return !movable(w, p) && w.Seen.Has(order) })
}
