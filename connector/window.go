package connector

import (
	"slices"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// What follows are the changes a checkpoint can go through, each a small step
// on the state alone. The walker calls them; none of them waits, fetches or
// commits.

// A window of more than manyPages is longer than it needs to be: work lost to
// a restart grows with it, and so does the memory for its IDs, with each window
// that is read beside it. One of fewPages or less wastes calls, because the last
// page of a window is seldom full.
func manyPages(p Policy) int { return max(100, 400/p.Concurrency) }

func fewPages(p Policy) int { return manyPages(p) / 2 }

// open tracks new windows, with the parameters they will be read under until
// they are done, whatever the configuration becomes meanwhile.
func open(c *offsets.Checkpoint, spans []span, p Policy) {
	for _, s := range spans {
		c.Windows = append(c.Windows, &offsets.Window{Start: s.start, End: s.end, From: askedFrom(s.start, p), State: offsets.Open, Pass: 1,
			PageSize: p.PageSize, Status: p.Status, OpenID: p.OpenID})
	}
}

// again opens a window's second pass.
func again(w *offsets.Window) {
	w.State, w.Pass, w.Late = offsets.Open, 2, false
	restart(w)
}

// restart begins a window's pass again. What was published of it stays in
// Seen, so nothing is published twice.
func restart(w *offsets.Window) { w.Key, w.Pages = "", 0 }

// split halves an open window and begins both halves from their first page.
// It reports false when the window is already of the least length. Nobody
// knows which half an ID that was seen belongs to, so both know them all.
func split(c *offsets.Checkpoint, w *offsets.Window, p Policy) bool {
	half := (w.End - w.Start) / 2
	if half < max(1, seconds(p.MinWindow)) {
		return false
	}
	first, second := *w, *w
	first.End, second.Start, second.From = w.Start+half, w.Start+half, askedFrom(w.Start+half, p)
	second.Seen, second.Fresh = offsets.IDs{}, nil
	for id := range w.Seen.All() {
		second.See(id)
	}
	restart(&first)
	restart(&second)
	i := slices.Index(c.Windows, w)
	c.Windows = slices.Replace(c.Windows, i, i+1, &first, &second)
	c.Length = half
	return true
}

// finish ends a pass of a window whose last page has been read, moves the
// watermark, and lets go of what is not needed any more.
func finish(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	w.Key = ""
	switch {
	case w.Pass == 1 && (p.Lookback > 0 && time.Unix(w.Opened, 0).Before(time.Unix(w.End, 0).Add(p.Lookback)) || leaky(w, p)):
		w.State = offsets.Waiting
	case w.Pass == 2 && w.Late && leaky(w, p):
		w.State = offsets.Waiting
	default:
		w.State = offsets.Settled
	}
	c.Watermark = watermark(c)
	merge(c, p)
	retire(c)
}

// leaky says that orders could leave the window while its pages were read:
// because their update time moved on, or their status was no longer the one that
// is asked for. Nobody knows what a page token means; if it counts orders, each
// that leaves hides one behind it. Such a window is read a second time however old
// it is, also where no second pass is wanted for late orders, and until that finds
// nothing new.
func leaky(w *offsets.Window, p Policy) bool {
	return w.Pages > 1 && (p.Range == wechat.UpdateTime || w.Status != 0)
}

// watermark is the end of the prefix of windows that have been read to their
// end once.
func watermark(c *offsets.Checkpoint) int64 {
	for _, w := range c.Windows {
		if w.State == offsets.Open && w.Pass == 1 {
			return w.Start
		}
	}
	return c.Frontier()
}

// merge joins neighbours that wait for their second pass and hold no orders:
// an idle shop would otherwise be read a second time window by window, and
// twice the calls find no more. Windows with orders stay apart, because for
// update times it matters in which of two neighbours an ID was seen.
func merge(c *offsets.Checkpoint, p Policy) {
	longest := min(p.clamp(longest), seconds(p.Lookback/4))
	kept := c.Windows[:0]
	for _, w := range c.Windows {
		if n := len(kept); n > 0 {
			before := kept[n-1]
			if idle(before) && idle(w) && before.Status == w.Status && before.OpenID == w.OpenID && w.End-before.Start <= longest {
				before.End = w.End
				before.Opened = min(before.Opened, w.Opened)
				continue
			}
		}
		kept = append(kept, w)
	}
	clear(c.Windows[len(kept):])
	c.Windows = kept
}

func idle(w *offsets.Window) bool { return w.State == offsets.Waiting && w.Seen.Len() == 0 }

// retire forgets the settled windows at the front, all but those that end where
// a window may list again what they have listed: their IDs drop those repeats.
// Without IDs a window is not needed for that either.
func retire(c *offsets.Checkpoint) {
	n := 0
	for n < len(c.Windows) && c.Windows[n].State == offsets.Settled {
		n++
	}
	from := c.Frontier() - lead
	if n < len(c.Windows) {
		from = c.Windows[n].Start - lead
	}
	gone := n
	for i := n - 1; i >= 0 && c.Windows[i].End >= from; i-- {
		if c.Windows[i].Seen.Len() > 0 {
			gone = i
		}
	}
	c.Windows = slices.Delete(c.Windows, 0, gone)
}

// pace is how the length of the next windows follows what the last ones held.
// It is not part of the checkpoint: forgetting it costs a call or two.
type pace struct {
	patience int // sparse windows in a row to be seen before the next growth
	sparse   int // sparse windows in a row seen so far
}

// adapt takes a window whose first pass is over. Windows that were shorter
// than the length asked for say nothing about it unless they were full.
func (a *pace) adapt(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	length, span := p.clamp(c.Length), w.End-w.Start
	switch {
	case w.Pages > manyPages(p):
		a.sparse = 0
		if span <= length {
			c.Length = p.clamp(max(1, span/2))
		}
	case span < length:
	case w.Pages <= fewPages(p):
		if a.sparse++; a.sparse >= max(1, a.patience) {
			a.sparse = 0
			factor := int64(2)
			if w.Seen.Len() == 0 {
				factor = 4
			}
			c.Length = p.clamp(length * factor)
		}
	default:
		a.sparse = 0
	}
}

// refused notes that the API called a window too full: the next growth waits
// for more windows each time.
func (a *pace) refused() {
	a.sparse = 0
	a.patience = min(64, max(2, 2*a.patience))
}
