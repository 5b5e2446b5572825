package simulator

import (
	"slices"
	"strconv"
	"time"
)

// page is the result of a valid list call.
type page struct {
	ids     []uint64
	next    *string // nil = absent
	hasMore bool
}

// filter selects the rows of an index that a query matches.
type filter struct {
	book   *book
	now    int64 // unix milliseconds
	lag    int64 // milliseconds
	buyer  uint32
	status *int64
	cross  *Range // range of update times, for a query with both ranges
	// endExclusive and startExclusive apply to cross, as to the range of the index.
	endExclusive, startExclusive bool
}

func (f *filter) match(e entry) bool {
	r := &f.book.rows[e.row()]
	switch {
	case int64(r.shown)*1000 > f.now,
		f.lag > 0 && f.late(e),
		f.status != nil && int64(r.status) != *f.status,
		f.buyer != 0 && r.buyer != f.buyer:
		return false
	case f.cross != nil:
		at := int64(r.updated)
		if at < f.cross.Start || at > f.cross.End || f.endExclusive && at == f.cross.End || f.startExclusive && at == f.cross.Start {
			return false
		}
		return f.lag == 0 || !f.late(entryOf(r.updated, e.row()))
	}
	return true
}

// late reports whether a row is not visible yet under the second in e.
func (f *filter) late(e entry) bool {
	lag := below(mix(f.book.seed, saltLag, uint64(e)), f.lag+1)
	return int64(e.second())*1000+lag > f.now
}

// selection describes a query's rows: an index, a part of it, a filter.
type selection struct {
	index  *index
	lo, hi entry
	empty  bool // no rows; lo and hi are unset
	desc   bool
	filter filter
}

func (b *book) selection(q query, f *Faults, now time.Time) selection {
	s := selection{
		index: &b.byCreated,
		filter: filter{
			book: b, now: now.UnixMilli(), lag: f.VisibilityLag.Milliseconds(),
			buyer: b.buyerOf(q.openID, false), status: q.status, endExclusive: f.EndExclusive, startExclusive: f.StartExclusive,
		},
		desc: f.Order == "desc",
	}
	r := q.create
	switch {
	case q.create == nil:
		s.index, r = &b.byUpdated, q.update
	case q.update != nil:
		s.filter.cross = q.update
		s.empty = f.BothRanges == "empty"
	}
	start, end := r.Start, r.End
	if f.StartExclusive {
		start++
	}
	if f.EndExclusive {
		end--
	}
	s.empty = s.empty || r.Start == r.End && f.PointRange == "empty" || end < start || start != int64(clamp(start))
	s.lo, s.hi = entryOf(clamp(start), 0), entryOf(clamp(end), noRow)
	return s
}

// walk visits the matching rows in the selection's order.
func (s *selection) walk(visit func(entry) bool) {
	if s.empty || s.lo > s.hi {
		return
	}
	matching := func(e entry) bool { return !s.filter.match(e) || visit(e) }
	if s.desc {
		s.index.descend(s.lo, s.hi, matching)
	} else {
		s.index.ascend(s.lo, s.hi, matching)
	}
}

// exceeds reports whether more than n rows match.
func (s *selection) exceeds(n int) bool {
	s.walk(func(entry) bool { n--; return n >= 0 })
	return n < 0
}

// resume restricts the selection to the rows after the last listed one; with repeat it
// includes that row.
func (s *selection) resume(last entry, repeat bool) {
	switch {
	case s.desc && repeat:
		s.hi = min(s.hi, last)
	case s.desc && last == 0, !s.desc && last == ^entry(0):
		s.empty = true
	case s.desc:
		s.hi = min(s.hi, last-1)
	case repeat:
		s.lo = max(s.lo, last)
	default:
		s.lo = max(s.lo, last+1)
	}
}

// collect returns up to n rows after skipping some, and whether there are more.
func (s *selection) collect(skip uint64, n int) (rows []entry, more bool) {
	rows = make([]entry, 0, n)
	s.walk(func(e entry) bool {
		switch {
		case skip > 0:
			skip--
		case len(rows) == n:
			more = true
			return false
		default:
			rows = append(rows, e)
		}
		return true
	})
	return rows, more
}

// shuffle reorders a page, for a service without a stable order.
func shuffle(ids []uint64, seed uint64) {
	for i := len(ids) - 1; i > 0; i-- {
		j := int(below(mix(seed, saltShuffle, uint64(i)), int64(i+1)))
		ids[i], ids[j] = ids[j], ids[i]
	}
}

// appendJSON encodes the answer to a list call.
func (p page) appendJSON(b []byte, f *Faults) []byte {
	b = slices.Grow(b, 160+22*len(p.ids))
	b = append(b, `{"errcode":0,"errmsg":"ok"`...)
	switch {
	case len(p.ids) > 0 || f.OrderIDList == "" || f.OrderIDList == "empty":
		b = append(b, `,"order_id_list":[`...)
		for i, id := range p.ids {
			if i > 0 {
				b = append(b, ',')
			}
			if f.IDsAsNumber {
				b = strconv.AppendUint(b, id, 10)
				continue
			}
			b = append(b, '"')
			b = strconv.AppendUint(b, id, 10)
			b = append(b, '"')
		}
		b = append(b, ']')
	case f.OrderIDList == "null":
		b = append(b, `,"order_id_list":null`...)
	}
	if p.next != nil {
		b = append(b, `,"next_key":"`...)
		b = append(b, *p.next...) // base64 needs no escaping, nor does a key that openKey accepted
		b = append(b, '"')
	}
	return append(appendMore(b, p.hasMore, f.HasMore), '}')
}

// appendMore encodes has_more in the form of the has_more switch.
func appendMore(b []byte, more bool, form string) []byte {
	if form == "absent" && !more {
		return b
	}
	b = append(b, `,"has_more":`...)
	switch {
	case form == "number" && more:
		return append(b, '1')
	case form == "number":
		return append(b, '0')
	case form == "text":
		return strconv.AppendQuote(b, strconv.FormatBool(more))
	}
	return strconv.AppendBool(b, more)
}
