//go:build kafka

package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// Log lines about a Kafka that does not answer, each logged once.
const (
	waitsForKafka = "waiting for Kafka; the walk resumes when it answers"
	kafkaIsBack   = "no longer waiting for Kafka"
)

// TestBrokersFail lets two workers read live shops over three brokers while one broker
// after another fails in every way. The workers wait and resume, and neither exits.
func TestBrokersFail(t *testing.T) {
	t.Parallel()
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 3,
		// A killed broker is detected sooner than by default, after 9 s.
		Properties: []string{"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	w := newWorld(t, cluster.Brokers(), func(w *fixture) (cfg simulator.Config) {
		now := time.Now().Unix()
		for i := range 16 {
			appID := fmt.Sprintf("wxbrokers%02d", i)
			w.add(appID, createTime, now-3600, 0)
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: appID,
				Backlog: simulator.Backlog{Orders: 200, From: now - 3600, To: now - 1},
				Live:    simulator.Live{Rate: 3, Since: now}})
		}
		return cfg
	})
	w.api.SetFaults(simulator.Chaos(0.1))
	b := &brokers{w: w, cluster: cluster}
	for _, name := range []string{"worker-1", "worker-2"} {
		b.workers = append(b.workers, w.run("WORKER_ID="+name, "OFFSETS_PARTITIONS=8", "LOG_LEVEL=info",
			"TRANSACTION_TIMEOUT=8s", "LOOKBACK=8s", "SETTLE_DELAY=1s", "POLL_INTERVAL=1s"))
	}
	b.goOn()

	for _, trouble := range []struct {
		name string
		make func()
		// waits: no worker can make progress meanwhile, so all must report what they
		// wait for.
		waits bool
	}{
		{"leaders and coordinators move", b.moveLeaders, false},
		{"a broker is restarted", func() { b.restart(0, cluster.StopBroker, 0) }, false},
		{"a broker is killed and started", func() { b.restart(1, cluster.KillBroker, 0) }, false},
		{"the coordinator of transactions is killed", func() { b.restart(b.txnCoordinator(), cluster.KillBroker, 4*time.Second) }, false},
		{"the coordinator of the group is killed", func() { b.restart(b.groupCoordinator(), cluster.KillBroker, 4*time.Second) }, false},
		{"the offsets topic is below min ISR", b.belowMinISR, true},
		{"two of three brokers are down", b.twoDown, true},
	} {
		began := time.Now()
		waits, backs := b.said(waitsForKafka), b.said(kafkaIsBack)
		b.seen = make([]map[string]bool, len(b.workers))
		trouble.make()
		b.goOn()
		w.whole()
		for i, p := range b.workers {
			var told int
			// The preceding change of the replicas may cause another wait.
			w.eventually("an end of each wait", p, func() bool {
				text := p.stderr.String()
				told = strings.Count(text, waitsForKafka) - waits[i]
				return told == strings.Count(text, kafkaIsBack)-backs[i]
			})
			t.Logf("%s, %.1f s: life %d waited %d times, for %v", trouble.name, time.Since(began).Seconds(), p.number, told, b.seen[i])
			if trouble.waits && (len(b.seen[i]) == 0 || lastWait(p).Before(began.Add(-time.Minute))) {
				t.Errorf("%s: life %d waited for Kafka and did not say so\n%s", trouble.name, p.number, p.tail())
			}
		}
	}
	w.finish(3 * time.Second)
	for _, p := range b.workers {
		if code := p.exit(); code != 0 {
			t.Errorf("life %d came to the end of all shops and ended with %d\n%s", p.number, code, p.tail())
		}
	}
	t.Logf("%d orders, each once", w.eachOnce())
}

// brokers is a cluster and its workers.
type brokers struct {
	w       *fixture
	cluster *kafkatest.Cluster
	workers []*process
	seen    []map[string]bool // waits that each worker's metric has shown
}

// goOn waits until every worker has published more than it has now, twice: a
// transaction in progress may have been committed before.
func (b *brokers) goOn() {
	b.w.Helper()
	for range 2 {
		for i, p := range b.workers {
			before := p.metric("orderwalk_orders_published_total")
			b.w.eventually("the walk to go on", p, func() bool {
				b.look(i)
				return p.metric("orderwalk_orders_published_total") > before
			})
		}
	}
	for i, p := range b.workers {
		b.w.eventually("an end of waiting", p, func() bool {
			return b.look(i) == 0 && strings.Count(p.stderr.String(), waitsForKafka) == strings.Count(p.stderr.String(), kafkaIsBack)
		})
	}
}

// lastWait returns when a worker's log last said that it waits for Kafka. Of waits that
// follow each other within a minute it need not tell each.
func lastWait(p *process) (at time.Time) {
	for line := range strings.Lines(p.stderr.String()) {
		var entry struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &entry) == nil && strings.Contains(entry.Msg, "waiting for Kafka") && entry.Msg != kafkaIsBack {
			at = entry.Time
		}
	}
	return at
}

// look records the waits in a worker's metric.
func (b *brokers) look(i int) (waiting int) {
	for line := range strings.Lines(b.workers[i].get("/metrics")) {
		if rest, ok := strings.CutPrefix(line, "orderwalk_kafka_waiting"); ok && !strings.HasSuffix(rest, " 0\n") {
			if b.seen != nil {
				if b.seen[i] == nil {
					b.seen[i] = map[string]bool{}
				}
				b.seen[i][rest[:strings.LastIndexByte(rest, ' ')]] = true
			}
			waiting++
		}
	}
	return waiting
}

// said returns how often each worker's log contains a text.
func (b *brokers) said(text string) (n []int) {
	for _, p := range b.workers {
		n = append(n, strings.Count(p.stderr.String(), text))
	}
	return n
}

// spend sleeps and calls look.
func (b *brokers) spend(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		for i, p := range b.workers {
			if !p.running() {
				b.w.Fatalf("life %d ended by itself with %d\n%s", p.number, p.exit(), p.tail())
			}
			b.look(i)
		}
	}
}

// moveLeaders makes another broker the preferred leader of every partition, and then
// the leader.
func (b *brokers) moveLeaders() {
	b.w.Helper()
	topics := b.w.topics()
	admin(b.w, func(ctx context.Context, c *kadm.Client) (kadm.AlterPartitionAssignmentsResponses, error) {
		var req kadm.AlterPartitionAssignmentsReq
		topics.EachPartition(func(p kadm.PartitionDetail) {
			next := append(slices.Clone(p.Replicas[1:]), p.Replicas[0])
			req.Assign(p.Topic, p.Partition, next)
		})
		res, err := c.AlterPartitionAssignments(ctx, req)
		if err == nil {
			err = res.Error()
		}
		return res, err
	})
	admin(b.w, func(ctx context.Context, c *kadm.Client) (kadm.ElectLeadersResults, error) {
		return c.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
	})
	b.w.soon("other leaders", func() bool {
		moved := 0
		b.w.topics().EachPartition(func(p kadm.PartitionDetail) {
			if p.Leader != topics[p.Topic].Partitions[p.Partition].Leader {
				moved++
			}
		})
		return moved > 10
	})
}

func (b *brokers) restart(i int, end func(int), away time.Duration) {
	b.w.Helper()
	end(i)
	b.w.missed(i)
	b.spend(away)
	b.start(i)
}

func (b *brokers) start(i int) {
	b.w.Helper()
	if err := b.cluster.StartBroker(i); err != nil {
		b.w.Fatal(err)
	}
}

// txnCoordinator returns the broker that coordinates most of the lanes' transactions.
func (b *brokers) txnCoordinator() int {
	b.w.Helper()
	found := admin(b.w, func(ctx context.Context, c *kadm.Client) (kadm.FindCoordinatorResponses, error) {
		var ids []string
		for lane := range 8 {
			ids = append(ids, fmt.Sprintf("%s-%d", b.w.group, lane))
		}
		res := c.FindTxnCoordinators(ctx, ids...)
		return res, res.Error()
	})
	count := map[int32]int{}
	most := int32(1)
	for _, f := range found {
		if count[f.NodeID]++; count[f.NodeID] > count[most] {
			most = f.NodeID
		}
	}
	return int(most) - 1
}

func (b *brokers) groupCoordinator() int {
	b.w.Helper()
	return int(admin(b.w, func(ctx context.Context, c *kadm.Client) (kadm.FindCoordinatorResponses, error) {
		res := c.FindGroupCoordinators(ctx, b.w.group)
		return res, res.Error()
	})[b.w.group].NodeID) - 1
}

// belowMinISR requires three in-sync replicas of the offsets topic while there are
// two.
func (b *brokers) belowMinISR() {
	b.w.Helper()
	wanted := func(replicas string) {
		admin(b.w, func(ctx context.Context, c *kadm.Client) (kadm.AlterConfigsResponses, error) {
			res, err := c.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.insync.replicas", Value: &replicas}}, b.w.offsets())
			if err == nil {
				_, err = res.On(b.w.offsets(), func(r *kadm.AlterConfigsResponse) error { return r.Err })
			}
			return res, err
		})
	}
	b.cluster.StopBroker(2)
	b.w.missed(2)
	wanted("3")
	b.spend(5 * time.Second)
	b.start(2)
	b.spend(time.Second)
	wanted("2")
}

// twoDown leaves one broker, which can commit nothing and has no controller.
func (b *brokers) twoDown() {
	b.w.Helper()
	b.cluster.StopBroker(0)
	b.w.missed(0)
	b.cluster.StopBroker(1)
	b.spend(12 * time.Second)
	b.start(0)
	b.start(1)
}

// topics returns all topics, Kafka's internal ones too: their leaders are the
// coordinators.
func (w *fixture) topics() kadm.TopicDetails {
	w.Helper()
	return admin(w, func(ctx context.Context, c *kadm.Client) (kadm.TopicDetails, error) {
		return c.ListTopicsWithInternal(ctx)
	})
}

// missed waits until other brokers lead all partitions of a stopped broker. A killed
// broker that restarts before that still considers itself the coordinator, trusts only
// its own log, and tells the partitions so: a transaction is then committed in some
// and aborted in others. Kafka 4.3.1 does that at times (internal/txn/doc.go), and no
// client can prevent it.
func (w *fixture) missed(broker int) {
	w.Helper()
	w.soon(fmt.Sprintf("others in the place of broker %d", broker), func() bool {
		led := 0
		w.topics().EachPartition(func(p kadm.PartitionDetail) {
			if p.Leader == int32(broker+1) {
				led++
			}
		})
		return led == 0
	})
}

// whole waits until every replica has caught up; stopping another broker before that
// would be one too many.
func (w *fixture) whole() {
	w.Helper()
	w.soon("all replicas in sync", func() bool {
		behind := 0
		w.topics().EachPartition(func(p kadm.PartitionDetail) {
			if len(p.ISR) < len(p.Replicas) {
				behind++
			}
		})
		return behind == 0
	})
}

// soon repeats a check until it returns true.
func (w *fixture) soon(what string, ask func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited in vain for: %s", what)
		}
	}
}
