package simulator

import "time"

// live creates a shop's orders as time passes, second by second.
type live struct {
	Live
	life life
	next int64 // the first unix second not planned yet
}

func newLive(seed uint64, c Live, now time.Time) live {
	if c.Since == 0 {
		c.Since = now.Unix()
	}
	return live{Live: c, life: newLife(c.Changes, c.ChangeWithin, time.Hour), next: int64(clamp(c.Since))}
}

// plan plans the seconds that begin by now (unix milliseconds), but not beyond the
// first planned event, which has to happen first.
func (l *live) plan(b *book, now int64) {
	if l.Rate <= 0 && (l.BurstEvery <= 0 || l.BurstSize <= 0) {
		return
	}
	for l.next*1000 <= now && (len(b.todo) == 0 || b.todo[0].at >= l.next*1000) {
		if l.Until != 0 && l.next > l.Until {
			return
		}
		for i := range l.ordersIn(b.seed, l.next) {
			b.planOrder(l.next, i)
		}
		l.next++
	}
}

// ordersIn returns the number of orders of a second.
func (l *live) ordersIn(seed uint64, second int64) int {
	n := count(mix(seed, saltLive, uint64(second)), l.Rate)
	if l.BurstEvery > 0 && second%l.BurstEvery == 0 {
		n += max(l.BurstSize, 0)
	}
	return n
}

// planOrder plans the i-th order of a second. It appears some milliseconds into the
// second.
func (b *book) planOrder(second int64, i int) {
	n := uint32(len(b.rows))
	created := clamp(second)
	h := mix(b.seed, saltLive, uint64(second), uint64(i))
	b.rows = append(b.rows, row{
		id:      b.newID(created, n),
		created: created,
		updated: created,
		buyer:   b.drawBuyer(n),
		status:  int32(birthStatuses[below(mix(h), int64(len(birthStatuses)))]),
	})
	b.todo.push(event{at: int64(created)*1000 + below(h, 1000), row: n})
}
