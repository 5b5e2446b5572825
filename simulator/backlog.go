package simulator

import (
	"slices"
	"time"
)

// fill creates the backlog with all changes up to now. Rows are numbered by creation,
// independent of the time, so that IDs and keys stay the same when the same shop is
// created later.
func (b *book) fill(c Backlog, now time.Time) {
	if c.To == 0 {
		c.To = now.Unix()
	}
	if c.From == 0 {
		c.From = c.To - 7*24*60*60
	}
	statuses := c.Statuses
	if len(statuses) == 0 {
		statuses = anyStatus
	}
	b.backlog = newLife(c.Changes, c.ChangeWithin, 24*time.Hour)

	seconds := b.backlogSeconds(c)
	b.rows = make([]row, len(seconds))
	b.log = make([]change, 0, len(seconds))
	b.backlogEnd = uint32(len(seconds))
	for i, created := range seconds {
		n := uint32(i)
		b.rows[i] = row{
			id:      b.newID(created, n),
			created: created,
			updated: created,
			buyer:   b.drawBuyer(n),
			status:  int32(statuses[below(mix(b.seed, saltStatus, uint64(n)), int64(len(statuses)))]),
		}
		b.replay(n)
	}

	created, updated := b.appeared(), b.appeared()
	for i, n := range created {
		r := b.rows[n]
		created[i] = entryOf(r.created, uint32(n))
		updated[i] = entryOf(r.updated, uint32(n))
	}
	slices.Sort(updated)
	b.byCreated, b.byUpdated = newIndex(created), newIndex(updated)
}

// backlogSeconds draws the creation seconds, in ascending order.
func (b *book) backlogSeconds(c Backlog) []uint32 {
	from, span := c.From, max(c.To-c.From, 0)+1
	seconds := make([]uint32, max(c.Orders, 0))
	burst := min(max(c.Bursts, 0)*max(c.BurstSize, 0), len(seconds))
	for i := range seconds {
		h := mix(b.seed, saltCreated, uint64(i))
		if i < burst {
			h = mix(b.seed, saltBurst, uint64(i/c.BurstSize))
		}
		seconds[i] = clamp(from + below(h, span))
	}
	slices.Sort(seconds)
	if len(seconds) > 1 {
		seconds[0], seconds[len(seconds)-1] = clamp(from), clamp(from+span-1)
	}
	return seconds
}

// replay applies a backlog row's changes up to now and plans the next one.
func (b *book) replay(n uint32) {
	r := &b.rows[n]
	at := int64(r.created) * 1000
	if at > b.now {
		b.todo.push(event{at: at, row: n})
		return
	}
	b.log = append(b.log, change{at: r.created, row: n, status: r.status})
	for step := int32(1); ; step++ {
		next, ok := b.backlog.next(b.seed, n, step, at)
		if !ok {
			return
		}
		if next > b.now {
			b.todo.push(event{at: next, row: n, step: step})
			return
		}
		at = next
		r.updated = second(at)
		r.status = nextStatus(r.status, mix(b.seed, uint64(n), uint64(step)))
		b.log = append(b.log, change{at: r.updated, row: n, status: r.status})
	}
}

// appeared returns the backlog rows that exist by now, as entries without time.
func (b *book) appeared() []entry {
	n := 0
	for n < len(b.rows) && int64(b.rows[n].created)*1000 <= b.now {
		n++
	}
	rows := make([]entry, n)
	for i := range rows {
		rows[i] = entry(i)
	}
	return rows
}
