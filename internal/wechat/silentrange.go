package wechat

import (
	"context"
	"slices"
	"time"

	"orderwalk/internal/backoff"
)

const (
	// weeksBack is how many weeks are searched for an order.
	weeksBack = 8
	// How often, and how far apart, the API must be silent about a range while it
	// lists orders of another time. recent is for the last week of an idle shop.
	// narrow is for a range with orders around it; each wait is twice the one before,
	// because the shop waits in the middle of a busy time.
	recentRounds, recentApart = 3, 20 * time.Second
	narrowRounds, narrowApart = 5, time.Second
	// While the API lists no orders at all it is asked every deadApart, and its answer
	// is accepted after patience at the earliest.
	deadApart = 30 * time.Second
	patience  = time.Minute
	// forgetAfter is when a range that no call asks about is forgotten.
	forgetAfter = 10 * time.Minute
	// leftAfter is when a range has no examining call left: each looks at least once
	// within patience.
	leftAfter = 2 * patience
)

// silentRange is a range about which the API is silent, without any listed orders
// nearby. One call examines it on behalf of all calls whose ranges it contains.
type silentRange struct {
	span   span
	recent bool      // it is the last week
	since  time.Time // when the API was first silent
	rounds int
	next   time.Time // when to look again
	used   time.Time // when a call whose range it contains last asked
	busy   bool      // a call is examining it
	// emptyAt is when it was found to hold no orders; zero = not found yet.
	emptyAt time.Time
	heldAt  time.Time // when another list last showed an order of it
}

func (v *silentRange) holds(q Query) bool { return v.span.start <= q.Start && q.End <= v.span.end }

// concerns reports whether examining this range, which is not found empty yet, answers
// q or decides when q is looked at. The polls of an idle shop take turns, so that each
// turn answers all polls that have come meanwhile.
func (v *silentRange) concerns(q Query) bool {
	return v.emptyAt.IsZero() && (v.holds(q) || v.recent && q.Start >= v.span.start)
}

// foundEmpty reports whether a range was found to hold no orders after since, when it
// was first silent.
func (c *Client) foundEmpty(q Query, since time.Time) (yes bool) {
	if q.Key != "" {
		return false
	}
	c.evidence.with(q, func(x *filterEvidence) {
		yes = slices.ContainsFunc(x.silentRanges, func(v *silentRange) bool { return v.holds(q) && v.emptyAt.After(since) })
	})
	return yes
}

// heldOrders notes that another list has shown an order of q's range: the silence about
// what contains it was wrong so far, and what was found out from it does not count.
func (x *filterEvidence) heldOrders(q Query) {
	for _, v := range x.silentRanges {
		if v.holds(q) {
			v.rounds, v.emptyAt, v.heldAt = 0, time.Time{}, time.Now()
		}
	}
}

// await waits for d, or until the silent range that concerns q is found empty or given
// up, or there is another range to compare with.
func (c *Client) await(ctx context.Context, q Query, d time.Duration) error {
	var few span
	c.evidence.with(q, func(x *filterEvidence) { few = x.withFew })
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if err := backoff.Sleep(ctx, min(left, time.Second)); err != nil {
			return err
		}
		open := false
		c.evidence.with(q, func(x *filterEvidence) {
			open = x.withFew == few && slices.ContainsFunc(x.silentRanges, func(v *silentRange) bool { return v.concerns(q) })
		})
		if !open {
			return nil
		}
	}
}

// silentRangeOf returns the range under examination that concerns q; a new one if
// there is none, or no call examines it any more.
func (x *filterEvidence) silentRangeOf(q Query, theirs time.Time) *silentRange {
	now := time.Now()
	x.silentRanges = slices.DeleteFunc(x.silentRanges, func(v *silentRange) bool { return !v.busy && now.Sub(v.used) > forgetAfter })
	for _, v := range x.silentRanges {
		switch {
		case v.emptyAt.IsZero() && v.holds(q):
			v.used = now
			return v
		case v.concerns(q) && (v.busy || now.Sub(v.used) < leftAfter):
			return v
		}
	}
	v := &silentRange{since: now, used: now}
	v.span, v.recent = around(q, theirs)
	x.silentRanges = append(x.silentRanges, v)
	return v
}

// examine looks at a range without orders nearby, or at a longer one that contains it.
// If the result is unknown, pause is when to ask again; 0 = as after a failure.
func (i *silenceCheck) examine(q Query, d *silentCall) (h holding, pause time.Duration) {
	if i.client.foundEmpty(q, d.since) {
		return holdsNone, 0
	}
	now := time.Now()
	theirs, _ := i.client.host.Now()
	var v *silentRange
	var looked silentRange // v as this call changes it
	mine, known := false, false
	i.client.evidence.with(q, func(x *filterEvidence) {
		v, known = x.silentRangeOf(q, theirs), x.withOrders != span{}
		if mine = !v.busy && v.holds(q) && !v.next.After(now); mine {
			v.busy = true
			looked = *v
		}
	})
	if !mine {
		return unknown, patience
	}
	apart := narrowApart << looked.rounds
	if looked.recent {
		apart = recentApart
	}
	if d.mood == fewTries {
		apart = time.Second
	}
	h, pause = i.look(q, &looked, known, apart)
	looked.busy = false
	i.client.evidence.with(q, func(x *filterEvidence) {
		held := v.heldAt.After(looked.heldAt)
		looked.used, looked.heldAt = v.used, v.heldAt
		if *v = looked; held {
			x.heldOrders(q)
			h = unknown
		}
	})
	return h, pause
}

// around returns the longest range to examine for q: for q in the last week that week,
// so that one examination answers all polls of an idle shop.
func around(q Query, now time.Time) (s span, recent bool) {
	last := span{now.Unix() - maxRange, now.Unix()}
	switch {
	case q.Start >= last.start && q.End <= last.end:
		return last, true
	case q.End < last.end:
		return span{q.Start, max(q.End, min(q.Start+maxRange, now.Unix()))}, false
	}
	return span{q.Start, q.End}, false
}

// look asks about the range once.
func (i *silenceCheck) look(q Query, v *silentRange, known bool, apart time.Duration) (holding, time.Duration) {
	settle := func() (holding, time.Duration) {
		v.emptyAt = time.Now()
		return holdsNone, 0
	}
	first := q.over(v.span)
	// No request twice: a cache that holds an answer without orders would repeat it.
	first.PageSize = otherSizes(q.PageSize)[v.rounds]
	all := i.list(first)
	switch {
	case !i.canAsk():
		return unknown, 0
	case all.whole && len(all.ids) == 0:
		return settle() // the API says so
	case all.silence != saysNothing:
		return i.narrow(q, v)
	}
	switch i.speaks(q, v.span) {
	case inside:
		return i.narrow(q, v) // its silence was wrong
	case outside:
		if v.rounds++; v.rounds >= narrowRounds || v.recent && v.rounds >= recentRounds {
			return settle()
		}
		v.next = time.Now().Add(apart)
		return unknown, apart
	}
	if !i.canAsk() {
		return unknown, 0 // the round was incomplete
	}
	v.rounds, v.next = 0, time.Now().Add(deadApart)
	switch {
	case i.sawNoList:
		return unknown, 0
	case time.Since(v.since) > patience && !known && i.refuses(q) && i.searched(q) && !i.listsOne(q, v.span) && !i.sawNoList && i.canAsk():
		return settle()
	case known:
		return unknown, 0
	}
	return unknown, deadApart
}

// narrow replaces a range that holds orders by q's own: orders nearby can be found
// now, or the range was too long.
func (i *silenceCheck) narrow(q Query, v *silentRange) (holding, time.Duration) {
	i.client.evidence.with(q, func(x *filterEvidence) { x.nearSearch = searchTimer{} })
	*v = silentRange{span: span{q.Start, q.End}, since: time.Now()}
	return unknown, 0
}

// spoken is where, next to a range about which it is silent, the API lists an order.
type spoken int

const (
	nowhere spoken = iota
	outside        // at another time
	inside         // in the range: the silence was wrong
)

// speaks asks where the API lists an order right now. An order of another time proves
// that it speaks, and not that it is silent about s by mistake: where the known orders
// may be on both sides of an end of s, each side is asked about.
func (i *silenceCheck) speaks(q Query, s span) spoken {
	var at span
	var due bool
	i.client.evidence.with(q, func(x *filterEvidence) { at = x.withOrders })
	if at != (span{}) {
		if w := i.speaksOf(q, at, s); w != nowhere || !i.canAsk() {
			return w
		}
	}
	i.client.evidence.with(q, func(x *filterEvidence) { due = x.farSearch.due(time.Now()) })
	if !due || !i.search(q) {
		return nowhere
	}
	i.client.evidence.with(q, func(x *filterEvidence) { at = x.withOrders })
	return i.speaksOf(q, at, s)
}

// speaksOf asks where the API lists an order of at. The second of s's start belongs to
// the range before, as in compare.
func (i *silenceCheck) speaksOf(q Query, at, s span) spoken {
	before := s.start
	if q.Edge {
		before--
	}
	for _, part := range []struct {
		span
		where spoken
	}{
		{span{max(at.start, s.start), min(at.end, s.end)}, inside},
		{span{at.start, min(at.end, before)}, outside},
		{span{max(at.start, s.end+1), at.end}, outside},
	} {
		if part.start < part.end && i.canAsk() && i.listsOne(q, part.span) {
			return part.where
		}
	}
	return nowhere
}

// searched reports whether the last weeks have been searched recently without a
// result.
func (i *silenceCheck) searched(q Query) (yes bool) {
	i.client.evidence.with(q, func(x *filterEvidence) { yes = time.Since(x.searched) < maxSearch })
	return yes || !i.search(q) && i.canAsk() && !i.sawNoList
}

// search looks for an order in the last weeks.
func (i *silenceCheck) search(q Query) bool {
	now, _ := i.client.host.Now()
	for back := range int64(weeksBack) {
		end := now.Unix() - back*maxRange
		if end-maxRange < 1 || i.sawNoList || !i.canAsk() {
			break
		}
		if week := (span{end - maxRange, end}); i.listsOne(q, week) {
			i.client.evidence.with(q, func(x *filterEvidence) { x.withOrders, x.farSearch = week, searchTimer{} })
			return true
		}
	}
	if i.canAsk() && !i.sawNoList {
		i.client.evidence.with(q, func(x *filterEvidence) { x.searched = time.Now() })
	}
	return false
}

// listsOne requests one order of a range and reports whether the API listed one.
func (i *silenceCheck) listsOne(q Query, s span) bool {
	q = q.over(s)
	q.PageSize = 1
	i.listedOrders = false
	i.list(q)
	return i.listedOrders
}
