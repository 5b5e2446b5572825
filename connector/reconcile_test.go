package connector

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/simulator"
)

// TestShopsComeAndGoAndTheirNeighboursDoNotNotice: in a lane with 600 shops one is
// added, changed, removed, added again, paused and resumed. The lane opens once, and no
// page of the other 599 is requested twice.
func TestShopsComeAndGoAndTheirNeighboursDoNotNotice(t *testing.T) {
	inBubble(t, func(a *testbed) {
		const neighbours = 599
		start := time.Now().Unix()
		world := simulator.Config{Seed: 71}
		policy := func(seconds int) window.Policy {
			p := testPolicy()
			p.Start, p.PollInterval, p.Lookback = start-3600, time.Duration(seconds)*time.Second, 0
			return p
		}
		var shops []shop
		for i := range neighbours {
			id := fmt.Sprintf("wx%d", i)
			world.Shops = append(world.Shops, simulator.Shop{AppID: id, Secret: "secret-" + id,
				Backlog: simulator.Backlog{Orders: 5, From: start - 3600, To: start - 60}, Live: simulator.Live{Rate: 0.02}})
			shops = append(shops, shop{appID: id, policy: policy(60)})
		}
		world.Shops = append(world.Shops, simulator.Shop{AppID: "guest", Secret: "secret-guest",
			Backlog: simulator.Backlog{Orders: 300, From: start - 3600, To: start - 60}, Live: simulator.Live{Rate: 0.2}})
		a.simulate(world)
		run := a.prepare(shops...)
		run.cfg.OffsetsPartitions = 1
		a.run(run)
		settled := func() { time.Sleep(3 * time.Minute) }
		settled()
		config := func(with ...shop) []Shop {
			cfg, transport, web := a.config(run.plug, discard(), newGatherer(), append(append([]shop(nil), shops...), with...)...)
			transport.CloseIdleConnections()
			web.CloseIdleConnections()
			for i := range cfg.Shops { // shops that stay keep exactly their configuration
				for _, had := range run.cfg.Shops {
					if had.Name == cfg.Shops[i].Name {
						cfg.Shops[i].Client = had.Client
					}
				}
			}
			return cfg.Shops
		}
		set := func(with ...shop) {
			if err := run.SetShops(context.Background(), config(with...)); err != nil {
				t.Fatal(err)
			}
			settled()
		}
		calls := func() (n int) {
			for _, c := range a.listed() {
				if c.AppID == "guest" {
					n++
				}
			}
			return n
		}
		quiet := func(what string) {
			before := calls()
			settled()
			if n := calls() - before; n > 0 {
				t.Errorf("%s: %d calls", what, n)
			}
		}
		guest := shop{appID: "guest", policy: policy(10)}
		set(guest) // added
		if calls() == 0 {
			t.Error("a shop that was added is not walked")
		}
		guest.policy.PageSize = 30
		set(guest) // changed
		set()      // removed
		quiet("removed")
		set(guest) // added again
		run.Steer(map[string]Wanted{"guest": {Paused: true}, "unknown": {Paused: true}})
		settled()
		quiet("paused")
		for _, s := range run.Status() {
			if s.Name == "guest" && s.State != StatePaused {
				t.Errorf("a paused shop is %s", s.State)
			}
		}
		guest.policy.PageSize = 40
		set(guest) // changed while it is paused
		quiet("changed while paused")
		run.Steer(nil)
		settled()
		end := time.Now().Unix()
		settled()
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(run.logged(), "lane opened"); n != 1 {
			t.Errorf("the lane was opened %d times", n)
		}
		pages := make(map[string]int)
		for _, c := range a.listed() {
			if c.AppID != "guest" {
				pages[fmt.Sprint(c.AppID, *c.Create, c.NextKey)]++
			}
		}
		for page, n := range pages {
			if n > 1 {
				t.Errorf("page %s was asked for %d times", page, n)
			}
		}
		a.eachOnce("wx0", start-3600, start)
		a.eachOnce("guest", start-3600, end-30)
	})
}

// TestALaneWithoutShopsThatWalkTakesUpNewOnes: the lane's only shop is done, has failed
// or is paused; then a shop is added.
func TestALaneWithoutShopsThatWalkTakesUpNewOnes(t *testing.T) {
	for _, state := range []State{StateDone, StateFailed, StatePaused} {
		t.Run(string(state), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				keeps, only, comes := a.inLane(0, 1)[0], a.inLane(1, 2)[0], a.inLane(1, 2)[1]
				var world []simulator.Shop
				shops := make(map[string]shop)
				for _, id := range []string{keeps, only, comes} {
					s, p := backlog(id, 200)
					if id == keeps {
						p.End = 0 // so that the run does not end
					}
					world, shops[id] = append(world, s), shop{appID: id, policy: p}
				}
				if state == StateFailed {
					world[1].Secret = "another"
				}
				a.simulate(simulator.Config{Seed: 72, Shops: world})
				one := shops[only]
				run := a.prepare(shops[keeps], one)
				if state == StatePaused { // before the lanes are known
					run.Steer(map[string]Wanted{only: {Paused: true}})
				}
				a.run(run)
				time.Sleep(5 * time.Minute)
				for _, s := range run.Status() {
					if s.Name == only && s.State != state {
						t.Errorf("the only shop is %s: %s", s.State, s.Reason)
					}
				}
				cfg, transport, web := a.config(run.plug, discard(), newGatherer(), shops[keeps], one, shops[comes])
				transport.CloseIdleConnections()
				web.CloseIdleConnections()
				if err := run.SetShops(context.Background(), cfg.Shops); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
				if err := run.stop(); err != nil {
					t.Fatal(err)
				}
				a.eachOnce(comes, shops[comes].policy.Start, shops[comes].policy.End)
			})
		})
	}
}
