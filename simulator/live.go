package simulator

import "time"

// live makes a shop's orders as time passes, one second after the other.
type live struct {
	Live
	life life
	next int64 // the first unix second that is not planned yet
}

func newLive(seed uint64, c Live, now time.Time) live {
	if c.Since == 0 {
		c.Since = now.Unix()
	}
	return live{Live: c, life: newLife(c.Changes, c.ChangeWithin, time.Hour), next: int64(clamp(c.Since))}
}

// plan plans the seconds that begin by now (unix milliseconds), but not beyond
// the first event that is planned already: that has to happen first.
func (l *live) plan(b *book, now int64) {
	if l.Rate <= 0 && (l.BurstEvery <= 0 || l.BurstSize <= 0) {
		return
	}
	for l.next*1000 <= now && (len(b.todo) == 0 || b.todo[0].at >= l.next*1000) {
		if l.Until != 0 && l.next > l.Until {
			return
		}
		for i := range l.births(b.seed, l.next) {
			b.beget(l.next, i)
		}
		l.next++
	}
}

// births is how many orders a second has.
func (l *live) births(seed uint64, second int64) int {
	n := count(mix(seed, saltLive, uint64(second)), l.Rate)
	if l.BurstEvery > 0 && second%l.BurstEvery == 0 {
		n += max(l.BurstSize, 0)
	}
	return n
}

// beget plans the i-th order of a second. It appears some milliseconds into it.
func (b *book) beget(second int64, i int) {
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
