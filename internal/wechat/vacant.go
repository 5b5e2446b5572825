package wechat

import (
	"context"
	"slices"
	"time"
)

const (
	// weeksBack is how many weeks are searched for an order.
	weeksBack = 8
	// vacantRounds is how often the API must list other orders and be silent
	// about a range, roundsApart.
	vacantRounds, roundsApart = 2, 15 * time.Second
	// While an API lists no orders at all it is asked again deadApart; patience
	// and blindPatience are how long that takes to be believed.
	deadApart               = 30 * time.Second
	patience, blindPatience = time.Minute, 2 * time.Hour
	// forgetAfter is when a range that no call has asked about is forgotten.
	forgetAfter = 10 * time.Minute
)

// vacancy is a range about which the API is silent, while nothing near it shows
// any orders. One call examines it for all whose ranges it holds.
type vacancy struct {
	span   span
	since  time.Time // it has been silent
	rounds int
	next   time.Time // look
	used   time.Time // by a call, last
	busy   bool      // a call is looking
	// settled says that it holds no orders, as of then.
	settled time.Time
}

func (v *vacancy) holds(q Query) bool { return v.span.start <= q.Start && q.End <= v.span.end }

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

// await waits for d, or until the vacancy that holds q has been settled or given
// up.
func (c *Client) await(ctx context.Context, q Query, d time.Duration) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, min(left, time.Second)); err != nil {
			return err
		}
		open := false
		c.shown.get(q, func(x *exhibit) {
			open = slices.ContainsFunc(x.vacancies, func(v *vacancy) bool { return v.settled.IsZero() && v.holds(q) })
		})
		if !open {
			return nil
		}
	}
}

// vacancyOf is the one under examination that holds q, a new one if there is
// none.
func (x *exhibit) vacancyOf(q Query, theirs time.Time) *vacancy {
	now := time.Now()
	x.vacancies = slices.DeleteFunc(x.vacancies, func(v *vacancy) bool { return !v.busy && now.Sub(v.used) > forgetAfter })
	for _, v := range x.vacancies {
		if v.settled.IsZero() && v.holds(q) {
			v.used = now
			return v
		}
	}
	v := &vacancy{span: around(q, theirs), since: now, used: now}
	x.vacancies = append(x.vacancies, v)
	return v
}

// vacant examines a range beside which no orders are, or a longer one that holds
// it. Where it stays unknown, pause is when to ask again, 0 = as after a failure.
func (i *inquiry) vacant(q Query, d *doubt) (h holding, pause time.Duration) {
	if i.client.vacated(q, d.since) {
		return holdsNone, 0
	}
	apart := roundsApart
	if d.mood == brief {
		apart = time.Second
	}
	now := time.Now()
	theirs, _ := i.client.host.Now()
	var v *vacancy
	mine, known := false, false
	i.client.shown.get(q, func(x *exhibit) {
		v, known = x.vacancyOf(q, theirs), x.some != span{}
		if mine = !v.busy && !v.next.After(now); mine {
			v.busy = true
		}
	})
	if !mine {
		return unknown, max(apart, patience)
	}
	looked := *v
	h, pause = i.look(q, &looked, known, apart)
	looked.busy = false
	i.client.shown.get(q, func(*exhibit) { looked.used = v.used; *v = looked })
	return h, pause
}

// around is the longest range to examine for q: the last week for what lies in
// it, so that it serves the polls of an idle shop.
func around(q Query, now time.Time) span {
	last := span{now.Unix() - widest, now.Unix()}
	switch {
	case q.Start >= last.start && q.End <= last.end:
		return last
	case q.End < last.end:
		return span{q.Start, max(q.End, min(q.Start+widest, now.Unix()))}
	}
	return span{q.Start, q.End}
}

// look asks about the vacancy once.
func (i *inquiry) look(q Query, v *vacancy, known bool, apart time.Duration) (holding, time.Duration) {
	settle := func() (holding, time.Duration) {
		v.settled = time.Now()
		return holdsNone, 0
	}
	all := i.list(q.over(v.span))
	switch {
	case !i.goesOn():
		return unknown, 0
	case all.whole && len(all.ids) == 0:
		return settle() // and says so
	case all.silence != nothing:
		// It holds orders: near ones can be found, or it is too long.
		i.client.shown.get(q, func(x *exhibit) { x.near = searching{} })
		*v = vacancy{span: span{q.Start, q.End}, since: time.Now()}
		return unknown, 0
	}
	again := q.over(v.span)
	again.PageSize = 50
	if i.elsewhere(q) {
		if i.list(again).silence != nothing || i.hinted {
			v.rounds = 0
			return unknown, 0
		}
		if v.rounds++; v.rounds >= vacantRounds {
			return settle()
		}
		v.next = time.Now().Add(apart)
		return unknown, apart
	}
	v.rounds, v.next = 0, time.Now().Add(deadApart)
	switch age := time.Since(v.since); {
	case !i.goesOn() || i.hinted:
		return unknown, 0
	case age > blindPatience,
		age > patience && !known && i.refuses(q) && !i.search(q) && !i.hinted && i.list(again).silence == nothing:
		return settle()
	case known:
		return unknown, 0
	}
	return unknown, deadApart
}

// elsewhere reports whether the API lists an order of another time right now.
func (i *inquiry) elsewhere(q Query) bool {
	var some span
	var due bool
	i.client.shown.get(q, func(x *exhibit) { some = x.some })
	if some != (span{}) {
		if i.one(q, some) || !i.goesOn() {
			return i.spoke
		}
	}
	i.client.shown.get(q, func(x *exhibit) { due = x.far.due(time.Now()) })
	return due && i.search(q)
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
