package connector

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// crew has n shops that are polled every 10 s and have no orders.
func (a *testbed) crew(n int) []shop {
	var cfg simulator.Config
	var shops []shop
	for i := range n {
		id := fmt.Sprintf("wx%016d", i)
		cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: id, Secret: "secret-" + id})
		p := testPolicy()
		p.PollInterval, p.SettleDelay, p.Lookback, p.Start = 10*time.Second, 15*time.Second, 10*time.Minute, time.Now().Unix()-60
		shops = append(shops, shop{appID: id, policy: p})
	}
	a.simulate(cfg)
	return shops
}

// TestAnIdleShopTakesNoGoroutine while it waits for its next poll.
func TestAnIdleShopTakesNoGoroutine(t *testing.T) {
	const shops = 400
	alone(t, func(a *testbed) {
		crew := a.crew(shops)
		others := runtime.NumGoroutine()
		p := a.start(crew...)
		a.until("all are live", func() bool { return count(p, StateLive) == shops })
		time.Sleep(time.Minute + 5*time.Second) // between two polls, which all have in the same second
		others += 500                           // Kafka's and those of connections
		if n := runtime.NumGoroutine() - others; n > shops/10 {
			t.Errorf("%d goroutines for %d shops", n, shops)
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestShopsBeginInTurns: shops that are due in the same second begin to read a few at a
// time, in the order in which they came, and a call without an answer delays the others
// little.
func TestShopsBeginInTurns(t *testing.T) {
	inBubble(t, func(*testbed) {
		all := newTurns(2)
		began := time.Now()
		order := make(chan int, 5)
		for i := range 5 {
			go func() {
				turn, err := all.await(context.Background())
				if err != nil {
					t.Error(err)
				}
				order <- i
				time.Sleep(time.Millisecond)
				if i != 1 { // the API does not answer this one
					turn.end()
				}
			}()
			time.Sleep(time.Microsecond)
		}
		for i := range 5 {
			if got := <-order; got != i {
				t.Errorf("shop %d has turn %d", got, i)
			}
		}
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("took %v beside one that waits", took)
		}
		time.Sleep(time.Second)
		if _, err := all.await(context.Background()); err != nil {
			t.Error(err)
		}
		began = time.Now()
		if _, err := all.await(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != turnTime {
			t.Errorf("took %v beside two that wait", took)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range moreTurns - 1 {
			if _, err := all.await(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if _, err := all.await(ctx); err == nil {
			t.Error("a turn for one that has gone")
		}
	})
}

// expectFree fails the test unless there are n turns, and all are free.
func expectFree(t *testing.T, all *turns, n int) {
	t.Helper()
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.free != n || all.more != 0 || all.adjusting {
		t.Errorf("%d turns are free of %d, want %d", all.free, all.few+all.more, n)
	}
}

// TestTurnsFitTheAPI: shops that are due in the same second take as many turns as the API's
// pace demands, and no more.
func TestTurnsFitTheAPI(t *testing.T) {
	const shops = 2000
	for _, c := range []struct{ answer, within time.Duration }{
		{time.Millisecond, 63 * time.Millisecond},       // in few turns
		{99 * time.Millisecond, 830 * time.Millisecond}, // a turn never ends with a turnTime, in random order
		{time.Second, 1200 * time.Millisecond},
		{time.Hour, 1300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			all := newTurns(fewTurns)
			began := time.Now()
			var reading, last atomic.Int64
			var done sync.WaitGroup
			for range shops {
				done.Add(1)
				all.next(func(turn *turn) bool {
					if n := reading.Add(1); c.answer < turnTime && n > fewTurns {
						t.Errorf("answers after %v: %d turns", c.answer, n)
					}
					last.Store(int64(time.Since(began)))
					time.AfterFunc(c.answer, func() {
						reading.Add(-1)
						turn.end()
						done.Done()
					})
					return true
				})
			}
			done.Wait()
			if last := time.Duration(last.Load()); last > c.within {
				t.Errorf("answers after %v: the last shop began after %v", c.answer, last)
			}
			time.Sleep(time.Minute)
			expectFree(t, all, fewTurns)
		})
	}
}

// TestTurnsThatLastDelayNoOthers: shops without an answer, for hours, delay the first answer
// of another shop by a moment, however many they are.
func TestTurnsThatLastDelayNoOthers(t *testing.T) {
	for _, stuck := range []int{fewTurns + 1, 500, 10_000} {
		synctest.Test(t, func(t *testing.T) {
			all := newTurns(fewTurns)
			last := make(chan *turn, stuck)
			for range stuck {
				all.next(func(one *turn) bool {
					last <- one
					return true
				})
			}
			for range 20 {
				time.Sleep(10 * time.Second)
				began := time.Now()
				one, err := all.await(t.Context())
				if took := time.Since(began); err != nil || took > 2*turnTime {
					t.Errorf("%d shops without an answer: another waits %v: %v", stuck, took, err)
				}
				time.Sleep(time.Millisecond)
				one.end()
			}
			for range stuck {
				(<-last).end()
			}
			time.Sleep(time.Minute)
			expectFree(t, all, fewTurns)
		})
	}
}

// TestCountsOfAShopTakeOneAllocation: a map for each of ten thousand shops would take 4 MB.
func TestCountsOfAShopTakeOneAllocation(t *testing.T) {
	const shops = 1000
	names := make([]string, shops+1) // AllocsPerRun makes one more run
	for i := range names {
		names[i] = fmt.Sprintf("shop-%d", i)
	}
	all, next := tallies{counts: make(map[string][]Tally, len(names))}, 0
	if n := testing.AllocsPerRun(shops, func() {
		all.add(names[next], "ok", 1)
		next++
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// TestAPollReadsNoSecret: a secret in a file is read for a token, not for each poll.
func TestAPollReadsNoSecret(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		var reads atomic.Int64
		p := testPolicy()
		p.Start = time.Now().Unix()
		w := a.start(shop{appID: "wx1", policy: p, file: func() (string, error) {
			reads.Add(1)
			return "secret-wx1", nil
		}})
		time.Sleep(time.Hour)
		if calls, n := len(a.listed()), reads.Load(); calls < 300 || n == 0 || n > 10 {
			t.Errorf("the secret was read %d times for %d list calls", n, calls)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}
