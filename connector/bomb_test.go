package connector

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// bombs writes records into a partition of the offsets topic that are small there and
// large once decompressed.
func (a *testbed) bombs(lane int32, keys ...[]byte) {
	a.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerBatchMaxBytes(64<<20), kgo.BrokerMaxWriteBytes(128<<20))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, key := range keys {
		r := &kgo.Record{Topic: a.name + ".offsets", Partition: lane, Key: key, Value: make([]byte, 24<<20)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			a.Fatal(err)
		}
	}
}

// A record of another program that is too large in the offsets topic affects no shop.
// One with a shop's own key fails that shop, and the error says what to do.
func TestBombsInTheOffsetsTopic(t *testing.T) {
	inBubble(t, func(a *testbed) {
		one, p := backlog("wx1", 200)
		two, _ := backlog("wx2", 200)
		a.simulate(simulator.Config{Seed: 3, Shops: []simulator.Shop{one, two}})
		a.createOffsetsTopic()
		other := offsets.Partition{Shop: "wx2", Range: "create_time"}
		for lane := range int32(4) {
			a.bombs(lane, []byte("of another program"))
		}
		a.bombs(int32(laneOf(a.name, other, 4)), offsets.Key{Kind: offsets.KindShop, Partition: other}.Bytes(a.name))
		err := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p}).wait()
		if err == nil || !strings.Contains(err.Error(), "wx2") || !strings.Contains(err.Error(), "tombstone") || strings.Contains(err.Error(), "wx1") {
			t.Errorf("the run ended with %v", err)
		}
		a.eachOnce("wx1", p.Start, p.End)
	})
}
