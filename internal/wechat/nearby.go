package wechat

import (
	"strings"
	"sync"
	"time"
)

const (
	// maxRange is the longest range in seconds that every reading of "7 days" allows.
	maxRange = 7*24*3600 - 1
	// A search without a result is repeated after minSearch, growing to maxSearch.
	minSearch, maxSearch = 10 * time.Minute, time.Hour
)

// evidence keeps, by filter, which ranges have listed orders. When an answer leaves
// out whether there are orders (silence.go), the client looks there for orders to
// compare with. It costs a few words for each filter; it keeps order IDs only while
// the API leaves things out.
type evidence struct {
	mu       sync.Mutex
	byFilter map[filter]*filterEvidence
}

// filter is what a query selects by, besides time.
type filter struct {
	kind   Range
	status int
	openID string
}

func (q Query) filter() filter { return filter{q.Range, q.Status, q.OpenID} }

// filterEvidence holds the latest ranges of one filter that listed orders.
type filterEvidence struct {
	withOrders span // any number of orders
	withFew    span // less than a page of orders
	// fewIDs are the IDs of all orders of withFew, for lists by creation time; nil =
	// not kept.
	fewIDs map[string]bool
	// nearSearch and farSearch limit how often withFew and withOrders are searched
	// for.
	nearSearch, farSearch searchTimer
	searched              time.Time // when the last weeks were searched without a result
	silentRanges          []*silentRange
}

type span struct{ start, end int64 }

// searchTimer limits how often a search that finds nothing is repeated.
type searchTimer struct {
	next  time.Time
	after time.Duration
}

func (s *searchTimer) due(now time.Time) bool {
	if now.Before(s.next) {
		return false
	}
	s.after = min(max(2*s.after, minSearch), maxSearch)
	s.next = now.Add(s.after)
	return true
}

// with calls look, under the lock, with the evidence for a query's filter.
func (e *evidence) with(q Query, look func(*filterEvidence)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.byFilter[q.filter()]
	if x == nil {
		x = new(filterEvidence)
		if e.byFilter == nil || len(e.byFilter) > 64 { // filters change only with the configuration
			e.byFilter = make(map[filter]*filterEvidence)
		}
		e.byFilter[filter{q.Range, q.Status, strings.Clone(q.OpenID)}] = x
	}
	look(x)
}

// note records the range of a complete page.
func (e *evidence) note(q Query, page Page) {
	if len(page.IDs) == 0 {
		return
	}
	e.with(q, func(x *filterEvidence) {
		if q.End >= x.withOrders.end {
			x.withOrders, x.farSearch = span{q.Start, q.End}, searchTimer{}
		}
		if q.Key == "" && !page.More && len(page.IDs) < 100 && q.End > x.withFew.end {
			x.withFew, x.fewIDs, x.nearSearch = span{q.Start, q.End}, nil, searchTimer{}
		}
	})
}

// Remember records a range that has listed orders before, as a checkpoint knows. While
// the API does not list these orders, an answer without orders proves nothing.
func (c *Client) Remember(q Query) {
	c.evidence.with(q, func(x *filterEvidence) {
		if q.End > x.withOrders.end {
			x.withOrders = span{q.Start, q.End}
		}
	})
}

// compareNearby lists ranges next to q's to find out whether q's range holds orders.
func (i *silenceCheck) compareNearby(q Query) holding {
	var few span
	var search bool
	i.client.evidence.with(q, func(x *filterEvidence) { few = x.withFew })
	if few != (span{}) {
		if h := i.compare(q, few); h != unknown || !i.canAsk() {
			return h
		}
	}
	i.client.evidence.with(q, func(x *filterEvidence) { search = x.nearSearch.due(time.Now()) })
	if !search {
		return unknown
	}
	now, _ := i.client.host.Now()
	for _, left := range []bool{true, false} {
		if s, found := i.findNear(q, left, now.Unix()); found && s != few {
			i.client.evidence.with(q, func(x *filterEvidence) { x.withFew, x.fewIDs, x.nearSearch = s, nil, searchTimer{} })
			return i.compare(q, s)
		}
	}
	if !i.canAsk() || i.sawNoList { // the search did not finish
		i.client.evidence.with(q, func(x *filterEvidence) { x.nearSearch = searchTimer{} })
	}
	return unknown
}

// findNear searches for a range that holds a few orders and ends where q's begins, or
// begins where q's ends. It tries ever longer ranges, then bisects between one that is
// too short and one that is too long.
func (i *silenceCheck) findNear(q Query, left bool, now int64) (s span, found bool) {
	short, long := int64(0), maxRange-(q.End-q.Start)+1 // too short, too long
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
		case !i.canAsk() || i.sawNoList:
			return s, false
		case l.shows():
			return s, true
		case l.silence == saysNothing || l.whole && len(l.ids) == 0:
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

// over returns q for the first page of another range, with the largest page size.
func (q Query) over(s span) Query {
	q.Start, q.End, q.PageSize, q.Key = s.start, s.end, 100, ""
	return q
}

// compare lists a range next to q's that holds a few orders, first without and then
// together with q's range. Update times only grow: an order that is in q's range at
// the first list is in the second one, or has moved to a time that a later window
// lists.
//
// It is not known whether a range includes the seconds at its ends. The second of q's
// start belongs to the range before, unless q asks for it (Edge). strict contains none
// of q's seconds under any reading. loose also contains those at q's near end, which
// an API that excludes both ends does not list for q; an order that may have one of
// these times proves nothing.
func (i *silenceCheck) compare(q Query, few span) holding {
	strict, loose, with := few, few, few
	before := q.Start // last second of the range before q's
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
	if with.end-with.start > maxRange {
		return unknown
	}
	var known map[string]bool
	i.client.evidence.with(q, func(x *filterEvidence) {
		if x.withFew == few && few.end <= before {
			known = x.fewIDs
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
		if i.canAsk() && others.crowded() { // withFew is far from q: search for one nearby
			i.client.evidence.with(q, func(x *filterEvidence) {
				if x.withFew == few {
					x.withFew, x.fewIDs, x.nearSearch = span{}, nil, searchTimer{}
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

// keep stores the complete list of a range. Creation times do not move, so the next
// comparison needs one list call only.
func (i *silenceCheck) keep(q Query, s span, ids []string) {
	if q.Range != CreateTime {
		return
	}
	i.client.evidence.with(q, func(x *filterEvidence) {
		if s.end < x.withFew.end {
			return
		}
		x.withFew, x.fewIDs = s, make(map[string]bool, len(ids))
		for _, id := range ids {
			x.fewIDs[strings.Clone(id)] = true
		}
	})
}

// shows reports whether the list is complete and has some orders.
func (l listing) shows() bool { return l.whole && len(l.ids) > 0 && len(l.ids) < 100 }

// crowded reports whether the range holds more orders than one page shows.
func (l listing) crowded() bool { return l.silence == complete && (!l.whole || len(l.ids) >= 100) }

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
