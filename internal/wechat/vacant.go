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
	// How often the API must be silent about a range and list other orders, and
	// how far apart: about the last week of an idle shop, and about a range that
	// has orders around it. Of the latter each time is twice the one before: a shop
	// waits for it in the middle of a busy time.
	recentRounds, recentApart = 3, 20 * time.Second
	narrowRounds, narrowApart = 5, time.Second
	// While an API lists no orders at all it is asked again deadApart; patience
	// and blindPatience are how long that takes to be believed.
	deadApart               = 30 * time.Second
	patience, blindPatience = time.Minute, 2 * time.Hour
	// forgetAfter is when a range that no call has asked about is forgotten.
	forgetAfter = 10 * time.Minute
	// leftAfter is when no call is left that examines a vacancy: each looks at least
	// once within patience.
	leftAfter = 2 * patience
)

// vacancy is a range about which the API is silent, while nothing near it shows
// any orders. One call examines it for all whose ranges it holds.
type vacancy struct {
	span   span
	recent bool      // it is the last week
	since  time.Time // it has been silent
	rounds int
	next   time.Time // look
	used   time.Time // by a call whose range it holds, last
	busy   bool      // a call is looking
	// settled says that it holds no orders, as of then.
	settled time.Time
}

func (v *vacancy) holds(q Query) bool { return v.span.start <= q.Start && q.End <= v.span.end }

// concerns reports whether what is found out of the vacancy, which is not
// settled, serves q or decides when it is looked at: the polls of an idle shop
// take turns, so that each turn serves all that have come meanwhile.
func (v *vacancy) concerns(q Query) bool {
	return v.settled.IsZero() && (v.holds(q) || v.recent && q.Start >= v.span.start)
}

// vacated reports whether a range was found to hold no orders after it was
// silent first.
func (c *Client) vacated(q Query, since time.Time) (yes bool) {
	if q.Key != "" {
		return false
	}
	c.shown.get(q, func(x *exhibit) {
		yes = slices.ContainsFunc(x.vacancies, func(v *vacancy) bool { return v.holds(q) && v.settled.After(since) })
	})
	return yes
}

// await waits for d, or until the vacancy that concerns q has been settled or
// given up, or there is another range to compare q's with.
func (c *Client) await(ctx context.Context, q Query, d time.Duration) error {
	var few span
	c.shown.get(q, func(x *exhibit) { few = x.few })
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if err := backoff.Sleep(ctx, min(left, time.Second)); err != nil {
			return err
		}
		open := false
		c.shown.get(q, func(x *exhibit) {
			open = x.few == few && slices.ContainsFunc(x.vacancies, func(v *vacancy) bool { return v.concerns(q) })
		})
		if !open {
			return nil
		}
	}
}

// vacancyOf is the one under examination that concerns q, a new one if there is
// none, or none that anybody examines.
func (x *exhibit) vacancyOf(q Query, theirs time.Time) *vacancy {
	now := time.Now()
	x.vacancies = slices.DeleteFunc(x.vacancies, func(v *vacancy) bool { return !v.busy && now.Sub(v.used) > forgetAfter })
	for _, v := range x.vacancies {
		switch {
		case v.settled.IsZero() && v.holds(q):
			v.used = now
			return v
		case v.concerns(q) && (v.busy || now.Sub(v.used) < leftAfter):
			return v
		}
	}
	v := &vacancy{since: now, used: now}
	v.span, v.recent = around(q, theirs)
	x.vacancies = append(x.vacancies, v)
	return v
}

// vacant examines a range beside which no orders are, or a longer one that holds
// it. Where it stays unknown, pause is when to ask again, 0 = as after a failure.
func (i *inquiry) vacant(q Query, d *doubt) (h holding, pause time.Duration) {
	if i.client.vacated(q, d.since) {
		return holdsNone, 0
	}
	now := time.Now()
	theirs, _ := i.client.host.Now()
	var v *vacancy
	mine, known := false, false
	i.client.shown.get(q, func(x *exhibit) {
		v, known = x.vacancyOf(q, theirs), x.some != span{}
		if mine = !v.busy && v.holds(q) && !v.next.After(now); mine {
			v.busy = true
		}
	})
	if !mine {
		return unknown, patience
	}
	apart := narrowApart << v.rounds
	if v.recent {
		apart = recentApart
	}
	if d.mood == brief {
		apart = time.Second
	}
	looked := *v
	h, pause = i.look(q, &looked, known, apart)
	looked.busy = false
	i.client.shown.get(q, func(*exhibit) { looked.used = v.used; *v = looked })
	return h, pause
}

// around is the longest range to examine for q: the last week for what lies in
// it, so that it serves the polls of an idle shop.
func around(q Query, now time.Time) (s span, recent bool) {
	last := span{now.Unix() - widest, now.Unix()}
	switch {
	case q.Start >= last.start && q.End <= last.end:
		return last, true
	case q.End < last.end:
		return span{q.Start, max(q.End, min(q.Start+widest, now.Unix()))}, false
	}
	return span{q.Start, q.End}, false
}

// look asks about the vacancy once.
func (i *inquiry) look(q Query, v *vacancy, known bool, apart time.Duration) (holding, time.Duration) {
	settle := func() (holding, time.Duration) {
		v.settled = time.Now()
		return holdsNone, 0
	}
	first := q.over(v.span)
	if v.rounds%2 == 1 {
		first.PageSize = 50
	}
	all := i.list(first)
	switch {
	case !i.goesOn():
		return unknown, 0
	case all.whole && len(all.ids) == 0:
		return settle() // and says so
	case all.silence != nothing:
		return i.narrow(q, v)
	}
	spoke, at := i.elsewhere(q)
	switch {
	case spoke && v.span.start <= at.start && at.end <= v.span.end:
		return i.narrow(q, v) // its silence was no answer
	case spoke:
		if v.rounds++; v.rounds >= narrowRounds || v.recent && v.rounds >= recentRounds {
			return settle()
		}
		v.next = time.Now().Add(apart)
		return unknown, apart
	}
	if !i.goesOn() {
		return unknown, 0 // this round does not count
	}
	v.rounds, v.next = 0, time.Now().Add(deadApart)
	switch age := time.Since(v.since); {
	case i.hinted:
		return unknown, 0
	case age > blindPatience,
		age > patience && !known && i.refuses(q) && i.searched(q) && !i.one(q, v.span) && !i.hinted && i.goesOn():
		return settle()
	case known:
		return unknown, 0
	}
	return unknown, deadApart
}

// narrow gives a vacancy up that holds orders, for one of q's own range: near
// orders can be found now, or it was too long.
func (i *inquiry) narrow(q Query, v *vacancy) (holding, time.Duration) {
	i.client.shown.get(q, func(x *exhibit) { x.near = searching{} })
	*v = vacancy{span: span{q.Start, q.End}, since: time.Now()}
	return unknown, 0
}

// elsewhere reports whether the API lists an order of another time right now,
// and of which.
func (i *inquiry) elsewhere(q Query) (spoke bool, at span) {
	var due bool
	i.client.shown.get(q, func(x *exhibit) { at = x.some })
	if at != (span{}) {
		if i.one(q, at) || !i.goesOn() {
			return i.spoke, at
		}
	}
	i.client.shown.get(q, func(x *exhibit) { due = x.far.due(time.Now()) })
	if due && i.search(q) {
		i.client.shown.get(q, func(x *exhibit) { at = x.some })
		return true, at
	}
	return false, span{}
}

// searched reports whether the last weeks have been searched lately, in vain.
func (i *inquiry) searched(q Query) (yes bool) {
	i.client.shown.get(q, func(x *exhibit) { yes = time.Since(x.searched) < maxSearch })
	return yes || !i.search(q) && i.goesOn() && !i.hinted
}

// search looks for an order in the last weeks.
func (i *inquiry) search(q Query) bool {
	now, _ := i.client.host.Now()
	for back := range int64(weeksBack) {
		end := now.Unix() - back*widest
		if end-widest < 1 || i.hinted || !i.goesOn() {
			break
		}
		if week := (span{end - widest, end}); i.one(q, week) {
			i.client.shown.get(q, func(x *exhibit) { x.some, x.far = week, searching{} })
			return true
		}
	}
	if i.goesOn() && !i.hinted {
		i.client.shown.get(q, func(x *exhibit) { x.searched = time.Now() })
	}
	return false
}

// one asks for one order of a range, and reports whether it listed one.
func (i *inquiry) one(q Query, s span) bool {
	q = q.over(s)
	q.PageSize = 1
	i.spoke = false
	i.list(q)
	return i.spoke
}
