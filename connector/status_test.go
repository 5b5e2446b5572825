package connector

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// A shop that goes on says how far it is before it has read anything, which an
// API that does not answer can put off for long.
func TestAShopThatGoesOnSaysWhereItIs(t *testing.T) {
	inBubble(t, func(a *arena) {
		sh, p := backlog("wx1", 3000)
		p.PageSize, p.Concurrency, p.MaxWindow = 10, 1, 10*time.Minute
		a.world(simulator.Config{Seed: 51, Shops: []simulator.Shop{sh}, Latency: 50 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p})
		a.until("it is on its way", func() bool { return run.Status()[0].Watermark > p.Start+3600 })
		was := run.Status()[0]
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
		a.api.SetFaults(simulator.Faults{HTTP5xxRate: 1})
		run = a.start(shop{appID: "wx1", policy: p})
		time.Sleep(20 * time.Second)
		now := run.Status()[0]
		if now.Watermark < was.Watermark || now.Lag(time.Now()) < time.Hour || now.Progress() < 0 {
			a.Errorf("%+v, lag %v, progress %v; it was at %d", now, now.Lag(time.Now()), now.Progress(), was.Watermark)
		}
		run.kill()
	})
}
