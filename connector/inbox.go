package connector

import (
	"slices"
	"sync"
	"time"
)

const (
	// mostNudges bounds the seconds that a shop is to be looked at, fewNudges those
	// of a shop that is not walked here. The latest are kept: a walk that begins, or
	// goes on, reads up to now before it waits for one of them.
	mostNudges, fewNudges = 256, 16
	// leastNudged is how long a window is that is read for an order the vendor has
	// pushed an event of: a shop with orders at every second is not read every second.
	leastNudged = 2
)

// inbox is what a shop's walker hears from outside. It outlives walkers: the next one
// hears what has come while none ran.
type inbox struct {
	wake chan struct{} // poked when there is something new

	mu     sync.Mutex
	nudges []int64 // there are orders before these seconds, in order; see window.Policy.Nudge
	walked bool    // a walker runs here
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// nudge takes in that something has happened to an order at a second, and wakes the
// walker.
func (b *inbox) nudge(at int64) {
	b.mu.Lock()
	// A window's end may be outside of it.
	if i, known := slices.BinarySearch(b.nudges, at+1); !known {
		b.nudges = slices.Insert(b.nudges, i, at+1)
	}
	b.trim()
	b.mu.Unlock()
	poke(b.wake)
}

// observe notes whether a walker runs.
func (b *inbox) observe(walked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.walked = walked
	b.trim()
}

// trim bounds the nudges. The caller holds mu.
func (b *inbox) trim() {
	most := fewNudges
	if b.walked {
		most = mostNudges
	}
	if n := len(b.nudges) - most; n > 0 {
		b.nudges = slices.Delete(b.nudges, 0, n)
	}
	if cap(b.nudges) > 4*most {
		b.nudges = slices.Clip(slices.Clone(b.nudges))
	}
}

// nudgedTo returns the second of the first order behind the frontier that the vendor
// has pushed an event of, or a little later; 0 if there is none. Not that of the last
// one: where orders keep coming, that is always too near to be read.
func (b *inbox) nudgedTo(frontier int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nudges = slices.DeleteFunc(b.nudges, func(at int64) bool { return at <= frontier })
	if len(b.nudges) == 0 {
		return 0
	}
	return max(b.nudges[0], frontier+leastNudged)
}

// history is what this process remembers of a shop from one walker to the next.
type history struct {
	mu sync.Mutex
	// since is when this process came to know the shop, unix seconds; 0 once it has a
	// checkpoint.
	since int64
	// caughtUp reports that the walk has once come close to now.
	caughtUp bool
}

// firstSeen returns when this process came to know the shop, by the local clock, as
// long as no checkpoint of it is known; then it is now, for a shop whose checkpoint
// was forgotten on purpose.
func (h *history) firstSeen() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().Unix()
	if h.since == 0 {
		return now
	}
	return min(h.since, now)
}

// unreadSince returns when this process came to know a shop without a checkpoint; 0
// of one that has one.
func (h *history) unreadSince() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since
}

// checkpointed notes that there is a checkpoint of the shop.
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
