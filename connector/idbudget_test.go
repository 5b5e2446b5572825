package connector

import (
	"fmt"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestIDsInMemoryAreBounded: shops that are dense after a quiet time exceed the
// process's ID budget, together or one alone. They end with about as many IDs in memory
// as the budget allows, and each order is published once.
func TestIDsInMemoryAreBounded(t *testing.T) {
	for _, c := range []struct{ shops, orders, budget int }{
		{shops: 3, orders: 2500, budget: 1000},
		{shops: 1, orders: 3000, budget: 50},
	} {
		t.Run(fmt.Sprintf("%d shops", c.shops), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				var world []simulator.Shop
				var shops []shop
				for i := range c.shops {
					sh, p := quietThenDense(c.orders)
					sh.AppID = fmt.Sprintf("wx%d", i)
					sh.Secret = "secret-" + sh.AppID
					world = append(world, sh)
					shops = append(shops, shop{appID: sh.AppID, policy: p})
				}
				a.simulate(simulator.Config{Seed: 12, Shops: world, Latency: 20 * time.Millisecond})
				run := a.prepare(shops...)
				run.ids = &idBudget{most: int64(c.budget)}
				a.run(run)
				var most int64
				for range 100_000 {
					time.Sleep(50 * time.Millisecond)
					most = max(most, run.ids.held.Load())
					if count(run, StateDone) == c.shops {
						break
					}
				}
				if err := run.wait(); err != nil {
					t.Fatal(err)
				}
				for _, s := range shops {
					a.eachOnce(s.appID, s.policy.Start, s.policy.End)
				}
				// When the budget is reached, each window in progress continues until it
				// is cut at a hundred pages. One of each shop is cut up to four times,
				// from a week to a minute.
				if allowed := int64(c.budget + c.shops*(4+4)*100); most > allowed {
					t.Errorf("up to %d IDs were held, of %d orders; want at most %d", most, c.shops*c.orders, allowed)
				}
				if n := run.ids.held.Load(); n != 0 {
					t.Errorf("%d IDs count as held when nothing is walked any more", n)
				}
			})
		})
	}
}
