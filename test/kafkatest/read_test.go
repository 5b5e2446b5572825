package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

func TestReadCommitted(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	testReadCommitted(t, cluster.ListenAddrs())
}

// testReadCommitted also runs against a real broker, see cluster_kafka_test.go.
func testReadCommitted(t *testing.T, brokers []string) {
	const topic = "read-committed"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.TransactionalID(topic),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kafkatest.ReadCommitted(ctx, brokers, topic); err == nil {
		t.Error("reading a topic that does not exist succeeds")
	}
	// Partition 2 stays empty.
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 3, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	produce := func(values ...string) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			r := &kgo.Record{Partition: int32(i % 2), Value: []byte(value)}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := func(commit kgo.TransactionEndTry) {
		t.Helper()
		if err := client.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
	}
	want := func(values ...string) {
		t.Helper()
		records, err := kafkatest.ReadCommitted(ctx, brokers, topic)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprintf("%d/%s", r.Partition, r.Value))
		}
		if !slices.Equal(got, values) {
			t.Errorf("read %v, want %v", got, values)
		}
	}

	want()
	produce("a", "b", "c")
	end(kgo.TryCommit)
	want("0/a", "0/c", "1/b")
	produce("dropped", "dropped") // now the log ends with an aborted transaction
	end(kgo.TryAbort)
	want("0/a", "0/c", "1/b")
	produce("d")
	end(kgo.TryCommit)
	want("0/a", "0/c", "0/d", "1/b")

	produce("open")
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := kafkatest.ReadCommitted(short, brokers, topic); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading up to an open transaction ends with %v, want the deadline", err)
	}
	end(kgo.TryCommit)
	want("0/a", "0/c", "0/d", "0/open", "1/b")
}
