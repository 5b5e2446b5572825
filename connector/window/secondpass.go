package window

import (
	"slices"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// readAgain reports whether a window whose pass is over needs another one: a second
// pass, unless the first one began when the window was old enough, and for a leaky
// window further ones until one finds nothing new.
func readAgain(w *offsets.Window, p Policy) bool {
	if w.Pass == 1 {
		return p.Lookback > 0 && time.Unix(w.Opened, 0).Before(secondPassAt(w, p)) || leaky(w, p)
	}
	return w.Late && leaky(w, p)
}

// secondPassAt returns when the window is old enough for its second pass.
func secondPassAt(w *offsets.Window, p Policy) time.Time {
	return time.Unix(w.End, 0).Add(p.Lookback)
}

// leaky reports whether orders could leave the window while its pages were read,
// because their update time moved on or their status changed from the one that is
// asked for. What a page token means is not documented; if it counts orders, each
// order that leaves hides one behind it. Such a window is read a second time whatever
// its age, even with LOOKBACK=0, until a pass finds nothing new.
func leaky(w *offsets.Window, p Policy) bool {
	return w.Pages > 1 && movable(w, p)
}

// movable reports whether an order can leave the window, or come from another one.
func movable(w *offsets.Window, p Policy) bool {
	return p.Range == wechat.UpdateTime || w.Status != 0
}

// joinedOver returns over how many seconds windows that wait for their second pass are
// joined: the earliest of them gets it later by as much. Late orders come among others,
// or to a shop all of whose orders are late. Where neither is so, a late order is
// unlikely, and waits longest. Where polls are stretched, second passes are, too.
func joinedOver(empty bool, p Policy) int64 {
	most := 3 * seconds(p.Lookback)
	if empty && p.Punctual {
		return most
	}
	return min(most, max(1, p.Stretch)*seconds(p.Lookback/4))
}

// merge joins a window with neighbours that wait for their second pass too, if one page
// will list them together: a shop would otherwise be read a second time poll by poll.
// By creation time they may hold orders. Update times move, so there it matters in which
// of two neighbours an ID was seen; and a window whose orders can leave it is read again
// until nothing is new.
func merge(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	i, _ := c.Find(w.Start)
	for _, at := range []int{i, i - 1} { // with the right neighbour, then with the left one
		if at < 0 || at+1 >= len(c.Windows) {
			continue
		}
		left, right := c.Windows[at], c.Windows[at+1]
		longest := min(p.Clamp(Longest), joinedOver(left.Seen.Len()+right.Seen.Len() == 0, p))
		if joinable(c, left, right, p) && onePage(left, right, p) && alike(left, right) && right.End-left.Start <= longest {
			c.Join(at)
		}
	}
}

// joinable reports whether two neighbours wait and what windows have listed beyond their
// ends allows them to become one. Creation times do not move, so there an ID of theirs is a
// repeat in every later window. By update time it matters where the range ended that an ID
// was listed for.
func joinable(c *offsets.Checkpoint, left, right *offsets.Window, p Policy) bool {
	if !movable(left, p) {
		return left.State == offsets.Waiting && right.State == offsets.Waiting
	}
	bound := slices.ContainsFunc(c.Reaching(), func(r *offsets.Window) bool { return r.Reach == left.End })
	return !bound && waits(left) && waits(right)
}

func waits(w *offsets.Window) bool { return w.State == offsets.Waiting && w.Reach == 0 }

// onePage reports whether a page has room for the orders of two windows, and for some
// that are late.
func onePage(a, b *offsets.Window, p Policy) bool {
	orders := a.Seen.Len() + b.Seen.Len()
	return orders == 0 || !movable(a, p) && orders <= p.PageSize*9/10
}
