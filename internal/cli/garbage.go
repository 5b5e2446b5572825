package cli

import (
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// garbage sets GOGC for the number of shops, unless the user has set it: the garbage, in per
// cent of the live heap, at which a collection starts.
type garbage struct {
	mu    sync.Mutex
	later *time.Timer // sets the value for shops that have started
}

// startTime is how long very many shops take to start, at most.
const startTime = time.Minute

// tune sets GOGC for shops that start now.
func (g *garbage) tune(shops int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	starting, then := garbageOf(shops)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.later != nil {
		g.later.Stop()
	}
	debug.SetGCPercent(starting)
	g.later = time.AfterFunc(startTime, func() { debug.SetGCPercent(then) })
}

// garbageOf returns GOGC while shops start, and after that.
//
// A backfill's heap is mostly long-lived buffers, so a slightly lower value than Go's keeps
// the memory of a small pod low. The live heap of thousands of shops is many small objects,
// about 7 kB a shop. Most of their garbage is made while all of them start; a collection
// then costs little beside the start itself. Later, polls make garbage all the time, and
// less frequent collections save CPU: there may be as much of it as 10,000 shops have live.
func garbageOf(shops int) (starting, then int) {
	const least, few, most = 25, 75, 100
	if shops < 1000 {
		return few, few
	}
	return least, min(most, max(least, 1_000_000/shops))
}
