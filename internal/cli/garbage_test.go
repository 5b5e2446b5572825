package cli

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// TestGarbageFitsTheNumberOfShops: little while very many start, more for fewer, and what
// the user says is kept. The latest number counts.
func TestGarbageFitsTheNumberOfShops(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	now := func() int {
		n := debug.SetGCPercent(100)
		debug.SetGCPercent(n)
		return n
	}
	for _, c := range []struct{ shops, starting, then int }{
		{1, 75, 75}, {999, 75, 75}, {1000, 25, 100}, {10_000, 25, 100}, {100_000, 25, 25},
	} {
		synctest.Test(t, func(t *testing.T) {
			t.Setenv("GOGC", "")
			var g garbage
			g.tune(1)
			time.Sleep(startTime / 2)
			g.tune(c.shops)
			if n := now(); n != c.starting {
				t.Errorf("%d shops start with %d %%, want %d", c.shops, n, c.starting)
			}
			time.Sleep(startTime * 3 / 4)
			if n := now(); n != c.starting {
				t.Errorf("%d shops: %d %% while they start, want %d", c.shops, n, c.starting)
			}
			time.Sleep(startTime)
			if n := now(); n != c.then {
				t.Errorf("%d shops go on with %d %%, want %d", c.shops, n, c.then)
			}
			t.Setenv("GOGC", "200")
			g.tune(5 * c.shops)
			if n := now(); n != c.then {
				t.Errorf("GOGC of the user is %d now", n)
			}
		})
	}
}
