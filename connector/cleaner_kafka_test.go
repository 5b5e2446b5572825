//go:build kafka

package connector

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// A real log cleaner runs over the offsets topic all the time and keeps no tombstones.
// Three workers of a bounded range end, one of them replaced in between, and each order
// is published once.
func TestWorkersEndBesideAHastyCleaner(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cluster, err := kafkatest.Launch(ctx, kafkatest.Options{Properties: []string{"log.cleaner.backoff.ms=20", "log.cleaner.threads=2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &testbed{TB: t, dial: new(net.Dialer).DialContext, brokers: cluster.Brokers(), apiURL: "http://" + listener.Addr().String(),
		name: "cleaned", listen: func() net.Listener { return listener }}
	a.play(func(a *testbed) {
		config := make(map[string]*string)
		for name, value := range map[string]string{"cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0", "max.compaction.lag.ms": "1"} {
			config[name] = &value
		}
		a.createTopic(a.name+".offsets", 4, config)
		start := time.Now().Unix() - 3600
		var world []simulator.Shop
		var shops []shop
		p := a.policy()
		p.Start, p.End, p.PageSize, p.Lookback = start, time.Now().Unix()+25, 10, 10*time.Second
		for i := range 12 {
			id := fmt.Sprintf("wx%d", i)
			world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 1, Since: start}})
			shops = append(shops, shop{appID: id, policy: p, rate: 10})
		}
		a.simulate(simulator.Config{Seed: 43, Shops: world})
		// Records that the workers read first are forgotten later: new shops make them
		// read all lanes.
		first := a.start(shops[:9]...)
		time.Sleep(6 * time.Second)
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		workers := []*process{a.start(shops...), a.start(shops...), a.start(shops...)}
		time.Sleep(12 * time.Second)
		workers[2].kill()
		workers[2] = a.start(shops...)
		over, stop := context.WithTimeout(ctx, 4*time.Minute)
		defer stop()
		for i, w := range workers {
			select {
			case <-w.ended:
				if w.err != nil {
					t.Errorf("worker %d: %v", i, w.err)
				}
			case <-over.Done():
				t.Errorf("worker %d still runs: %+v\n%s", i, w.Status(), last(w.logged(), 3000))
				w.kill()
			}
		}
		for _, s := range shops {
			a.eachOnce(s.appID, p.Start, p.End)
		}
		var kept, written int64
		a.admin(func(ctx context.Context, admin *kadm.Client) error {
			ends, err := admin.ListEndOffsets(ctx, a.name+".offsets")
			ends.Each(func(o kadm.ListedOffset) { written += o.Offset })
			return err
		})
		for _, r := range a.topic(a.name + ".offsets") {
			_ = r
			kept++
		}
		t.Logf("of %d offsets %d records are left", written, kept)
		if kept > written/2 {
			t.Errorf("the cleaner has done next to nothing: %d records of %d offsets are left", kept, written)
		}
	})
}
