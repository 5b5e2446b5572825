package connector

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestANudgeBringsTheNextPollForward: an order that the vendor tells of is there
// when it has left SETTLE_DELAY, however long the poll interval is; what is told
// twice, or of the past, costs no calls.
func TestANudgeBringsTheNextPollForward(t *testing.T) {
	inBubble(t, func(a *arena) {
		a.world(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := a.policy()
		p.PollInterval, p.SettleDelay, p.Lookback = 10*time.Minute, 15*time.Second, 0
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Hour + 17*time.Second)
		placed := time.Now()
		if err := a.api.Add("wx1", simulator.Order{ID: "3700000000000000001", Created: placed.Unix()}); err != nil {
			a.Fatal(err)
		}
		before := len(a.listed())
		for range 10 {
			run.Nudge("wx1", placed)
		}
		run.Nudge("wx2", placed) // walked elsewhere
		time.Sleep(p.SettleDelay + 3*time.Second)
		if n := len(a.published()); n != 1 {
			a.Errorf("%d orders %v after the event", n, p.SettleDelay+3*time.Second)
		}
		run.Nudge("wx1", placed)
		time.Sleep(time.Second)
		if n := len(a.listed()) - before; n != 1 {
			a.Errorf("%d calls for one order", n)
		}
		time.Sleep(30 * time.Minute)
		if n := len(a.listed()) - before; n > 5 {
			a.Errorf("%d calls in half an hour", n)
		}
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
	})
}
