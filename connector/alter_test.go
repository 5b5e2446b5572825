package connector

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// A stopped shop is sent back: it publishes again what its new range lists, and nothing
// else is published again, lost or disturbed.
func TestAStoppedShopIsSentBack(t *testing.T) {
	inBubble(t, func(a *testbed) {
		guest, p := backlog("guest", 900)
		neighbour, q := backlog("neighbour", 900)
		neighbour.Live.Rate, q.End = 0.5, 0
		a.simulate(simulator.Config{Seed: 81, Shops: []simulator.Shop{guest, neighbour}})
		run := a.prepare(shop{appID: "guest", policy: p}, shop{appID: "neighbour", policy: q})
		run.cfg.OffsetsPartitions = 1
		a.run(run)
		a.until("guest is done", func() bool { return run.statusOf("guest").State == StateDone })
		ctx := a.Context()
		target := run.Shops()[slices.IndexFunc(run.Shops(), func(s Shop) bool { return s.Name == "guest" })]
		stored, err := run.Offsets(ctx, target)
		if err != nil || stored.Checkpoint.Watermark != p.End+1 {
			t.Fatalf("stored is %+v, %v", stored.Checkpoint, err)
		}
		back := p.Start + (p.End-p.Start)/2
		for name, c := range map[string]struct {
			entries []offsets.Entry
			from    int64
		}{
			"by its watermark": {[]offsets.Entry{{Partition: map[string]any{"shop": "guest", "range": "create_time"}, Offset: map[string]any{"watermark": back}}}, back},
			"to its start":     {[]offsets.Entry{{Partition: map[string]any{"shop": "guest", "range": "create_time"}}}, p.Start},
		} {
			before := a.counted("guest")
			run.Steer(map[string]Wanted{"guest": {Stopped: true}})
			a.until("guest is stopped", func() bool { return run.statusOf("guest").State == StateStopped })
			err := run.Alter(ctx, target, func(s Stored) (*offsets.Checkpoint, error) {
				return offsets.Edit(s.Partition, s.Checkpoint, c.entries, time.Now().Unix())
			})
			if err != nil {
				t.Fatal(err)
			}
			run.Steer(nil)
			a.until("guest is done again", func() bool { return run.statusOf("guest").State == StateDone })
			after := a.counted("guest")
			again := 0
			for _, o := range a.api.Orders("guest", time.Unix(p.End, 0)) {
				n := after[o.ID] - before[o.ID]
				switch {
				case o.Created > c.from && n != 1, o.Created < c.from-1 && n != 0, n > 1:
					t.Errorf("%s: order of %d was published %d more times", name, o.Created, n)
				}
				again += n
			}
			if again == 0 {
				t.Errorf("%s: nothing was published again", name)
			}
		}
		end := time.Now().Unix()
		time.Sleep(3 * time.Minute)
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("neighbour", q.Start, end-30)
	})
}

// An edit that is refused disturbs no shop of the lane.
func TestARefusedEditDisturbsNoShop(t *testing.T) {
	steer(t, func(s *steered) {
		s.run.Steer(map[string]Wanted{"guest": {Stopped: true}})
		s.expect(StateStopped)
		refused := errors.New("refused")
		if err := s.run.Alter(s.Context(), s.run.Shops()[0], func(Stored) (*offsets.Checkpoint, error) { return nil, refused }); !errors.Is(err, refused) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		s.run.Steer(nil)
		s.expect(StateLive)
		s.opened(1)
	})
}

// counted returns how often each order of a shop is on the topic.
func (a *testbed) counted(appID string) map[string]int {
	a.Helper()
	count := make(map[string]int)
	for _, r := range a.published() {
		if v := decodeOrder(a, r); v.Shop == appID {
			count[v.OrderID]++
		}
	}
	if len(count) == 0 {
		a.Error(fmt.Sprint("nothing is published of ", appID))
	}
	return count
}
