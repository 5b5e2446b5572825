package window

import (
	"math/bits"

	"orderwalk/offsets"
)

// mostSwept is how many windows a sweep reads at most, with eight lists.
const mostSwept = 15

// Sweep is the second pass of a row of windows by update time. An order moves from
// window to window as it changes, so it matters in which of them it is listed, and the
// windows cannot become one (merge). But each need not be listed by itself. A sweep of
// the windows 0 to 2n lists n+1 ranges:
//
//	window   0   1   2   3   4   5   6
//	list     0───────
//	             1───────────
//	                     2───────────
//	                             3───────
//
// The lists that have an ID then tell its window: list i alone has the IDs of window 2i,
// lists i and i+1 those of window 2i+1.
//
// A sweep publishes nothing. Windows all of whose IDs were seen in them before are
// settled; the others get a second pass of their own. So what the lists could be wrong
// about, because the API shows an order late or counts ends in another way than before,
// costs calls, and no order twice.
//
// No order is lost either. Let an order be in the window j while the sweep lists it. It is
// in the lists of window j and no others: every range begins after the second at which
// the window before it ends, and the API counts both ends in (Policy.Ends). So j gets a
// pass of its own, unless it has seen the order before; and then that pass would not
// publish it either (Dedupe).
//
//   - The first second of the first window belongs to the window before. It is left out if
//     the latest sweep has read that: else it is not known whether that has had a second
//     pass, when, and with which filters.
//   - If the order is shown for the first time while the sweep is in progress, only the
//     second of the lists i and i+1 has it, as if it were in window 2i+2: so window 2i+1 is
//     read by itself, too.
//   - If it leaves meanwhile it has changed again, and a window to come lists it (returns).
//   - A known order whose change to another of the windows is shown during the sweep can be
//     taken for one that has not moved. That change comes later than LOOKBACK after its
//     window: a second pass of its window a moment earlier had not shown it either.
type Sweep struct {
	windows []*offsets.Window
	ends    []int64 // of the windows when the sweep began
	spans   []Span
	lists   map[string]uint // by ID: bit i = list i has it
	alone   []bool          // the windows that need a pass of their own
}

// sweepable returns the windows from the first of a row on that one sweep reads: an odd
// number. One window is no sweep. All of them are waiting.
func sweepable(row []*offsets.Window, p Policy) []*offsets.Window {
	first, n := row[0], 0
	if p.Ends == BothEnds && returns(first, p) {
		for n < min(len(row), mostSwept) && sparse(row[n], p) && alike(row[n], first) &&
			row[n].End-first.Start <= min(p.Clamp(Longest), joinedOver(false, p)) {
			n++
		}
	}
	if n%2 == 0 {
		n--
	}
	return row[:max(n, 1)]
}

// sparse reports whether a page has room for what a window and its neighbours hold.
func sparse(w *offsets.Window, p Policy) bool {
	return waits(w) && w.Pass == 1 && w.Pages <= 1 && w.Seen.Len() <= p.PageSize*3/10
}

// NewSweep begins the sweep of a row of windows (Step.Sweep).
func NewSweep(c *offsets.Checkpoint, row []*offsets.Window, p Policy) *Sweep {
	s := &Sweep{windows: row, lists: make(map[string]uint), alone: make([]bool, len(row))}
	for i, w := range row {
		s.ends = append(s.ends, w.End)
		if i%2 == 0 {
			s.spans = append(s.spans, Span{row[max(0, i-1)].Start + 1, row[min(len(row)-1, i+1)].End})
		}
	}
	if at, _ := c.Find(row[0].Start); at == 0 || !alike(c.Windows[at-1], row[0]) || row[0].Start != p.Swept {
		s.spans[0].Start--
	}
	Reopen(c, row[0], p)
	return s
}

// First returns the first of the windows. It is open while the sweep is in progress; the
// others wait.
func (s *Sweep) First() *offsets.Window { return s.windows[0] }

// End returns the end of the last of the windows.
func (s *Sweep) End() int64 { return s.ends[len(s.ends)-1] }

// Len returns how many windows there are.
func (s *Sweep) Len() int { return len(s.windows) }

// Spans returns the ranges to list, in order. They are asked for as they are.
func (s *Sweep) Spans() []Span { return s.spans }

// Listed notes what list i has. more reports that it has further pages: then it tells
// nothing.
func (s *Sweep) Listed(i int, ids []string, more bool) {
	for _, id := range ids {
		s.lists[id] |= 1 << i
	}
	if more {
		s.pass(2*i-1, 2*i, 2*i+1)
	}
}

// pass notes that windows need a pass of their own.
func (s *Sweep) pass(windows ...int) {
	for _, j := range windows {
		if j >= 0 && j < len(s.alone) {
			s.alone[j] = true
		}
	}
}

// Finish settles the windows that hold nothing new, and opens the others for their second
// pass. It returns how many it has settled. Windows that have changed meanwhile stay as
// they are.
func (s *Sweep) Finish(c *offsets.Checkpoint, p Policy) (settled int) {
	for id, lists := range s.lists {
		i := bits.TrailingZeros(lists)
		switch {
		case lists == 1<<i && !s.windows[2*i].Seen.Has(id):
			s.pass(2*i-1, 2*i)
		case lists == 3<<i && !s.windows[2*i+1].Seen.Has(id):
			s.pass(2*i + 1)
		case lists != 1<<i && lists != 3<<i: // no window is in just these lists
			for ; lists>>i > 0; i++ {
				s.pass(2*i-1, 2*i, 2*i+1)
			}
		}
	}
	var over []*offsets.Window
	for j, w := range s.windows {
		at, tracked := c.Find(w.Start)
		switch {
		case !tracked || c.Windows[at] != w || w.End != s.ends[j]:
		case j > 0 && !waits(w), j == 0 && (w.State != offsets.Open || w.Key != ""):
		case !s.alone[j]:
			over = append(over, w)
		case j > 0:
			Reopen(c, w, p)
		}
	}
	for _, w := range over {
		Reopen(c, w, p)
		Finish(c, w, p)
	}
	return len(over)
}
