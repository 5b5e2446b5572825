package connector

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoWakeIsLost: whenever a walker is woken, also just before it rests or while it waits
// for its turn, it looks again after that. It never runs twice at a time, and ends once,
// promptly, when it is stopped.
func TestNoWakeIsLost(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			ctx, cancel := context.WithCancel(t.Context())
			all := newTurns(1 + dice.IntN(3))
			var running sync.WaitGroup
			walkers := make([]*rest, 5)
			woken := make([]atomic.Int64, len(walkers)) // calls of wake so far
			seen := make([]int64, len(walkers))         // of them, those before the last look
			for i := range walkers {
				var busy, over atomic.Bool
				chance := rand.New(rand.NewPCG(seed, uint64(i+2)))
				w := &rest{woken: make(chan struct{}, 1), turns: all}
				wake := func() {
					woken[i].Add(1)
					w.wake()
				}
				w.run = func(turn *turn) {
					if !busy.CompareAndSwap(false, true) {
						t.Error("runs twice at a time")
					}
					for ctx.Err() == nil {
						select {
						case <-w.woken:
						default:
						}
						seen[i] = woken[i].Load()
						if chance.IntN(3) == 0 {
							time.Sleep(time.Duration(chance.IntN(3000)) * time.Millisecond)
							turn.end()
						}
						if chance.IntN(3) == 0 {
							wake() // after the look
						}
						if chance.IntN(2) == 0 {
							turn.end()
							busy.Store(false)
							w.until(ctx, time.Hour)
							return
						}
						select {
						case <-ctx.Done():
						case <-w.woken:
							wake() // which this has received
						case <-time.After(time.Second):
						}
					}
					turn.end()
					w.over()
					if !over.CompareAndSwap(false, true) {
						t.Error("ends twice")
					}
					running.Done()
				}
				walkers[i] = w
				running.Add(1)
				running.Go(func() {
					for range 20 {
						time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
						wake()
					}
				})
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			for i := range walkers {
				if now := woken[i].Load(); seen[i] != now {
					t.Errorf("seed %d: walker %d was woken %d times and has looked after %d", seed, i, now, seen[i])
				}
			}
			cancel()
			for _, w := range walkers {
				w.hurry()
			}
			running.Wait()
		})
	}
}

// TestAStoppedShopNeedsNoTurn: a walker that waits for its turn while the API does not
// answer others ends at once when it is stopped.
func TestAStoppedShopNeedsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		all := newTurns(1)
		var held *turn
		all.next(func(one *turn) bool { held = one; return true })
		acted := make(chan bool, 2)
		w := &rest{woken: make(chan struct{}, 1), turns: all, run: func(*turn) { acted <- ctx.Err() != nil }}
		w.wake()
		began := time.Now()
		cancel()
		w.hurry()
		if stopped := <-acted; !stopped || time.Since(began) > 0 {
			t.Errorf("acted after %v; stopped: %v", time.Since(began), stopped)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(acted) > 0 {
			t.Error("runs again in its turn")
		}
		held.end()
		time.Sleep(time.Second)
		expectFree(t, all, 1)
	})
}

// TestAStopBeforeARestEndsIt: a walker that was stopped after its last look does not rest.
func TestAStopBeforeARestEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan time.Time, 1)
		w := &rest{woken: make(chan struct{}, 1), turns: newTurns(1)}
		w.run = func(*turn) {
			if ctx.Err() != nil {
				w.over()
				ended <- time.Now()
				return
			}
			cancel()
			w.hurry()
			w.until(ctx, time.Hour)
		}
		began := time.Now()
		w.wake()
		if took := (<-ended).Sub(began); took > 0 {
			t.Errorf("ended after %v", took)
		}
	})
}
