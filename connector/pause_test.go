package connector

import (
	"context"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAPauseEndsWithTheShop: a shop that is paused by its app ID makes no call, and its
// neighbour is walked. When the shop has been removed and is added again, it is walked.
func TestAPauseEndsWithTheShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 60
		a.simulate(simulator.Config{Seed: 73, Shops: []simulator.Shop{
			{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2, Since: start}}, {AppID: "wx2", Secret: "secret-wx2", Live: simulator.Live{Rate: 2, Since: start}}}})
		p := a.policy()
		p.Start = start
		run := a.prepare(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
		all := run.cfg.Shops
		all[1].Name = "second"
		if err := run.SetShops(context.Background(), all); err != nil {
			t.Fatal(err)
		}
		if !run.Pause("wx2") || run.Resume("wx3") {
			t.Error("a shop has to be known by its app ID, and no other shop")
		}
		a.run(run)
		a.until("one is live and one is paused", func() bool { return count(run, StateLive) == 1 && count(run, StatePaused) == 1 })
		time.Sleep(time.Minute)
		if s := stateOf("wx2", run); s.Pages > 0 || s.State != StatePaused {
			t.Errorf("the paused shop is %+v", s)
		}
		for _, shops := range [][]Shop{all[:1], all} {
			if err := run.SetShops(context.Background(), shops); err != nil {
				t.Fatal(err)
			}
		}
		end := time.Now().Unix()
		a.until("both have been read until now", func() bool { return stateOf("wx1", run).Watermark > end && stateOf("wx2", run).Watermark > end })
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		a.eachOnce("wx1", start, end)
		a.eachOnce("wx2", start, end)
	})
}
