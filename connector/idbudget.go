package connector

import (
	"math"
	"runtime/debug"
	"sync/atomic"

	"orderwalk/connector/window"
	"orderwalk/offsets"
)

// idBudget bounds how many order IDs the shops of a process hold in memory. It is
// soft: each shop may always read one window, so that it goes on, and what waits
// for a second pass has to be kept. While there is no room, windows beside the
// first one of a shop are not begun, and windows are kept short.
type idBudget struct {
	most int64 // in the process
	held atomic.Int64
}

const (
	// bytesPerID is what an ID takes in a set that grows, its share of the
	// garbage included.
	bytesPerID = 16
	// mostIDBytes is the budget of a process without a memory limit.
	mostIDBytes = 256 << 20
)

// newIDBudget gives IDs a quarter of the memory that the process may have
// (GOMEMLIMIT).
func newIDBudget() *idBudget {
	limit := debug.SetMemoryLimit(-1) // which only asks
	if limit == math.MaxInt64 {
		limit = 4 * mostIDBytes
	}
	return &idBudget{most: min(limit/4, mostIDBytes) / bytesPerID}
}

// crowded reports whether the process holds as many IDs as it may.
func (b *idBudget) crowded() bool { return b.held.Load() >= b.most }

// full reports whether one shop has a quarter of the budget in windows that it
// reads or has divided. What waits for a second pass does not count: to wait with
// new windows would not make it less.
func (b *idBudget) full(c *offsets.Checkpoint) bool {
	var n int64
	for _, w := range c.Open() {
		n += int64(w.Seen.Len())
	}
	for _, w := range c.Reaching() {
		if w.State != offsets.Open {
			n += int64(w.Seen.Len())
		}
	}
	return n >= b.most/4
}

// count brings the budget up to what the walker's checkpoint holds. The caller
// holds mu.
func (w *walker) count() {
	held := int64(w.state.Held())
	w.ids.held.Add(held - w.counted)
	w.counted = held
}

// uncount gives back what the walker has of the budget, once its checkpoint is
// let go.
func (w *walker) uncount() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids.held.Add(-w.counted)
	w.counted = 0
}

// policy is the shop's, as the process has room for it now and the API has shown
// itself. The caller holds mu.
func (w *walker) policy() window.Policy {
	p := w.shop.Policy
	p.Crowded, p.Tight = w.ids.crowded(), w.tight
	return p
}
