package connector

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fewTurns is how many shops of a process begin to read at a time. While the API answers
	// within turnTime, that allows 3,200 calls a second.
	fewTurns = 32
	turnTime = 10 * time.Millisecond
	// moreTurns is how many more there are after each turnTime in which shops wait and less
	// than fewTurns end.
	moreTurns = 16
)

// turns are given to shops that begin to read while they read nothing. A turn ends with
// the shop's first answer. Shops that started together are polled in the same second:
// without turns, all of them would hold connections, buffers and stacks of 8 kB and more at
// once. A slow API gets more of them, and one that does not answer as many as there are
// shops: a call without an answer hardly delays other shops.
type turns struct {
	mu sync.Mutex
	// few is how many turns there are at least, more how many beyond these, free how many
	// are not taken (less than zero when their number has fallen meanwhile).
	few, more, free int
	// ended is how many have ended since adjust was called.
	ended int
	// queue holds what begins the turns that wait, in order. It reports whether the turn
	// is still wanted.
	queue []func(*turn) bool
	// adjusting reports that adjust is due.
	adjusting bool
}

// turn is that of one shop. A nil turn has ended.
type turn struct {
	all   *turns
	ended atomic.Bool
}

// end ends the turn, if it has not ended.
func (t *turn) end() {
	if t != nil && t.ended.CompareAndSwap(false, true) {
		t.all.give(t.all.following())
	}
}

func newTurns(few int) *turns { return &turns{few: few, free: few} }

// next calls begin, once, as soon as a turn is free: now, or from where another ends.
// begin must not block. It reports whether it takes the turn.
func (t *turns) next(begin func(*turn) bool) {
	t.mu.Lock()
	if t.free <= 0 {
		t.queue = append(t.queue, begin)
		t.adjustLater()
		t.mu.Unlock()
		return
	}
	t.free--
	t.mu.Unlock()
	t.give(begin)
}

// give gives a turn that is taken to one that wants it, or to the next in the queue.
func (t *turns) give(begin func(*turn) bool) {
	for begin != nil && !begin(&turn{all: t}) {
		begin = t.following()
	}
}

// following returns what gets a turn that has ended; nil = the turn is free.
func (t *turns) following() func(*turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended++
	if t.free < 0 || len(t.queue) == 0 {
		if t.free++; t.more > 0 {
			t.adjustLater()
		}
		return nil
	}
	return t.first()
}

// first removes the first of the queue. The caller holds mu.
func (t *turns) first() func(*turn) bool {
	begin := t.queue[0]
	t.queue[0] = nil
	if t.queue = t.queue[1:]; len(t.queue) == 0 {
		t.queue = nil
	}
	return begin
}

// adjustLater has adjust called after turnTime. The caller holds mu.
func (t *turns) adjustLater() {
	if !t.adjusting {
		t.adjusting, t.ended = true, 0
		time.AfterFunc(turnTime, t.adjust)
	}
}

// adjust makes more turns while shops wait and few turns end, otherwise fewer. Those that
// last, of shops without an answer, count as more until they end: they would have to be
// made again for each shop that comes.
func (t *turns) adjust() {
	t.mu.Lock()
	change := moreTurns
	switch {
	case len(t.queue) == 0:
		change = -min(t.more, moreTurns, max(0, t.free))
	case t.ended >= t.few:
		change = -min(t.more, moreTurns)
	}
	t.more += change
	t.free += change
	var begins []func(*turn) bool
	for t.free > 0 && len(t.queue) > 0 {
		begins = append(begins, t.first())
		t.free--
	}
	t.adjusting = false
	if t.more > 0 && t.free > 0 || len(t.queue) > 0 {
		t.adjustLater()
	}
	t.mu.Unlock()
	for _, begin := range begins {
		t.give(begin)
	}
}

// await waits for a turn and begins it.
func (t *turns) await(ctx context.Context) (*turn, error) {
	var mu sync.Mutex
	given, gone := make(chan *turn, 1), false
	t.next(func(one *turn) bool {
		mu.Lock()
		defer mu.Unlock()
		if !gone {
			given <- one
		}
		return !gone
	})
	select {
	case one := <-given:
		return one, nil
	case <-ctx.Done():
	}
	mu.Lock()
	gone = true
	mu.Unlock()
	select {
	case one := <-given:
		one.end()
	default:
	}
	return nil, ctx.Err()
}
