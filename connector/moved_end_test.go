package connector

import (
	"context"
	"fmt"
	"testing"
	"time"

	"orderwalk/simulator"
)

// Workers that have read their ranges to the end, and know it of each other, still end
// together after the ends were moved back: the shops have passed the new ends, so nothing
// is committed that would tell so again.
func TestWorkersEndAfterTheEndWasMovedBack(t *testing.T) {
	inBubble(t, func(a *testbed) {
		begin := time.Now().Unix()
		world := simulator.Config{Seed: 91}
		var shops []shop
		for i := range 3 { // in three lanes
			sh, p := backlog(fmt.Sprintf("wx%02d", i), 200)
			if i == 2 { // still goes on when the others are done
				sh.Backlog, sh.Live = simulator.Backlog{}, simulator.Live{Since: begin, Rate: 1}
				p.Start, p.End, p.Lookback = begin, begin+300, 0
			}
			world.Shops = append(world.Shops, sh)
			shops = append(shops, shop{appID: sh.AppID, policy: p})
		}
		a.simulate(world)
		workers := []*process{a.start(shops...), a.start(shops...), a.start(shops...)}
		time.Sleep(2 * time.Minute)
		for _, w := range workers {
			moved := append([]Shop(nil), w.Shops()...)
			for i := range 2 {
				moved[i].Policy.End -= 600
			}
			if err := w.SetShops(context.Background(), moved); err != nil {
				a.Fatal(err)
			}
		}
		for _, w := range workers {
			if err := w.wait(); err != nil {
				a.Error(err)
			}
		}
		a.eachOnce("wx00", shops[0].policy.Start, shops[0].policy.End)
		a.eachOnce("wx02", begin, begin+300)
	})
}
