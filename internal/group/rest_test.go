package group

import (
	"slices"
	"testing"
	"time"
)

// A worker that rests learns that all others rest, and not before they do.
func TestAllRest(t *testing.T) {
	inBubble(t, 6, func(t *testing.T, w *fixture) {
		a, b, c := w.start("a"), w.start("b"), w.start("c")
		w.within(2*rebalance, a, b, c)
		hadA, hadB, hadC := a.has(), b.has(), c.has()
		rest := func(workers ...*worker) {
			for _, k := range workers {
				k.Rest(Idle)
			}
			time.Sleep(time.Minute)
		}
		rest(a, b)
		if a.last().Others != Busy || b.last().Others != Busy || c.last().Others != Busy {
			t.Error("a worker believes that all rest")
		}
		rest(c)
		if a.last().Others != Idle || b.last().Others != Idle || c.last().Others != Idle {
			t.Error("a worker does not know that all rest")
		}
		b.Rest(Stuck)
		time.Sleep(time.Minute)
		if a.last().Others != Stuck || b.last().Others != Idle || c.last().Others != Stuck {
			t.Errorf("of the others are %v, %v, %v", a.last().Others, b.last().Others, c.last().Others)
		}
		if !slices.Equal(a.has(), hadA) || !slices.Equal(b.has(), hadB) || !slices.Equal(c.has(), hadC) {
			t.Error("lanes have moved")
		}
		c.Rest(Busy)
		time.Sleep(time.Minute)
		if a.last().Others != Busy || b.last().Others != Busy {
			t.Error("a worker does not know that one works again")
		}
		c.stop()
		time.Sleep(time.Minute)
		if a.last().Others != Stuck || b.last().Others != Idle {
			t.Error("those that are left do not know that all rest")
		}
	})
}
