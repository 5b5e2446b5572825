package connector

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orderwalk/simulator"
)

// A shop keeps a bounded number of nudges, whatever their order, and few where it is
// not walked. The latest are kept: a walk that begins here reads everything before them
// with its first plan.
func TestNudgesAreBounded(t *testing.T) {
	for walked, most := range map[bool]int{false: fewNudges, true: mostNudges} {
		for name, at := range map[string]func(i int) int64{
			"in order": func(i int) int64 { return int64(i) },
			"backward": func(i int) int64 { return int64(20_000 - i) },
			"mixed":    func(i int) int64 { return int64(i * 7919 % 20_001) },
			"repeated": func(i int) int64 { return int64(i % 2 * 20_000) },
		} {
			b := new(inbox)
			h := newShopState(Shop{Name: "one", AppID: "wx1"}, NewMetrics(newGatherer()), func() {})
			h.s.State = StateLive
			b.observe(&rest{state: awake}) // a walker starts after the nudges
			for i := range 20_001 {
				b.nudge(at(i), "")
				h.expect(orderNew, at(i))
				if i == 10_000 {
					b.observe(map[bool]*rest{true: {state: awake}}[walked])
				}
			}
			if n := len(b.nudges); n > most || cap(b.nudges) > 4*most || len(h.pushed) > mostPushed {
				t.Errorf("walked %v, %s: %d nudges in room for %d, %d events are kept", walked, name, n, cap(b.nudges), len(h.pushed))
			}
			if last := b.nudges[len(b.nudges)-1]; last.by != 20_001 || !slices.IsSortedFunc(b.nudges, byTime) {
				t.Errorf("walked %v, %s: the last nudge is %v", walked, name, last)
			}
			first := b.nudges[slices.IndexFunc(b.nudges, func(n nudge) bool { return n.by > 20_000-1 })].by
			if got, want := b.nudgedTo(20_000-1, func(string) bool { return false }), max(first+gather, 20_000-1+leastNudged); got != want {
				t.Errorf("walked %v, %s: nudged to %d, want %d", walked, name, got, want)
			}
		}
	}
}

// The first of many orders a second is not pushed out by those behind it.
func TestABusyShopKeepsItsFirstNudge(t *testing.T) {
	b := new(inbox)
	b.observe(&rest{state: awake})
	for at := range int64(200) {
		for order := range 50 {
			b.nudge(at, fmt.Sprint(at, "-", order))
		}
		b.nudge(at, "")
	}
	if len(b.nudges) > mostNudges || b.nudges[0].by != 1 || b.nudges[len(b.nudges)-1].by != 200 {
		t.Errorf("%d nudges are kept, from %+v to %+v", len(b.nudges), b.nudges[0], b.nudges[len(b.nudges)-1])
	}
	published := func(order string) bool { return order != "" }
	if got, want := b.nudgedTo(100, published), int64(101+gather); got < want || got > 200+gather {
		t.Errorf("nudged to %d, want %d or soon after", got, want)
	}
}

// A worker is nudged for shops that another one walks. When their lane moves here, the
// latest nudges count.
func TestNudgesOfShopsElsewhereCountWhenTheyCome(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		var world []simulator.Shop
		var shops []shop
		p := testPolicy()
		p.PollInterval = 10 * time.Minute
		for i := range 8 {
			id := fmt.Sprintf("wx%d", i)
			world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 0.1, Since: start}})
			shops = append(shops, shop{appID: id, policy: p})
		}
		a.simulate(simulator.Config{Seed: 33, Shops: world})
		older := a.start(shops...)
		newer := a.start(shops...)
		a.until("both have live shops", func() bool {
			return count(older, StateLive)+count(newer, StateLive) == len(shops) && count(older, StateLive) > 0 && count(newer, StateLive) > 0
		})
		var moved []string
		for _, s := range newer.Status() {
			if s.State == StateElsewhere {
				moved = append(moved, s.AppID)
			}
		}
		if len(moved) == 0 {
			t.Fatal("no shop is at the older worker")
		}
		time.Sleep(5 * time.Minute)
		at := time.Now()
		for _, id := range moved { // the orders are not settled when the lanes move
			newer.Nudge(id, orderNew, "", at)
		}
		if err := older.stop(); err != nil {
			t.Error(err)
		}
		time.Sleep(p.SettleDelay + 5*time.Second)
		for _, s := range newer.Status() {
			if slices.Contains(moved, s.AppID) && s.Watermark <= at.Unix() {
				t.Errorf("shop %s: watermark %d, an order was announced at %d", s.AppID, s.Watermark, at.Unix())
			}
		}
		if err := newer.stop(); err != nil {
			t.Error(err)
		}
	})
}
