package connector

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// mostNudges bounds the nudges kept for a shop, fewNudges those of a shop that is
	// not walked here. The latest are kept: a walk that begins or continues reads up to
	// now before it waits for a nudge.
	mostNudges, fewNudges = 256, 16
	// leastNudged is the least length, in seconds, of a window opened for a nudge: a
	// shop with orders every second is not read every second.
	leastNudged = 2
	// gather is for how many seconds a nudge waits for others, so that one poll reads
	// their orders too.
	gather = 1
)

// inbox holds messages to a shop's walker from outside. It outlives walkers: the next
// one gets what arrived while none ran.
type inbox struct {
	mu     sync.Mutex
	nudges []nudge // in order of time
	walker *rest   // of the walker that runs here; nil = none does
}

// nudge is an event that the vendor has pushed.
type nudge struct {
	by    int64  // a second by which there is an order to read; see window.Policy.Nudge
	order string // its ID; empty = unknown, or any of that second
}

func byTime(a, b nudge) int { return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.order, b.order)) }

// nudge notes an event of an order at a second, and wakes the walker.
func (b *inbox) nudge(at int64, order string) {
	one := nudge{at + 1, order} // the API may exclude a window's end
	b.mu.Lock()
	_, whole := slices.BinarySearchFunc(b.nudges, nudge{by: one.by}, byTime)
	if i, known := slices.BinarySearchFunc(b.nudges, one, byTime); !whole && !known {
		b.nudges = slices.Insert(b.nudges, i, one)
	}
	b.trim()
	walker := b.walker
	b.mu.Unlock()
	if walker != nil {
		walker.wake()
	}
}

// observe notes which walker runs; nil = none.
func (b *inbox) observe(walker *rest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.walker = walker
	b.trim()
}

// trim bounds the nudges: of too many, one of each second is left. The caller holds mu.
func (b *inbox) trim() {
	most := fewNudges
	if b.walker != nil {
		most = mostNudges
	}
	if len(b.nudges) > most {
		for i := range b.nudges {
			b.nudges[i].order = ""
		}
		b.nudges = slices.Compact(b.nudges)
	}
	if n := len(b.nudges) - most; n > 0 {
		b.nudges = slices.Delete(b.nudges, 0, n)
	}
	if cap(b.nudges) > 4*most {
		b.nudges = slices.Clip(slices.Clone(b.nudges))
	}
}

// nudgedTo returns a second by which the first order after the frontier was reported,
// or a little later; 0 = none. It does not use the last one: where orders keep
// arriving, that one always is too close to now to be read. Orders that published reports
// have been listed beyond the frontier (window.Early).
func (b *inbox) nudgedTo(frontier int64, published func(order string) bool) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.nudges) == 0 {
		return 0
	}
	b.nudges = slices.DeleteFunc(b.nudges, func(n nudge) bool { return n.by <= frontier || n.order != "" && published(n.order) })
	if len(b.nudges) == 0 {
		return 0
	}
	return max(b.nudges[0].by+gather, frontier+leastNudged)
}

// history is what this process remembers of a shop from one walker to the next.
type history struct {
	mu sync.Mutex
	// since is when this process first saw the shop, unix seconds; 0 once it has a
	// checkpoint.
	since int64
	// caughtUp reports that the walk has been close to now once.
	caughtUp bool
}

// firstSeen returns when this process first saw the shop, by the local clock. If the
// shop had a checkpoint that was forgotten on purpose, it returns now.
func (h *history) firstSeen() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().Unix()
	if h.since == 0 {
		return now
	}
	return min(h.since, now)
}

// unreadSince returns when this process first saw a shop without a checkpoint; 0 = it
// has one.
func (h *history) unreadSince() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since
}

// checkpointed notes that the shop has a checkpoint.
func (h *history) checkpointed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = 0
}

func (h *history) catchUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.caughtUp = true
}

func (h *history) hasCaughtUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.caughtUp
}
