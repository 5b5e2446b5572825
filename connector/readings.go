package connector

import (
	"context"
	"sync"

	"orderwalk/offsets"
)

// readings answer what is committed of shops whose lanes another worker may own. To read
// a lane for one shop takes about as long as for all of them, so questions that come while
// a lane is read share the next reading of it, and a lane is read once at a time. A
// question is answered by a reading that began after it.
//
// The zero value is ready. Shops of an answer are shared, so they must not be changed.
type readings struct {
	mu sync.Mutex
	// next is the reading of each lane that has not begun, latest the one that began last
	// or is to begin.
	next, latest map[int]*reading
}

// reading is one reading of a lane.
type reading struct {
	shops   map[offsets.Partition]bool // asked for; fixed once it begins
	waiting int                        // questions; without one, it is given up
	giveUp  context.CancelFunc
	over    chan struct{}
	found   offsets.Lane
	err     error
}

// of reads what is committed of a source partition in a lane.
func (r *readings) of(ctx context.Context, l *lane, p offsets.Partition) (offsets.Lane, error) {
	r.mu.Lock()
	one := r.next[l.number]
	if one == nil {
		one = r.begin(ctx, l)
	}
	one.shops[p] = true
	one.waiting++
	r.mu.Unlock()
	select {
	case <-one.over:
		return one.found, one.err
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if one.waiting--; one.waiting == 0 {
		one.giveUp()
		r.begun(l.number, one) // no further question joins it
	}
	return offsets.Lane{}, ctx.Err()
}

// begin has a lane read as soon as it is not read. The caller holds mu.
func (r *readings) begin(ctx context.Context, l *lane) *reading {
	ctx, giveUp := context.WithCancel(context.WithoutCancel(ctx)) // it is not only for the first question
	one := &reading{shops: make(map[offsets.Partition]bool), giveUp: giveUp, over: make(chan struct{})}
	if r.next == nil {
		r.next, r.latest = make(map[int]*reading), make(map[int]*reading)
	}
	before := r.latest[l.number]
	r.next[l.number], r.latest[l.number] = one, one
	go func() {
		defer giveUp()
		defer close(one.over)
		if before != nil {
			<-before.over
		}
		r.mu.Lock()
		r.begun(l.number, one)
		r.mu.Unlock()
		one.found, _, one.err = l.load(ctx, func(p offsets.Partition) bool { return one.shops[p] })
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.latest[l.number] == one {
			delete(r.latest, l.number)
		}
	}()
	return one
}

// begun notes that no further question joins a reading. The caller holds mu.
func (r *readings) begun(lane int, one *reading) {
	if r.next[lane] == one {
		delete(r.next, lane)
	}
}
