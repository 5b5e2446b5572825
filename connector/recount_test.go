package connector

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"orderwalk/internal/record"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// Every worker uses partitions added to the orders topic within five minutes, by Java's
// partitioner. No order is lost or repeated.
func TestAddedPartitionsAreUsedByEveryWorker(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 60
		var world []simulator.Shop
		var shops []shop
		p := a.policy()
		p.Start, p.PollInterval = start, 5*time.Second
		for lane := range 4 {
			id := a.inLane(lane, 1)[0]
			world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 2, Since: start}})
			shops = append(shops, shop{appID: id, policy: p})
		}
		a.simulate(simulator.Config{Seed: 41, Shops: world})
		workers := []*process{a.start(shops...), a.start(shops...)}
		a.until("all are live", func() bool { return count(workers[0], StateLive)+count(workers[1], StateLive) == len(shops) })
		time.Sleep(20 * time.Second)
		a.admin(func(ctx context.Context, admin *kadm.Client) error {
			_, err := admin.CreatePartitions(ctx, 5, a.orders())
			return err
		})
		added := time.Now()
		time.Sleep(10 * time.Minute)
		for _, w := range workers {
			if n := strings.Count(w.logged(), `level=INFO msg="partition count of an orders topic changed`); n != 1 {
				t.Errorf("%d lines about the partitions", n)
			}
			if err := w.stop(); err != nil {
				t.Error(err)
			}
		}
		former := 0
		for _, r := range a.published() {
			before, after := record.Partition(r.Key, 3), record.Partition(r.Key, 8)
			switch {
			case r.Timestamp.After(added.Add(5*time.Minute)) && r.Partition != after, r.Timestamp.Before(added) && r.Partition != before,
				r.Partition != before && r.Partition != after:
				t.Fatalf("order %s of %v is in partition %d; it is %d of 3 and %d of 8", r.Key, r.Timestamp, r.Partition, before, after)
			case r.Partition != before:
				former++
			}
		}
		if former == 0 {
			t.Error("no order is in a new partition")
		}
		for p, c := range a.checkpoints() {
			a.eachOnce(p.Shop, start, c.Watermark-1)
		}
	})
}

// The partition count changes during a walk by update time: each change is published
// once, whichever partition its order was in before.
func TestPartitionsAddedUnderAWalkByUpdateTimes(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 30
		a.simulate(simulator.Config{Seed: 42, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 1, Since: start, Changes: 2, ChangeWithin: time.Minute}}}})
		p := a.policy()
		p.Range, p.Start, p.End = wechat.UpdateTime, start, start+400
		run := a.start(shop{appID: "wx1", policy: p})
		a.until("it is live", func() bool { return count(run, StateLive) == 1 })
		a.admin(func(ctx context.Context, admin *kadm.Client) error {
			_, err := admin.CreatePartitions(ctx, 2, a.orders())
			return err
		})
		if err := run.wait(); err != nil {
			t.Fatal(err)
		}
		changes, records := make(map[string]int), make(map[string]int)
		for _, c := range a.api.Changes("wx1", time.Time{}, time.Time{}) {
			if c.At >= p.Start && c.At <= p.End+1 { // a bounded range ends a second late
				changes[c.ID]++
			}
		}
		for _, r := range a.published() {
			records[string(r.Key)]++
		}
		few := 0
		for id, n := range changes {
			if records[id] == 0 || records[id] > n {
				t.Errorf("order %s has changed %d times and is there %d times", id, n, records[id])
			}
			if records[id] == n {
				few++
			}
		}
		if few < len(changes)/2 || len(changes) < 100 {
			t.Errorf("%d of %d orders are there with each change", few, len(changes))
		}
		if c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "update_time"}]; c == nil {
			t.Error("no checkpoint")
		}
	})
}
