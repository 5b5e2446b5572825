package wechat

import (
	"strings"
	"sync"
	"time"
)

const (
	// widest is the longest range that every reading of "7 days" allows, in seconds.
	widest = 7*24*3600 - 1
	// A search that has found nothing is made again after minSearch, growing to
	// maxSearch.
	minSearch, maxSearch = 10 * time.Minute, time.Hour
)

// exhibits is what lists have shown of orders, by filter: a place to look when
// a list is silent. It costs a few words for each filter; IDs are kept only
// where the API leaves things out.
type exhibits struct {
	mu sync.Mutex
	of map[filter]*exhibit
}

// filter is what a query selects by, besides time.
type filter struct {
	kind   Range
	status int
	openID string
}

func (q Query) filter() filter { return filter{q.Range, q.Status, q.OpenID} }

// exhibit is the latest ranges of one filter that held orders.
type exhibit struct {
	some span // any number of them
	few  span // less than a page
	// ids are all orders of few by creation time, nil = not kept.
	ids map[string]bool
	// near and far pace the searches for few and some.
	near, far searching
	searched  time.Time // the last weeks, in vain
	vacancies []*vacancy
}

type span struct{ start, end int64 }

// searching is when a search that has found nothing is made again.
type searching struct {
	next  time.Time
	after time.Duration
}

func (s *searching) due(now time.Time) bool {
	if now.Before(s.next) {
		return false
	}
	s.after = min(max(2*s.after, minSearch), maxSearch)
	s.next = now.Add(s.after)
	return true
}

// get runs look on the exhibit of a query.
func (e *exhibits) get(q Query, look func(*exhibit)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.of[q.filter()]
	if x == nil {
		x = new(exhibit)
		if e.of == nil || len(e.of) > 64 { // filters change with the configuration, seldom
			e.of = make(map[filter]*exhibit)
		}
		e.of[filter{q.Range, q.Status, strings.Clone(q.OpenID)}] = x
	}
	look(x)
}

// note takes in a page that says what it must.
func (e *exhibits) note(q Query, page Page) {
	if len(page.IDs) == 0 {
		return
	}
	e.get(q, func(x *exhibit) {
		if q.End >= x.some.end {
			x.some, x.far = span{q.Start, q.End}, searching{}
		}
		if q.Key == "" && !page.More && len(page.IDs) < 100 && q.End > x.few.end {
			x.few, x.ids, x.near = span{q.Start, q.End}, nil, searching{}
		}
	})
}

// Remember tells the client of a range that has held orders, as a checkpoint
// knows: while the API does not list them, its silence proves nothing.
func (c *Client) Remember(q Query) {
	c.shown.get(q, func(x *exhibit) {
		if q.End > x.some.end {
			x.some = span{q.Start, q.End}
		}
	})
}

// beside finds out by lists of ranges beside q's whether that one holds orders.
func (i *inquiry) beside(q Query) holding {
	var few span
	var search bool
	i.client.shown.get(q, func(x *exhibit) { few = x.few })
	if few != (span{}) {
		if h := i.compare(q, few); h != unknown || !i.goesOn() {
			return h
		}
	}
	i.client.shown.get(q, func(x *exhibit) { search = x.near.due(time.Now()) })
	if !search {
		return unknown
	}
	now, _ := i.client.host.Now()
	for _, left := range []bool{true, false} {
		if s, found := i.near(q, left, now.Unix()); found && s != few {
			i.client.shown.get(q, func(x *exhibit) { x.few, x.ids, x.near = s, nil, searching{} })
			return i.compare(q, s)
		}
	}
	if !i.goesOn() || i.hinted { // it was not in vain, it was broken off
		i.client.shown.get(q, func(x *exhibit) { x.near = searching{} })
	}
	return unknown
}

// near finds a range that ends where q's begins, or the other way round, and
// holds a few orders: ever longer ones, and then between one that is too short
// and one that is too long.
func (i *inquiry) near(q Query, left bool, now int64) (s span, found bool) {
	short, long := int64(0), widest-(q.End-q.Start)+1 // too short, too long
	if left {
		long = min(long, q.Start)
	} else {
		long = min(long, now-q.End+1)
	}
	crowded := false
	for length := int64(1); short < length && length < long; {
		if s = (span{q.End, q.End + length}); left {
			s = span{q.Start - length, q.Start}
		}
		l := i.list(q.over(s))
		switch {
		case !i.goesOn() || i.hinted:
			return s, false
		case l.shows():
			return s, true
		case l.silence == nothing || l.whole && len(l.ids) == 0:
			short = length
		default:
			long, crowded = length, true
		}
		if length = short + (long-short)/2; !crowded {
			length = min(4*short, long-1)
		}
	}
	return s, false
}

// over is the first page of another range, as long as pages are.
func (q Query) over(s span) Query {
	q.Start, q.End, q.PageSize, q.Key = s.start, s.end, 100, ""
	return q
}

// compare lists a range beside q's, which has shown a few orders, without and
// with q's. Update times only grow: what is in q's range at the first list is in
// the second one, or has moved on to where a later window lists it. Whether the
// seconds at the ends of a range count is not known. That of q's start is the
// business of the range before, unless q is about it (Edge). strict holds none of
// q's seconds whatever counts; loose holds those at q's near end too, which an API
// that counts neither end does not list for q: an order that may be of one of them
// proves nothing.
func (i *inquiry) compare(q Query, few span) holding {
	strict, loose, with := few, few, few
	before := q.Start // the last second of the range before q's
	if q.Edge {
		before--
	}
	switch {
	case few.start < before:
		strict.end, loose.end, with.end = before, q.Start+1, q.End
	case few.end > q.End+1:
		strict.start, loose.start, with.start = q.End+1, q.End-1, q.Start
	default:
		return unknown
	}
	if with.end-with.start > widest {
		return unknown
	}
	var known map[string]bool
	i.client.shown.get(q, func(x *exhibit) {
		if x.few == few && few.end <= before {
			known = x.ids
		}
	})
	if known != nil {
		if all := i.list(q.over(with)); all.shows() && within(all.ids, known) {
			i.keep(q, with, all.ids)
			return holdsNone
		}
	}
	others := i.list(q.over(strict))
	if !others.shows() {
		if i.goesOn() && others.crowded() { // it is far from q: one nearby is searched for
			i.client.shown.get(q, func(x *exhibit) {
				if x.few == few {
					x.few, x.ids, x.near = span{}, nil, searching{}
				}
			})
		}
		return unknown
	}
	all := i.list(q.over(with))
	switch {
	case !all.shows():
		return unknown
	case within(all.ids, set(others.ids)):
		i.keep(q, with, all.ids)
		return holdsNone
	}
	if others = i.list(q.over(loose)); others.shows() && within(all.ids, set(others.ids)) {
		return unknown
	}
	return holdsSome
}

// keep remembers a range of which everything is known; an order's creation time
// does not move, so that the next range takes one list.
func (i *inquiry) keep(q Query, s span, ids []string) {
	if q.Range != CreateTime {
		return
	}
	i.client.shown.get(q, func(x *exhibit) {
		if s.end < x.few.end {
			return
		}
		x.few, x.ids = s, make(map[string]bool, len(ids))
		for _, id := range ids {
			x.ids[strings.Clone(id)] = true
		}
	})
}

// shows reports whether the list is all of its range, with some orders.
func (l listing) shows() bool { return l.whole && len(l.ids) > 0 && len(l.ids) < 100 }

// crowded reports whether the range holds more orders than one list shows.
func (l listing) crowded() bool { return l.silence == whole && (!l.whole || len(l.ids) >= 100) }

func set(ids []string) map[string]bool {
	s := make(map[string]bool, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

func within(ids []string, known map[string]bool) bool {
	for _, id := range ids {
		if !known[id] {
			return false
		}
	}
	return true
}
