package connector

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// Kafka forgets a transactional ID two seconds after its last use, which is sooner than
// a checkpoint without orders is committed. A walk through a long time without orders
// still makes progress.
func TestAQuietWalkGoesOnWhereKafkaForgetsWithinSeconds(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 300)
		p.Start -= 200 * 24 * 3600
		p.MaxWindow, p.Concurrency = 24*time.Hour, 1
		a.simulate(simulator.Config{Seed: 42, Shops: []simulator.Shop{sh}, Latency: 200 * time.Millisecond})
		var used time.Time
		a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID, kmsg.EndTxn}, Observe: true, Count: -1, When: func(kmsg.Request) bool {
			used = time.Now()
			return true
		}})
		a.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.InvalidProducerIDMapping, Count: -1, When: func(kmsg.Request) bool {
			return time.Since(used) > 2*time.Second
		}})
		if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("wx1", p.Start, p.End)
	})
}
