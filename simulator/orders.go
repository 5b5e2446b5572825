package simulator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// row is the current state of an order. Its index in book.rows never changes.
type row struct {
	id      uint64
	created uint32
	updated uint32 // time of the latest change, the only one that lists show
	shown   uint32 // lists hide the order before this second
	buyer   uint32 // see book.openID
	status  int32
}

// change records a row's new update time.
type change struct {
	at     uint32
	row    uint32
	status int32
}

// book holds a shop's orders in memory, about 70 bytes each. It is not safe for
// concurrent use.
type book struct {
	seed uint64
	rows []row
	// byCreated and byUpdated hold the rows that have appeared.
	byCreated, byUpdated index
	log                  []change
	todo                 events
	added                map[uint64]uint32 // rows of orders added with Server.Add, by ID
	buyers               []string          // openids of added orders
	openIDPrefix         string            // prefix of all other openids
	now                  int64             // time up to which events have happened, unix milliseconds
	backlog              life              // applies to the rows before backlogEnd
	backlogEnd           uint32
	live                 live
}

func newBook(seed uint64, shop Shop, now time.Time) *book {
	b := &book{
		seed:         seed,
		now:          now.UnixMilli(),
		added:        map[uint64]uint32{},
		openIDPrefix: fmt.Sprintf("oSIM%016x", mix(seed, saltBuyer)),
	}
	b.fill(shop.Backlog, now)
	b.live = newLive(seed, shop.Live, now)
	return b
}

// play makes all events up to now happen. Time does not go back: what has appeared
// stays.
func (b *book) play(now time.Time) {
	ms := now.UnixMilli()
	if ms < b.now {
		return
	}
	b.now = ms
	for {
		b.live.plan(b, ms)
		if len(b.todo) == 0 || b.todo[0].at > ms {
			return
		}
		b.happen(b.todo.pop())
	}
}

func (b *book) happen(e event) {
	r := &b.rows[e.row]
	switch {
	case e.step == 0:
		b.appear(e.row)
		b.planNext(e.row, 1, e.at)
	case e.status != 0:
		b.alter(e.row, max(second(e.at), r.updated), e.status)
	default:
		b.alter(e.row, max(second(e.at), r.updated), nextStatus(r.status, mix(b.seed, uint64(e.row), uint64(e.step))))
		b.planNext(e.row, e.step+1, e.at)
	}
}

// appear adds a row to the indexes.
func (b *book) appear(n uint32) {
	r := &b.rows[n]
	b.byCreated.insert(entryOf(r.created, n))
	b.byUpdated.insert(entryOf(r.updated, n))
	b.log = append(b.log, change{at: r.updated, row: n, status: r.status})
}

// alter changes a row that has appeared; at is not before its last change.
func (b *book) alter(n, at uint32, status int32) {
	r := &b.rows[n]
	b.log = append(b.log, change{at: at, row: n, status: status})
	r.status = status
	if at == r.updated {
		return
	}
	b.byUpdated.remove(entryOf(r.updated, n))
	r.updated = at
	b.byUpdated.insert(entryOf(at, n))
}

// planNext plans the row's step-th change, if it has that many.
func (b *book) planNext(n uint32, step int32, after int64) {
	if at, ok := b.lifeOf(n).next(b.seed, n, step, after); ok {
		b.todo.push(event{at: at, row: n, step: step})
	}
}

func (b *book) lifeOf(n uint32) life {
	if n < b.backlogEnd {
		return b.backlog
	}
	if own, ok := b.added[b.rows[n].id]; ok && own == n {
		return life{} // changes by Server.Update only
	}
	return b.live.life
}

// add adds an order for Server.Add.
func (b *book) add(o Order) error {
	now := b.now / 1000
	if o.Created == 0 {
		o.Created = now
	}
	if o.Updated == 0 {
		o.Updated = o.Created
	}
	if o.Status == 0 {
		o.Status = statusToPay
	}
	id, err := parseID(o.ID)
	if err != nil {
		return err
	}
	if _, ok := b.rowOf(id); ok {
		return fmt.Errorf("order %s exists already", o.ID)
	}
	if o.Updated < o.Created {
		return errors.New("an order cannot be updated before it is created")
	}
	for _, at := range []int64{o.Created, o.Updated, o.VisibleAt} {
		if at < 0 || at > math.MaxUint32 {
			return fmt.Errorf("%d is not a time in unix seconds", at)
		}
	}
	if o.Status < 0 || o.Status > math.MaxInt32 {
		return fmt.Errorf("%d is not a status", o.Status)
	}
	n := uint32(len(b.rows))
	r := row{
		id: id, created: uint32(o.Created), updated: uint32(o.Updated), shown: uint32(o.VisibleAt),
		buyer: b.buyerOf(o.OpenID, true), status: int32(o.Status),
	}
	later := o.Updated > now
	if later {
		r.updated = r.created
	}
	b.rows = append(b.rows, r)
	b.added[id] = n
	if o.Created > now {
		b.todo.push(event{at: o.Created * 1000, row: n})
	} else {
		b.appear(n)
	}
	if later && o.Updated > o.Created {
		b.todo.push(event{at: o.Updated * 1000, row: n, step: 1, status: r.status})
	}
	return nil
}

// change changes an order at a second, which may be in the future.
func (b *book) change(id string, at int64, status int) error {
	number, err := parseID(id)
	if err != nil {
		return err
	}
	n, ok := b.rowOf(number)
	if !ok {
		return fmt.Errorf("order %s does not exist", id)
	}
	if at == 0 {
		at = b.now / 1000
	}
	r := b.rows[n]
	switch {
	case at < int64(r.created) || at < int64(r.updated):
		return fmt.Errorf("order %s has changed since %d", id, at)
	case at > math.MaxUint32:
		return fmt.Errorf("%d is not a time in unix seconds", at)
	case status < 1 || status > math.MaxInt32:
		return fmt.Errorf("%d is not a status", status)
	}
	if at*1000 > b.now {
		b.todo.push(event{at: at * 1000, row: n, step: math.MaxInt32, status: int32(status)})
		return nil
	}
	if _, _, there := b.byCreated.find(entryOf(r.created, n)); !there {
		return fmt.Errorf("order %s has not appeared yet", id)
	}
	b.alter(n, uint32(at), int32(status))
	return nil
}

// orders returns the orders that exist and were created up to a second, by creation.
func (b *book) orders(until int64) []Order {
	out := []Order{}
	b.byCreated.ascend(0, entryOf(clamp(until), noRow), func(e entry) bool {
		r := b.rows[e.row()]
		out = append(out, Order{
			ID: formatID(r.id), Created: int64(r.created), Updated: int64(r.updated),
			Status: int(r.status), OpenID: b.openID(r.buyer), VisibleAt: int64(r.shown),
		})
		return true
	})
	return out
}

// changes returns the changes within [from, until], by time.
func (b *book) changes(from, until int64) []Change {
	out := []Change{}
	for _, c := range b.log {
		if int64(c.at) >= from && int64(c.at) <= until {
			out = append(out, Change{ID: formatID(b.rows[c.row].id), At: int64(c.at), Status: int(c.status)})
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int { return int(a.At - b.At) })
	return out
}

func parseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil || formatID(id) != text {
		return 0, fmt.Errorf("%q is not an order ID: want a decimal number of up to 63 bits", text)
	}
	return id, nil
}

func formatID(id uint64) string { return strconv.FormatUint(id, 10) }

// second returns the unix second of a unix millisecond.
func second(ms int64) uint32 { return clamp(ms / 1000) }

// clamp limits unix seconds to the years that the book can hold, 1970 to 2106.
func clamp(seconds int64) uint32 { return uint32(min(max(seconds, 0), math.MaxUint32)) }
