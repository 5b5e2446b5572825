package window

import (
	"cmp"
	"slices"

	"orderwalk/offsets"
)

// manyPages is how many pages make a window longer than it needs to be: the work that a
// restart loses grows with its length, and so does the memory for its IDs, for each
// window that is read beside it. A window of fewPages or less wastes calls, because
// the last page of a window is seldom full. Windows are kept short while the process
// holds as many IDs as it may.
func manyPages(p Policy) int {
	if p.Crowded {
		return 10
	}
	return max(100, 400/p.Concurrency)
}

func fewPages(p Policy) int { return manyPages(p) / 2 }

// Open adds windows to the checkpoint. The parameters they get now apply until they
// are done, whatever the configuration becomes meanwhile.
func Open(c *offsets.Checkpoint, spans []Span, p Policy) {
	for _, s := range spans {
		c.Track(&offsets.Window{Start: s.Start, End: s.End, From: askedFrom(s.Start, p), State: offsets.Open, Pass: 1,
			PageSize: p.PageSize, Status: p.Status, OpenID: p.OpenID})
	}
}

// Reopen begins the second pass of a window.
func Reopen(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	c.Reopen(w)
	w.Pass, w.Late = 2, false
	Restart(w, p)
}

// Restart begins the current pass of a window again at its first page. The IDs that
// were published stay in Seen, so none is published twice. The page size becomes the
// configured one, since only a page token is bound to it. The filters stay, since they
// say which orders belong to the window.
func Restart(w *offsets.Window, p Policy) {
	w.Key, w.Pages, w.PageSize, w.After, w.Until = "", 0, p.PageSize, false, 0
}

// Halve replaces an open window by two of half its length, both at their first page.
// It reports false if the window is of the least length already.
func Halve(c *offsets.Checkpoint, w *offsets.Window, p Policy) bool {
	return divide(c, w, (w.End-w.Start)/2, p)
}

// divide replaces a window by two, the first of them length seconds long, both at
// their first page. It reports false if one of them would be shorter than the least
// length. Which of the two an ID that was seen belongs to is unknown: the first keeps
// them all, and they count for the second too (Reach).
func divide(c *offsets.Checkpoint, w *offsets.Window, length int64, p Policy) bool {
	if least := max(1, seconds(p.MinWindow)); length < least || w.End-w.Start-length < least {
		return false
	}
	i, ok := c.Find(w.Start)
	if !ok {
		return false
	}
	first, second := *w, *w
	first.End, second.Start, second.From = w.Start+length, w.Start+length, askedFrom(w.Start+length, p)
	second.Seen, second.Fresh, second.Reach, second.Opened = offsets.IDs{}, nil, 0, 0
	if first.Seen.Len() > 0 || first.Reach > 0 {
		first.Reach = max(w.Reach, w.End)
		first.Seen.Pack()
	}
	Restart(&first, p)
	Restart(&second, p)
	c.Put(i, i+1, &first, &second)
	c.Length = length
	return true
}

// leastMovable is the least length, in seconds, that a window is cut at for a second page
// because orders can leave it. An API whose pages never end says so for every window.
const leastMovable = 60

// cutPages is after how many pages a window counts as far too long. Quiet months are
// read in windows of days; the first day of a sale has more orders than all of them. A
// window that orders can leave is too long with a second page: it would be read twice.
func cutPages(w *offsets.Window, p Policy) int {
	if movable(w, p) && w.End-w.Start >= leastMovable {
		return 1
	}
	if p.Crowded {
		return 10 * manyPages(p)
	}
	return 4 * manyPages(p)
}

// Cut replaces a window that is not at its end after cutPages by a short one at its
// beginning and the rest, which Fit cuts later. It reports whether it has. How many
// orders there are is unknown: a length that is too short costs a few calls and grows
// again, one that is too long costs the pages read until then.
func Cut(c *offsets.Checkpoint, w *offsets.Window, p Policy) bool {
	part := int64(16)
	if cutPages(w, p) == 1 {
		part = 2
	}
	return w.Pass == 1 && w.Pages >= cutPages(w, p) && divide(c, w, max((w.End-w.Start)/part, seconds(p.MinWindow), 1), p)
}

// Cuts reports whether Cut replaces a window after its next page, unless that is its
// last.
func Cuts(w *offsets.Window, p Policy) bool {
	return w.Pass == 1 && w.Pages+1 >= cutPages(w, p) && w.End-w.Start >= 2*max(1, seconds(p.MinWindow))
}

// Fit cuts a window of which nothing has been read to the length that windows have by
// now, and returns the first part.
func Fit(c *offsets.Checkpoint, w *offsets.Window, p Policy) *offsets.Window {
	length := p.Clamp(c.Length)
	if w.Pass != 1 || w.Pages > 0 || w.Key != "" || w.Seen.Len() > 0 || w.Reach > 0 || (w.End-w.Start)/2 < length {
		return w
	}
	divide(c, w, length, p)
	if i, ok := c.Find(w.Start); ok {
		return c.Windows[i]
	}
	return w
}

// Finish ends the pass of a window whose last page has been read, moves the watermark,
// and drops the IDs that are not needed any more.
func Finish(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	if w.Until > w.End && w.Seen.Len() > 0 {
		c.Reached(w, w.Until)
	}
	w.Key, w.After, w.Until = "", false, 0
	w.State = offsets.Settled
	if readAgain(w, p) {
		w.State = offsets.Waiting
	}
	c.Watermark = watermark(c)
	if w.State == offsets.Waiting {
		w.Seen.Pack()
		merge(c, w, p)
	} else {
		retire(c, w, p)
	}
}

// watermark returns the end of the prefix of windows whose first pass is over. It
// never goes back, so the search begins where it is.
func watermark(c *offsets.Checkpoint) int64 {
	i, _ := slices.BinarySearchFunc(c.Windows, c.Watermark, func(w *offsets.Window, at int64) int { return cmp.Compare(w.End, at+1) })
	for ; i < len(c.Windows); i++ {
		if w := c.Windows[i]; !w.Finished() {
			return w.Start
		}
	}
	return c.Frontier()
}

// retire drops the IDs that are not needed any more once w is settled.
func retire(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	condense(c, w)
	for _, r := range slices.Clone(c.Reaching()) {
		if r.State == offsets.Settled && !reached(c, r, p) {
			c.Unreach(r)
			condense(c, r)
		}
	}
}

// reached reports whether the IDs of a window that was cut may be listed again, in any
// part of it or in the seconds at its former end.
func reached(c *offsets.Checkpoint, r *offsets.Window, p Policy) bool {
	i, _ := c.Find(r.Start)
	for ; i < len(c.Windows) && c.Windows[i].Start-lead <= r.Reach; i++ {
		if c.Windows[i].State != offsets.Settled {
			return true
		}
	}
	// The next window is not open yet.
	return c.Frontier()-lead <= r.Reach && (p.End == 0 || c.Frontier() < p.LastEnd())
}

// condense joins the row of settled windows that w stands in. The windows at its ends
// keep their IDs, which drop what the windows beside the row list for the seconds they
// share; so do windows that were cut. The rest will not be listed again: it becomes one
// window without IDs. A row at the beginning of the checkpoint keeps its right end
// only, and not that if it has no IDs.
func condense(c *offsets.Checkpoint, w *offsets.Window) {
	from, ok := c.Find(w.Start)
	if !ok {
		return
	}
	to := from + 1
	for from > 0 && c.Windows[from-1].State == offsets.Settled {
		from--
	}
	for to < len(c.Windows) && c.Windows[to].State == offsets.Settled {
		to++
	}
	row := c.Windows[from:to]
	begin, end := row[0].Start, row[len(row)-1].End
	kept := make([]*offsets.Window, 0, 6)
	var between *offsets.Window
	for _, s := range row {
		atBegin, atEnd := from > 0 && s.Start-lead <= begin, s.End >= end-lead
		switch {
		case s.Reach > 0, atBegin, atEnd && (s.Seen.Len() > 0 || len(kept) > 0):
			kept = append(kept, s)
			between = nil
		case len(kept) == 0: // nothing in front of it is read again
		case between != nil:
			between.End = s.End
		default:
			between = s
			c.Forget(s)
			kept = append(kept, s)
		}
	}
	if len(kept) < len(row) {
		c.Put(from, to, kept...)
	}
}

// Sizer makes the length of the next windows follow from what the last ones held. Its
// zero value is ready. It is not part of the checkpoint: losing it costs a call or two.
type Sizer struct {
	patience int // sparse windows in a row before the next growth; 0 counts as 1
	sparse   int // sparse windows in a row so far
}

// Adapt takes a window whose first pass is over into account. A window shorter than the
// current length says nothing about it unless it was full.
func (a *Sizer) Adapt(c *offsets.Checkpoint, w *offsets.Window, p Policy) {
	length, span := p.Clamp(c.Length), w.End-w.Start
	if movable(w, p) {
		if span >= length || w.Pages > 1 {
			c.Length = p.Clamp(oneOfPage(span, w.Seen.Len(), p.PageSize))
		}
		return
	}
	switch {
	case w.Pages > manyPages(p):
		a.sparse = 0
		if span <= length {
			c.Length = p.Clamp(max(1, span/2))
		}
	case span < length:
	case w.Pages <= fewPages(p):
		if a.sparse++; a.sparse >= max(1, a.patience) {
			a.sparse, a.patience = 0, a.patience/2
			factor := int64(2)
			if w.Seen.Len() == 0 {
				factor = 4
			}
			c.Length = p.Clamp(length * factor)
		}
	default:
		a.sparse = 0
	}
}

// oneOfPage returns the length of a window that one page lists, by what a window has
// held. Orders do not come evenly, so it aims at three quarters of a page.
func oneOfPage(span int64, orders, pageSize int) int64 {
	if orders == 0 {
		return 4 * span
	}
	return max(1, min(4*span, span*int64(max(1, pageSize*3/4))/int64(orders)))
}

// Refused notes that the API has refused a window as too full (31042): from then on it
// takes four times as many sparse windows to grow, up to 64. Each growth halves that
// number. So a shop that is dense comes back to 64 after each try of a longer window, and
// after refusals at random the windows grow faster and faster.
func (a *Sizer) Refused() {
	a.sparse = 0
	a.patience = min(64, max(2, 4*a.patience))
}
