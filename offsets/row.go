package offsets

import (
	"cmp"
	"slices"
)

// row indexes a checkpoint's windows. A checkpoint may track tens of thousands:
// LOOKBACK may be days, and a live shop's window ten seconds. The cost of a page and of
// a commit must depend on the few windows being read, not on those that wait.
type row struct {
	// tracked is len(Windows) when the index was updated. Another length means that
	// Windows was set directly; the index is then built again.
	tracked int
	// open holds the open windows, reaching those with a Reach, both in order. Open
	// removes windows that are no longer open.
	open, reaching []*Window
	// held is the number of IDs in all windows.
	held int
	// changed holds the starts of windows that were added, removed or changed since the
	// latest Update, apart from windows open now or then. all = any window may have
	// changed.
	changed []int64
	all     bool
}

func (c *Checkpoint) row() *row {
	if c.cache == nil || c.cache.tracked != len(c.Windows) {
		r := &row{tracked: len(c.Windows), all: true}
		for _, w := range c.Windows {
			r.enter(w)
		}
		c.cache = r
	}
	return c.cache
}

func (r *row) enter(w *Window) {
	w.held = &r.held
	r.held += w.Seen.Len()
	if w.State == Open {
		r.open = insert(r.open, w)
	}
	if w.Reach > 0 {
		r.reaching = insert(r.reaching, w)
	}
}

func (r *row) leave(w *Window) {
	w.held = nil
	r.held -= w.Seen.Len()
	is := func(other *Window) bool { return other == w }
	r.open = slices.DeleteFunc(r.open, is)
	r.reaching = slices.DeleteFunc(r.reaching, is)
}

// change notes that a window has changed. A window that is read in many pages between two
// Updates does not fill the list.
func (r *row) change(w *Window) {
	if n := len(r.changed); n == 0 || r.changed[n-1] != w.Start {
		r.changed = append(r.changed, w.Start)
	}
}

func byStart(a, b *Window) int { return cmp.Compare(a.Start, b.Start) }

// insert inserts a window in time order.
func insert(windows []*Window, w *Window) []*Window {
	i, _ := slices.BinarySearchFunc(windows, w, byStart)
	return slices.Insert(windows, i, w)
}

// Track adds windows after the last one.
func (c *Checkpoint) Track(windows ...*Window) {
	c.Put(len(c.Windows), len(c.Windows), windows...)
}

// Put replaces the windows from position from up to to. The new ones may include
// replaced ones, with other bounds or fewer IDs.
func (c *Checkpoint) Put(from, to int, windows ...*Window) {
	r := c.row()
	for _, w := range c.Windows[from:to] {
		r.leave(w)
		r.change(w)
	}
	for _, w := range windows {
		r.enter(w)
		r.change(w)
	}
	switch {
	case from == 0 && len(windows) <= to:
		// Second passes end at the front: do not move the windows behind.
		n := to - len(windows)
		copy(c.Windows[n:], windows)
		clear(c.Windows[:n])
		c.Windows = c.Windows[n:]
	case from == len(c.Windows):
		c.Windows = append(c.Windows, windows...)
	default:
		c.Windows = slices.Replace(c.Windows, from, to, windows...)
	}
	r.tracked = len(c.Windows)
}

// Join makes the windows at positions i and i+1 one, with the IDs of both. All of them
// are written again, as one part.
func (c *Checkpoint) Join(i int) {
	left, right := c.Windows[i], c.Windows[i+1]
	left.End, left.Opened = right.End, min(left.Opened, right.Opened)
	if left.Reach = max(left.Reach, right.Reach); left.Reach <= left.End {
		left.Reach = 0
	}
	for id := range right.Seen.All() {
		left.See(id)
	}
	left.Seen.Pack()
	if right.Seen.Len() > 0 {
		left.Fresh = slices.Collect(left.Seen.All())
	}
	c.Put(i, i+2, left)
}

// Find returns the position of the window that starts at start; ok = there is one.
func (c *Checkpoint) Find(start int64) (i int, ok bool) {
	return slices.BinarySearchFunc(c.Windows, start, func(w *Window, start int64) int { return cmp.Compare(w.Start, start) })
}

// Open returns the open windows, in order. The slice is valid until the next change.
func (c *Checkpoint) Open() []*Window {
	r := c.row()
	r.open = slices.DeleteFunc(r.open, func(w *Window) bool { return w.State != Open })
	return r.open
}

// Reopen opens a tracked window again.
func (c *Checkpoint) Reopen(w *Window) {
	r := c.row()
	w.State = Open
	r.change(w)
	if !slices.Contains(r.open, w) {
		r.open = insert(r.open, w)
	}
}

// Reaching returns the windows with a Reach, in order. The slice is valid until the
// next change.
func (c *Checkpoint) Reaching() []*Window { return c.row().reaching }

// Held returns the number of IDs in all windows.
func (c *Checkpoint) Held() int { return c.row().held }

// Forget drops the IDs of a window.
func (c *Checkpoint) Forget(w *Window) {
	r := c.row()
	r.held -= w.Seen.Len()
	r.change(w)
	w.Seen, w.Fresh = IDs{}, nil
}

// Reached notes that what was listed for a window ends later than the window.
func (c *Checkpoint) Reached(w *Window, end int64) {
	r := c.row()
	if w.Reach == 0 {
		r.reaching = insert(r.reaching, w)
	}
	w.Reach = max(w.Reach, end)
	r.change(w)
}

// Unreach clears a window's Reach.
func (c *Checkpoint) Unreach(w *Window) {
	r := c.row()
	w.Reach = 0
	r.change(w)
	r.reaching = slices.DeleteFunc(r.reaching, func(other *Window) bool { return other == w })
}
