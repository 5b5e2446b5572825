//go:build kafka

package txn

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/internal/topics"
	"orderwalk/test/kafkatest"
)

// How the Reader handles aborted and compacted records of other producers.
func TestKafkaReader(t *testing.T) {
	brokers := kafkatest.Start(t)
	r := onKafka(t, brokers, brokers)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(r.orders+".other"),
		kgo.DefaultProduceTopic(r.orders), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	k, want := r.walker(0), 0
	for i := range 30 {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 20 {
			key := fmt.Sprint("aborted ", i, " ", j)
			if i%3 == 0 {
				want++
				key = strconv.Itoa(want)
			}
			record := &kgo.Record{Partition: int32(j % 6), Key: []byte(key), Value: []byte("order " + key)}
			if err := client.ProduceSync(r.ctx, record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.EndTransaction(r.ctx, kgo.TransactionEndTry(i%3 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	writer := r.mustOpen(k)
	if err := k.publish(r.ctx, writer, want+1, want+50); err != nil {
		t.Fatal(err)
	}
	r.expect(want + 50)
	for p := range int32(6) {
		first, err1 := k.reader.First(r.ctx, r.orders, p)
		last, err2 := k.reader.Last(r.ctx, r.orders, p)
		if first != 0 || last < 50 || err1 != nil || err2 != nil {
			t.Errorf("partition %d: first %d, last %d, %v, %v", p, first, last, err1, err2)
		}
	}
}

// Kafka's own compaction leaves batches without their last records, and empty.
func TestKafkaReaderCrossesCompaction(t *testing.T) {
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Properties: []string{
		"log.cleaner.backoff.ms=100", "log.retention.check.interval.ms=200",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	r := onKafka(t, cluster.Brokers(), cluster.Brokers())
	const name = "compacted"
	if _, err := topics.Ensure(r.ctx, r.addr, r.transport, topics.Spec{
		Name: name, Partitions: 1, Compacted: true, Config: map[string]string{
			"segment.bytes": "1048576", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "300",
		},
	}); err != nil {
		t.Fatal(err)
	}
	k := r.walker(0)
	writer := r.mustOpen(k)
	written := 0
	for i := range 60 {
		tx := writer.Begin()
		for j := range 5 {
			written++
			key := fmt.Sprint("k", j*(1+i%2))
			if err := tx.Append(name, 0, time.Now(), []byte(key), []byte(strconv.Itoa(i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.Commit(r.ctx, tx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // lets segments grow old enough to roll
	}
	for {
		read, last := 0, map[string]string{}
		next, err := k.reader.ReadToEnd(r.ctx, name, 0, 0, func(record Record) error {
			read++
			last[string(record.Key)] = string(record.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if next < 360 || last["k3"] != "58" || last["k8"] != "59" || len(last) != 7 {
			t.Fatalf("read up to %d: %v", next, last)
		}
		if read < written/2 {
			t.Logf("%d of %d records are left", read, written)
			return
		}
		time.Sleep(200 * time.Millisecond)
		// A new record makes the active segment roll.
		tx := writer.Begin()
		if err := tx.Append(name, 0, time.Now(), []byte("k8"), []byte("59"), nil); err != nil {
			t.Fatal(err)
		}
		if err := writer.Commit(r.ctx, tx); err != nil {
			t.Fatal(err)
		}
		written++
	}
}
