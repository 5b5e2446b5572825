package connector

import (
	"slices"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestTheRateOfAnAppIDIsShared: two workers have one range each of an app ID, and
// together they keep its rate limit.
func TestTheRateOfAnAppIDIsShared(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize = 5
		a.simulate(simulator.Config{Seed: 34, Shops: []simulator.Shop{sh}})
		u := p
		u.Range = "update_time"
		shops := []shop{{appID: "wx1", policy: p, rate: 20}, {appID: "wx1", name: "updates", policy: u, rate: 20}}
		first, second := a.start(shops...), a.start(shops...)
		if err := first.wait(); err != nil {
			t.Error(err)
		}
		if err := second.wait(); err != nil {
			t.Error(err)
		}
		byWorker := 0
		for _, w := range []*process{first, second} {
			for _, s := range w.Status() {
				if s.Published > 0 {
					byWorker++
					break
				}
			}
		}
		if byWorker != 2 {
			t.Error("both ranges were read by one worker: the test does not show what it is for")
		}
		// Waiting calls keep their turn when the second worker gets its half, and
		// CONCURRENCY calls may be waiting.
		most := 20 + 1 + p.Concurrency/2
		calls := a.listed()
		slices.SortFunc(calls, func(a, b simulator.ListCall) int { return a.At.Compare(b.At) })
		for i, from := 0, 0; i < len(calls); i++ {
			for calls[i].At.Sub(calls[from].At) >= time.Second {
				from++
			}
			if n := i - from + 1; n > most {
				t.Fatalf("%d list calls in one second, of 20 allowed", n)
			}
		}
	})
}

// TestWindowsBesideOneAreFew: however many shops a process has, and however many
// windows each may read at once, the windows beyond each shop's first are bounded,
// first come first served.
func TestWindowsBesideOneAreFew(t *testing.T) {
	inBubble(t, func(a *testbed) {
		const shops, spare = 4, 3
		listed := a.fleet(shops, 1000, simulator.Faults{})
		for i := range listed {
			listed[i].policy.Concurrency = 8
		}
		p := a.prepare(listed...)
		p.extra = make(chan struct{}, spare)
		a.run(p)
		if err := p.wait(); err != nil {
			t.Fatal(err)
		}
		calls, most := a.listed(), 0
		for i, from := 0, 0; i < len(calls); i++ {
			for calls[i].At.Sub(calls[from].At) >= 20*time.Millisecond { // the duration of a call
				from++
			}
			most = max(most, i-from+1)
		}
		if most != shops+spare {
			t.Errorf("%d list calls at once, want %d", most, shops+spare)
		}
		if n := len(p.extra); n != 0 {
			t.Errorf("%d windows are still counted as being read", n)
		}
		for _, s := range listed {
			a.eachOnce(s.appID, s.policy.Start, s.policy.End)
		}
	})
}
