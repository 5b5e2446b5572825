package offsets

import (
	"cmp"
	"slices"
)

// row is what a checkpoint knows of its windows without a look at each of them.
// A checkpoint may track tens of thousands: LOOKBACK is up to days, a window of
// a live shop ten seconds. What is done at each page and each commit must depend
// on the few windows that are read, not on those that wait.
type row struct {
	// tracked is len(Windows) as this row knows it. Another length means that
	// Windows was set directly: the row is built again.
	tracked int
	// open and reaching are the windows that are open, and those with a Reach,
	// in order. Windows that are not open any more leave open when it is asked
	// for.
	open, reaching []*Window
	// held is the number of IDs of all windows.
	held int
	// changed holds the starts of windows that came, went or changed since the
	// latest Update, those apart that are open or were open then. all = any
	// window may have changed.
	changed map[int64]struct{}
	all     bool
}

func (c *Checkpoint) row() *row {
	if c.known == nil || c.known.tracked != len(c.Windows) {
		r := &row{tracked: len(c.Windows), changed: make(map[int64]struct{}), all: true}
		for _, w := range c.Windows {
			r.enter(w)
		}
		c.known = r
	}
	return c.known
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

func byStart(a, b *Window) int { return cmp.Compare(a.Start, b.Start) }

// insert puts a window in its place in time.
func insert(windows []*Window, w *Window) []*Window {
	i, _ := slices.BinarySearchFunc(windows, w, byStart)
	return slices.Insert(windows, i, w)
}

// Track adds windows behind the last one.
func (c *Checkpoint) Track(windows ...*Window) {
	c.Put(len(c.Windows), len(c.Windows), windows...)
}

// Put makes windows the ones from position from up to to. They may be among
// those that stood there, with other bounds or fewer IDs.
func (c *Checkpoint) Put(from, to int, windows ...*Window) {
	r := c.row()
	for _, w := range c.Windows[from:to] {
		r.leave(w)
		r.changed[w.Start] = struct{}{}
	}
	for _, w := range windows {
		r.enter(w)
		r.changed[w.Start] = struct{}{}
	}
	switch {
	case from == 0 && len(windows) <= to:
		// Second passes end at the front: the windows behind stay where they are.
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

// Find is the position of a window that starts at a second; ok is false when
// there is none.
func (c *Checkpoint) Find(start int64) (i int, ok bool) {
	return slices.BinarySearchFunc(c.Windows, start, func(w *Window, start int64) int { return cmp.Compare(w.Start, start) })
}

// Open are the open windows, in order. The slice is good until the next change.
func (c *Checkpoint) Open() []*Window {
	r := c.row()
	r.open = slices.DeleteFunc(r.open, func(w *Window) bool { return w.State != Open })
	return r.open
}

// Reopen makes a window open that is tracked and is not.
func (c *Checkpoint) Reopen(w *Window) {
	r := c.row()
	w.State = Open
	r.changed[w.Start] = struct{}{}
	if !slices.Contains(r.open, w) {
		r.open = insert(r.open, w)
	}
}

// Reaching are the windows whose IDs count for more than their neighbours, in
// order. The slice is good until the next change.
func (c *Checkpoint) Reaching() []*Window { return c.row().reaching }

// Held is the number of IDs of all windows.
func (c *Checkpoint) Held() int { return c.row().held }

// Forget drops the IDs of a window.
func (c *Checkpoint) Forget(w *Window) {
	r := c.row()
	r.held -= w.Seen.Len()
	r.changed[w.Start] = struct{}{}
	w.Seen, w.Fresh = IDs{}, nil
}

// Unreach ends the time in which a window's IDs count for more than its
// neighbours.
func (c *Checkpoint) Unreach(w *Window) {
	r := c.row()
	w.Reach = 0
	r.changed[w.Start] = struct{}{}
	r.reaching = slices.DeleteFunc(r.reaching, func(other *Window) bool { return other == w })
}
