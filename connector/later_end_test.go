package connector

import (
	"fmt"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestALaterEndRepeatsNothing: a range that was read to its end continues to a later
// end, with an order at the very second of the first end.
func TestALaterEndRepeatsNothing(t *testing.T) {
	for _, lookback := range []time.Duration{0, 10 * time.Minute} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprint(lookback, "/", seed), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					now := time.Now().Unix()
					p := testPolicy()
					p.Start, p.End = now-5*86400, now-3*86400
					p.Concurrency, p.PageSize, p.Lookback, p.SettleDelay, p.PollInterval = 8, 100, lookback, 15*time.Second, 10*time.Second
					a.simulate(simulator.Config{Seed: seed, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
						Backlog: simulator.Backlog{Orders: 5000, From: p.Start, To: p.End}}}})
					first := p
					first.End = a.api.Orders("wx1", time.Time{})[2500].Created
					if err := a.start(shop{appID: "wx1", policy: first}).wait(); err != nil {
						t.Fatal(err)
					}
					if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
						t.Fatal(err)
					}
					a.eachOnce("wx1", p.Start, p.End)
				})
			})
		}
	}
}
