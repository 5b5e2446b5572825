//go:build kafka

package trial

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestALoneBrokerIsRestarted stops the only broker cleanly and restarts it, under a
// worker that keeps running or is killed meanwhile. A stopping broker may confirm
// commits whose markers it never writes; these transactions then hold back every
// reader, and the next one may be on top of them. No order is lost or repeated, reading
// resumes, and no transaction is open at the end.
func TestALoneBrokerIsRestarted(t *testing.T) {
	t.Parallel()
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	w := newWorld(t, cluster.Brokers(), func(w *fixture) (cfg simulator.Config) {
		now := time.Now().Unix()
		for i := range 32 {
			appID := fmt.Sprintf("wxlone%02d", i)
			w.add(appID, createTime, now-3600, 0)
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID,
				Backlog: simulator.Backlog{Orders: 1500, From: now - 3600, To: now - 1},
				Live:    simulator.Live{Rate: 3, Since: now}})
		}
		return cfg
	})
	settings := []string{"WORKER_ID=lone", "OFFSETS_PARTITIONS=8", "LOG_LEVEL=info", "TRANSACTION_TIMEOUT=8s",
		"LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s", "PAGE_SIZE=5", "RATE_LIMIT=20",
		"TOPIC_PARTITIONS=24"} // more than one transaction is in
	p := w.run(settings...)
	for round := range 4 {
		w.listedMore(p, 1000)
		cluster.StopBroker(0)
		if round%2 == 0 {
			p.kill()
		}
		if err := cluster.StartBroker(0); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 {
			p = w.run(settings...)
		}
	}
	w.listedMore(p, 1000)
	w.finish(3 * time.Second)
	if code := p.exit(); code != 0 {
		w.Errorf("the worker came to the end of all shops and ended with %d\n%s", code, p.tail())
	}
	t.Logf("%d orders, each once", w.eachOnce())
	mended, resumed := 0, 0
	for _, life := range w.lives {
		mended += strings.Count(life.stderr.String(), "ended a dangling transaction")
		resumed += strings.Count(life.stderr.String(), "resuming the transaction")
	}
	t.Logf("%d transactions were left open by Kafka and ended, %d resumed above another", mended, resumed)
	stable := admin(w, func(ctx context.Context, c *kadm.Client) (kadm.ListedOffsets, error) {
		return c.ListCommittedOffsets(ctx, w.orders(), w.offsets())
	})
	admin(w, func(ctx context.Context, c *kadm.Client) (kadm.ListedOffsets, error) {
		return c.ListEndOffsets(ctx, w.orders(), w.offsets())
	}).Each(func(end kadm.ListedOffset) {
		if last, ok := stable.Lookup(end.Topic, end.Partition); !ok || last.Offset != end.Offset {
			w.Errorf("%s/%d is stable up to %d of %d: a transaction is open", end.Topic, end.Partition, last.Offset, end.Offset)
		}
	})
}
