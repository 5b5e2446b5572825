package connector

import (
	"math"
	"runtime/debug"
	"sync/atomic"

	"orderwalk/offsets"
)

// idBudget bounds the order IDs that the shops of a process hold in memory. The limit
// is soft: each shop may always read one window, and IDs that wait for a second pass
// must be kept. While the limit is reached, no window beyond a shop's first is started,
// and windows are kept short.
type idBudget struct {
	most int64 // soft limit
	held atomic.Int64
}

const (
	// bytesPerID is the memory of an ID in a growing set, with its share of the
	// garbage.
	bytesPerID = 16
	// mostIDBytes is the limit, and a quarter of the memory assumed for a process
	// without GOMEMLIMIT.
	mostIDBytes = 256 << 20
)

// newIDBudget gives IDs a quarter of the memory that the process may use (GOMEMLIMIT),
// and no more than mostIDBytes.
func newIDBudget() *idBudget {
	limit := debug.SetMemoryLimit(-1) // −1 only reads the limit
	if limit == math.MaxInt64 {
		limit = 4 * mostIDBytes
	}
	return &idBudget{most: min(limit/4, mostIDBytes) / bytesPerID}
}

// crowded reports whether the process holds as many IDs as it may.
func (b *idBudget) crowded() bool { return b.held.Load() >= b.most }

// full reports whether one shop holds a quarter of the budget in windows that it reads
// or has divided. IDs that wait for a second pass do not count: to delay new windows
// would not reduce them.
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

// count updates the budget to the IDs of the walker's checkpoint. The caller holds mu.
func (w *walker) count() {
	held := int64(w.state.Held())
	w.ids.held.Add(held - w.counted)
	w.counted = held
}

// uncount returns the walker's IDs to the budget, when its checkpoint is dropped.
func (w *walker) uncount() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids.held.Add(-w.counted)
	w.counted = 0
}
