package connector

import (
	"context"
	"sync"
	"time"
)

const (
	// maxTurns is how many shops of a process begin to read at a time: enough to keep all
	// calls that a host allows in progress.
	maxTurns = 640
	// longestTurn is how long a turn takes at most, when the API does not answer.
	longestTurn = time.Second
)

// turns are given to shops that begin to read while they read nothing. A turn ends with
// the shop's first answer. Shops that started together are polled in the same second:
// without turns, all of them would wait for their calls deep in the client, each with
// stacks of 8 kB and more.
type turns struct {
	mu   sync.Mutex
	free int
	// queue holds what begins the turns that wait, in order. It reports whether the turn
	// is still wanted.
	queue []func(end func()) bool
}

func newTurns(n int) *turns { return &turns{free: n} }

// next calls begin, once, as soon as a turn is free: now, or from where another ends.
// begin must not block. It reports whether it takes the turn, which ends when end is
// called first, or after longestTurn.
func (t *turns) next(begin func(end func()) bool) {
	t.mu.Lock()
	if t.free == 0 {
		t.queue = append(t.queue, begin)
		t.mu.Unlock()
		return
	}
	t.free--
	t.mu.Unlock()
	t.give(begin)
}

// give gives a turn that is not free to one that wants it, or to the next in the queue.
func (t *turns) give(begin func(end func()) bool) {
	for {
		if begin != nil {
			over := sync.OnceFunc(func() { t.give(nil) })
			late := time.AfterFunc(longestTurn, over)
			if begin(func() {
				late.Stop()
				over()
			}) {
				return
			}
			late.Stop()
		}
		t.mu.Lock()
		if len(t.queue) == 0 {
			t.queue = nil
			t.free++
			t.mu.Unlock()
			return
		}
		begin = t.queue[0]
		t.queue[0] = nil
		t.queue = t.queue[1:]
		t.mu.Unlock()
	}
}

// await waits for a turn and begins it.
func (t *turns) await(ctx context.Context) (end func(), err error) {
	var mu sync.Mutex
	given, gone := make(chan func(), 1), false
	t.next(func(end func()) bool {
		mu.Lock()
		defer mu.Unlock()
		if !gone {
			given <- end
		}
		return !gone
	})
	select {
	case end = <-given:
		return end, nil
	case <-ctx.Done():
	}
	mu.Lock()
	gone = true
	mu.Unlock()
	select {
	case end = <-given:
		end()
	default:
	}
	return nil, ctx.Err()
}
