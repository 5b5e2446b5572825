//go:build kafka

package trial

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// TestForgottenProcessIsFenced freezes the owner before a request of a commit for so
// long that another process takes its lanes, commits and leaves, and Kafka forgets the
// lanes' transactional IDs. The first resumes as the only member of its group, and
// continues from where the other stopped. In between, the other is idle at times for
// longer than these brokers remember a transactional ID.
func TestForgottenProcessIsFenced(t *testing.T) {
	for _, version := range []string{kafkatest.Version, kafkatest.Older} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			proxy := kafkatest.NewProxy(1)
			t.Cleanup(proxy.Close)
			cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{
				Version: version, Proxies: []*kafkatest.Proxy{proxy},
				Properties: append(kafkatest.Forgetful(), "group.min.session.timeout.ms=1000"),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Stop)
			w := newWorld(t, cluster.Brokers(), func(w *fixture) simulator.Config {
				cfg := fiveShops(w, 2000)
				w.sources[len(w.sources)-1].end = 0 // no end until finish
				cfg.Shops[len(cfg.Shops)-1].Live.Until = 0
				return cfg
			})
			settings := func(name string) []string {
				return []string{"WORKER_ID=" + name, "SESSION_TIMEOUT=2s", "RATE_LIMIT=40", "PAGE_SIZE=10",
					"LOOKBACK=4s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s"}
			}
			var ids []string
			for lane := range 4 {
				ids = append(ids, fmt.Sprintf("%s-%d", w.group, lane))
			}
			owner := w.run(append(settings("owner"), "KAFKA_BROKERS="+strings.Join(cluster.ProxyBrokers(0), ","))...)
			for _, api := range []int16{addPartitions, produce, kafkatest.EndTxn} {
				w.listedMore(owner, 100)
				before := proxy.Hits(api, kafkatest.HoldRequest)
				proxy.SetRules(kafkatest.Rule{API: api, Do: kafkatest.HoldRequest, Probability: 1})
				w.eventually("a request to freeze at", owner, func() bool { return proxy.Hits(api, kafkatest.HoldRequest) > before })
				owner.signal(syscall.SIGSTOP)

				heir := w.run(settings(fmt.Sprint("heir-", api))...)
				heir.published(300)
				heir.signal(syscall.SIGTERM)
				if code := heir.exit(); code != 0 {
					t.Errorf("the heir was stopped and exited with code %d\n%s", code, heir.tail())
				}
				if err := kafkatest.Forgotten(t.Context(), cluster.Brokers(), ids...); err != nil {
					t.Fatal(err)
				}

				proxy.SetRules()
				owner.signal(syscall.SIGCONT)
				more := owner.metric("orderwalk_orders_published_total")
				w.eventually("the owner's recovery", owner, func() bool { return owner.metric("orderwalk_orders_published_total") > more })
			}
			w.finish(3 * time.Second)
			if code := owner.exit(); code != 0 {
				t.Errorf("the owner ended with %d\n%s", code, owner.tail())
			}
			// Whether the transaction coordinator rejects the lane, or the group stops
			// it before that, is a race; internal/txn tests the former.
			fenced := strings.Count(owner.stderr.String(), "the transactional ID was removed by Kafka")
			t.Logf("%d log lines about the removed transactional ID; %d orders", fenced, w.eachOnce())
		})
	}
}
