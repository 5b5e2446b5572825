//go:build kafka

package txn

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/topics"
	"orderwalk/test/kafkatest"
)

// Three brokers behind a network that loses, swallows and delays, one broker
// after the other killed, owners taking over from each other.
func TestKafkaChaos(t *testing.T) {
	proxy := kafkatest.NewProxy(7)
	defer proxy.Close()
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 3, Proxies: []*kafkatest.Proxy{proxy}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	r := onKafka(t, cluster.ProxyBrokers(0), cluster.Brokers())
	const last = 15_000

	var rules []kafkatest.Rule
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn, kmsg.InitProducerID, kmsg.Fetch, kmsg.Metadata} {
		for _, do := range []kafkatest.Action{kafkatest.DropRequest, kafkatest.DelayRequest, kafkatest.CutAnswer, kafkatest.SwallowAnswer} {
			rule := kafkatest.Rule{API: int16(key), Do: do, Probability: 0.02, Delay: 3 * time.Second}
			if do == kafkatest.SwallowAnswer { // these cost a timeout each
				rule.Probability, rule.Limit = 0.01, 2
			}
			rules = append(rules, rule)
		}
	}
	proxy.SetRules(rules...)

	failed := make(chan error, 3)
	var walkers []*walker
	for i := range 3 {
		k := r.walker(last)
		walkers = append(walkers, k)
		go func() { failed <- k.run(r.ctx) }()
		time.Sleep(5 * time.Second)
		cluster.KillBroker(i)
		// A broker that is back before the others miss it still takes itself for
		// the coordinator; then Kafka commits by halves: see doc.go.
		led(t, cluster, "others in the place of the one that was killed", func(p kadm.PartitionDetail) bool { return p.Leader != int32(i+1) })
		if err := cluster.StartBroker(i); err != nil {
			t.Fatal(err)
		}
		led(t, cluster, "all replicas in sync", func(p kadm.PartitionDetail) bool { return len(p.ISR) == len(p.Replicas) })
	}
	for range walkers {
		if err := <-failed; err != nil {
			t.Errorf("a walker gave up: %v", err)
		}
	}
	proxy.SetRules()
	r.expect(last)
	for i, k := range walkers {
		t.Logf("walker %d opened %d times", i, k.opened)
	}
	t.Logf("retries: %v", r.retries)
	t.Logf("%d EndTxn delayed, %d swallowed, %d cut", proxy.Hits(kafkatest.EndTxn, kafkatest.DelayRequest),
		proxy.Hits(kafkatest.EndTxn, kafkatest.SwallowAnswer), proxy.Hits(kafkatest.EndTxn, kafkatest.CutAnswer))
}

// led waits until a condition holds for every partition, those of Kafka's own topics
// included.
func led(t *testing.T, cluster *kafkatest.Cluster, what string, of func(kadm.PartitionDetail) bool) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		topics, err := admin.ListTopicsWithInternal(ctx)
		all := err == nil
		topics.EachPartition(func(p kadm.PartitionDetail) { all = all && of(p) })
		if all {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for: %s (%v)", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// BenchmarkKafkaCommit commits transactions in sequence: 100 records over 6 partitions
// and a checkpoint.
func BenchmarkKafkaCommit(b *testing.B) {
	brokers := kafkatest.Start(b)
	for _, size := range []int{100, 1000, 5000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			transport := &kafka.Transport{}
			defer transport.CloseIdleConnections()
			addr := kafka.TCP(brokers...)
			if _, err := topics.Ensure(b.Context(), addr, transport,
				topics.Spec{Name: "bench.orders", Partitions: 6}, topics.Spec{Name: "bench.offsets", Partitions: 1}); err != nil {
				b.Fatal(err)
			}
			writer, err := Open(b.Context(), Config{Addr: addr, Transport: transport, TransactionalID: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			k := walker{orders: "bench.orders", offsets: "bench.offsets"}
			b.ReportAllocs()
			for b.Loop() {
				if err := k.publish(b.Context(), writer, 1, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
