package cli

import (
	"bufio"
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/internal/txn"
)

// Partitions that are added while a topic is followed are followed too, from their
// beginning.
func TestTailFollowsAddedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "orders"))
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(network.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		transport := &kafka.Transport{Dial: network.DialContext, MetadataTTL: 6 * time.Second}
		addr := kafka.TCP("localhost:9092")
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		tail := tailer{reader: &txn.Reader{Addr: addr, Transport: transport}, printer: &printer{out: bufio.NewWriter(&out)}, topic: "orders", newest: all,
			count: func(ctx context.Context) (int, error) {
				return countPartitions(ctx, &kafka.Client{Addr: addr, Transport: transport}, "orders")
			}}
		ended := make(chan error)
		go func() { ended <- tail.run(ctx, 1, true) }()
		time.Sleep(time.Second)
		if _, err := kadm.NewClient(client).CreatePartitions(ctx, 2, "orders"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		client.ForceMetadataRefresh()
		time.Sleep(10 * time.Second)
		for partition := range int32(3) {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: partition, Key: []byte{'a' + byte(partition)}}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		cancel()
		<-ended
		transport.CloseIdleConnections()
		client.Close()
		cluster.Close()
		synctest.Wait()
		if text := out.String(); strings.Count(text, "\n") != 3 {
			t.Errorf("printed\n%s", text)
		}
	})
}
