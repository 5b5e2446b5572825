package connector

import (
	"math"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// TestSweepsPublishEachChangeOnce: a live shop by update time, whose windows are swept,
// publishes each change that any answer has shown exactly once, with fewer calls than two
// for each poll. If the API stops to count the first or the last second of a range in,
// the shop still publishes every order.
func TestSweepsPublishEachChangeOnce(t *testing.T) {
	for name, c := range map[string]struct {
		later simulator.Faults // after a while
		most  float64          // list calls for each poll
	}{
		"both ends in":      {simulator.Faults{}, 1.7},
		"the end is out":    {simulator.Faults{EndExclusive: true}, 2.5},
		"the start is out":  {simulator.Faults{StartExclusive: true}, 2.5},
		"answers are terse": {terse, 1.85},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				const minutes = 40
				start := time.Now().Unix()
				var first simulator.Faults
				if c.later == terse { // an API that begins to leave has_more out is believed after a while
					first = terse
				}
				a.simulate(simulator.Config{Seed: 9, Faults: first, Latency: 50 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
					Live: simulator.Live{Rate: 0.3, BurstEvery: 900, BurstSize: 120, Since: start, Until: start + 60*minutes, Changes: 3, ChangeWithin: 5 * time.Minute}}}})
				p := a.policy()
				p.Range, p.Start, p.PageSize = wechat.UpdateTime, start, 100
				p.PollInterval, p.SettleDelay, p.Lookback = 10*time.Second, 5*time.Second, 4*time.Minute
				w := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(minutes * time.Minute / 2)
				a.api.SetFaults(c.later)
				time.Sleep(minutes*time.Minute/2 + 2*p.Lookback)
				if err := w.stop(); err != nil {
					t.Error(err)
				}
				if c.later.EndExclusive || c.later.StartExclusive {
					a.changesThatStay(20*time.Second, start+60*minutes/2)
					a.everyOrder()
				} else {
					a.changesThatStay(20*time.Second, start+60*minutes)
					a.changesAsShown(100)
				}
				sweeps, ends := 0, make(map[int64]bool)
				for _, call := range a.listed() {
					if call.NextKey != "" && call.Update.Start > start+60 && !ends[call.Update.Start] {
						t.Errorf("a later page was asked for from %d, where no window begins: another process could not go on", call.Update.Start)
					}
					ends[call.Update.End] = true
					if call.Update.End-call.Update.Start >= 18 {
						sweeps++
					}
				}
				if sweeps < 20 {
					t.Errorf("%d lists of sweeps, too few to show anything", sweeps)
				}
				all := (minutes*time.Minute + 2*p.Lookback) / p.PollInterval
				if perPoll := float64(len(a.listed())) / float64(all); perPoll > c.most {
					t.Errorf("%.2f list calls for each poll, want at most %v", perPoll, c.most)
				} else {
					t.Logf("%.2f list calls for each poll, %d of sweeps", perPoll, sweeps)
				}
			})
		})
	}
}

// everyOrder fails for orders that were not published at all.
func (a *testbed) everyOrder() {
	a.Helper()
	published := a.counted("wx1")
	for _, c := range a.api.Changes("wx1", time.Time{}, time.Time{}) {
		if published[c.ID] == 0 {
			a.Errorf("order %s was not published", c.ID)
		}
	}
}

// changesThatStay fails for orders with fewer records than changes before a second that
// were the order's latest for so long.
func (a *testbed) changesThatStay(long time.Duration, before int64) {
	a.Helper()
	history, stayed, published := make(map[string][]int64), 0, a.counted("wx1")
	for _, c := range a.api.Changes("wx1", time.Time{}, time.Time{}) {
		history[c.ID] = append(history[c.ID], c.At)
	}
	for id, changes := range history {
		n := 0
		for i, at := range append(changes, math.MaxInt64)[1:] {
			if changes[i] < before && at-changes[i] > int64(long/time.Second) {
				n++
			}
		}
		stayed += n
		if published[id] < n {
			a.Errorf("order %s has changed at %v and was published %d times, want %d at least", id, changes, published[id], n)
		}
	}
	if stayed < 300 {
		a.Errorf("%d changes stayed, too few to show anything", stayed)
	}
}
