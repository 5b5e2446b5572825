package connector

import (
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

func changesOnce(a *testbed)             { changes(a, simulator.Faults{}) }
func changesOnceEndOutside(a *testbed)   { changes(a, simulator.Faults{EndExclusive: true}) }
func changesOnceStartOutside(a *testbed) { changes(a, simulator.Faults{StartExclusive: true}) }
func changesOnceBothOutside(a *testbed) {
	changes(a, simulator.Faults{StartExclusive: true, EndExclusive: true})
}

// changes walks by update time while orders keep changing. For each (order, update
// second) that any answer has shown, exactly one record is published.
func changes(a *testbed, faults simulator.Faults) {
	start := time.Now().Unix() - 30
	a.simulate(simulator.Config{Seed: 6, Faults: faults, Latency: 5 * time.Millisecond,
		Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 4, Since: start, Changes: 3, ChangeWithin: 6 * time.Second}}}})
	p := a.policy()
	p.Range, p.Start, p.End, p.PageSize = wechat.UpdateTime, start, start+50, 5
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Fatal(err)
	}
	// In real time the number of polls depends on the machine.
	enough := 1
	if a.bubble {
		enough = 15
	}
	a.changesAsShown(enough)
}

// changesAsShown compares the published records with what the answers have shown. At
// least enough orders must have several changes that were all published.
func (a *testbed) changesAsShown(enough int) {
	a.Helper()
	history := make(map[string][]int64) // ID → seconds at which it changed
	for _, c := range a.api.Changes("wx1", time.Time{}, time.Time{}) {
		history[c.ID] = append(history[c.ID], c.At)
	}
	shown := make(map[string]map[int64]bool)
	moving := make(map[string]map[int64]bool) // shown within a second before the next change
	for _, c := range a.listed() {
		for _, id := range c.OrderIDs {
			var at, next int64
			for _, h := range history[id] {
				if h <= c.Update.End {
					at = max(at, h)
				} else if next == 0 {
					next = h
				}
			}
			note(shown, id, at)
			if next > 0 && time.Unix(next, 0).Before(c.At.Add(time.Second)) {
				note(moving, id, at)
			}
		}
	}
	count := make(map[string]int)
	for _, r := range a.published() {
		count[string(r.Key)]++
	}
	bad, exact := 0, 0
	for id, seconds := range shown {
		if len(seconds) > 1 && count[id] == len(seconds) {
			exact++
		}
		// Changes of an order that changed again during resolveEdge may come as one.
		if n := count[id]; n > len(seconds) || n < len(seconds)-len(moving[id]) {
			if bad++; bad < 5 {
				a.Errorf("order %s was shown with %d update times %v and published %d times", id, len(seconds), seconds, count[id])
			}
		}
	}
	if len(shown) < 80 || exact < enough {
		a.Errorf("%d orders, %d of them with each of several changes: too few to show anything", len(shown), exact)
	}
	if bad > 0 {
		a.Errorf("%d of %d orders are wrong", bad, len(shown))
	}
}

func note(times map[string]map[int64]bool, id string, at int64) {
	if times[id] == nil {
		times[id] = make(map[int64]bool)
	}
	times[id][at] = true
}
