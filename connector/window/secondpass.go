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
	return w.Pages > 1 && (p.Range == wechat.UpdateTime || w.Status != 0)
}

// merge joins a window with neighbours that wait for their second pass too and hold no
// orders either: an idle shop would otherwise be read a second time window by window.
// Windows with orders stay apart, because for update times it matters in which of two
// neighbours an ID was seen.
func merge(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	longest := min(p.Clamp(Longest), seconds(p.Lookback/4))
	i, _ := c.Find(w.Start)
	for _, at := range []int{i, i - 1} { // with the right neighbour, then with the left one
		if at < 0 || at+1 >= len(c.Windows) {
			continue
		}
		left, right := c.Windows[at], c.Windows[at+1]
		bound := slices.ContainsFunc(c.Reaching(), func(r *offsets.Window) bool { return r.Reach == left.End })
		if !bound && idle(left) && idle(right) && left.Status == right.Status && left.OpenID == right.OpenID && right.End-left.Start <= longest {
			left.End, left.Opened = right.End, min(left.Opened, right.Opened)
			c.Put(at, at+2, left)
		}
	}
}

func idle(w *offsets.Window) bool {
	return w.State == offsets.Waiting && w.Seen.Len() == 0 && w.Reach == 0
}
