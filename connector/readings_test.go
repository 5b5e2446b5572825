package connector

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// TestQuestionsShareAReading: many who ask for shops of a lane at the same time have it
// read twice, not once for each. Each gets its own shop's checkpoint, and one who leaves
// takes nothing from the others.
func TestQuestionsShareAReading(t *testing.T) {
	inBubble(t, func(a *testbed) {
		var world []simulator.Shop
		var shops []shop
		for _, id := range a.inLane(2, 20) {
			world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id})
			shops = append(shops, shop{appID: id, policy: a.policy()})
		}
		a.simulate(simulator.Config{Seed: 27, Shops: world})
		run := a.start(shops...)
		a.until("all have checkpoints", func() bool { return count(run, StateLive) == len(shops) && len(a.checkpoints()) == len(shops) })
		var fetches atomic.Int64
		a.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			a.cluster.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		ask := func(ctx context.Context, s Shop) {
			stored, err := run.Offsets(ctx, s)
			switch {
			case ctx.Err() != nil && errors.Is(err, context.Canceled):
			case err != nil || stored.Checkpoint == nil || stored.Checkpoint.Begin == 0 || stored.Partition.Shop != s.AppID:
				t.Errorf("%s: %+v, %v", s.Name, stored, err)
			}
		}
		ask(a.Context(), run.Shops()[0])
		one := fetches.Swap(0)
		gone, leave := context.WithCancel(a.Context())
		var all sync.WaitGroup
		for i, s := range run.Shops() {
			ctx := a.Context()
			if i%3 == 0 {
				ctx = gone
			}
			all.Go(func() { ask(ctx, s) })
		}
		leave()
		all.Wait()
		if n := fetches.Load(); one == 0 || n > 3*one {
			t.Errorf("%d questions at the same time took %d fetches, one alone %d", len(shops), n, one)
		}
		// One who leaves alone does not hold up the next.
		all.Go(func() { ask(gone, run.Shops()[0]) })
		all.Wait()
		ask(a.Context(), run.Shops()[1])
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}
