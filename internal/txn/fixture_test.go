package txn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	orders  = "orders"  // 6 partitions
	offsets = "offsets" // 2 partitions
	txnID   = "g-0"
)

// fixture is a Kafka of three brokers inside a synctest bubble.
type fixture struct {
	*kfake.Cluster
	t         *testing.T
	ctx       context.Context // ends with the test, for transports
	net       *kfake.VirtualNetwork
	addr      net.Addr
	transport *kafka.Transport

	disturbed *network       // of the last disturb
	late      sync.WaitGroup // requests of disturb that are still under way
	mu        sync.Mutex
	retries   map[string]int // by request and reason
	logged    bytes.Buffer
}

func inBubble(t *testing.T, test func(t *testing.T, w *fixture), opts ...kfake.Opt) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(append([]kfake.Opt{
			kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(network.Listen),
			kfake.SeedTopics(6, orders), kfake.SeedTopics(2, offsets),
		}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(6) {
			cluster.MoveTopicPartition(orders, p, p%3)
		}
		cluster.MoveTopicPartition(offsets, 0, 0)
		cluster.MoveTopicPartition(offsets, 1, 1)
		ctx, cancel := context.WithCancel(context.Background())
		w := &fixture{
			Cluster: cluster, t: t, ctx: ctx, net: network,
			addr:    kafka.TCP("localhost:9092", "localhost:9093", "localhost:9094"),
			retries: map[string]int{},
		}
		w.transport = w.newTransport()
		defer func() {
			w.late.Wait()
			w.transport.CloseIdleConnections()
			cancel()
			time.Sleep(time.Minute) // for the deadlines of swallowed requests
			cluster.Close()
			synctest.Wait()
		}()
		test(t, w)
	})
}

func (w *fixture) newTransport() *kafka.Transport {
	return &kafka.Transport{Dial: w.net.DialContext, MetadataTTL: time.Hour, Context: w.ctx, ClientID: "orderwalk"}
}

func (w *fixture) config() Config {
	return Config{
		Addr: w.addr, Transport: w.transport, TransactionalID: txnID,
		AnchorTopic: offsets, Topics: []string{orders},
		Log: slog.New(slog.NewTextHandler(&w.logged, nil)),
		OnRetry: func(request, reason string, _ error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.retries[request+": "+reason]++
		},
	}
}

func (w *fixture) open() *Writer {
	w.t.Helper()
	writer, err := Open(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return writer
}

// fill appends a page: orders first to last over all partitions, and the
// checkpoint that covers them.
func fill(t testing.TB, tx *Transaction, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		id := fmt.Sprint(i)
		if err := tx.Append(orders, int32(i%6), time.Now(), []byte(id), []byte("order "+id), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Append(offsets, 0, time.Now(), []byte("checkpoint"), []byte(fmt.Sprint(last)), nil); err != nil {
		t.Fatal(err)
	}
}

// publish commits a page.
func (w *fixture) publish(writer *Writer, first, last int) error {
	tx := writer.Begin()
	fill(w.t, tx, first, last)
	return writer.Commit(w.t.Context(), tx)
}

func (w *fixture) mustPublish(writer *Writer, first, last int) {
	w.t.Helper()
	if err := w.publish(writer, first, last); err != nil {
		w.t.Fatalf("publish %d to %d: %v", first, last, err)
	}
}

// expect reads everything read_committed, with franz-go and with our own
// Reader, which waits for open transactions: each order from 1 to last once,
// nothing else, and the last checkpoint.
func (w *fixture) expect(last int) {
	w.t.Helper()
	w.expectNow(last)
	var ours []string
	reader := &Reader{Addr: w.addr, Transport: w.transport}
	for p := range int32(6) {
		if _, err := reader.ReadToEnd(w.t.Context(), orders, p, 0, func(r Record) error {
			ours = append(ours, string(r.Key))
			return nil
		}); err != nil {
			w.t.Error(err)
		}
	}
	once(w.t, "our reader", ours, last)
}

// expectNow is expect with franz-go alone, which reads without waiting.
func (w *fixture) expectNow(last int) {
	w.t.Helper()
	var keys []string
	checkpoint := ""
	for _, r := range w.readWithFranz() {
		if r.Topic == offsets {
			checkpoint = string(r.Value)
			continue
		}
		keys = append(keys, string(r.Key))
		if want := "order " + string(r.Key); string(r.Value) != want {
			w.t.Errorf("value %q, want %q", r.Value, want)
		}
	}
	once(w.t, "franz-go", keys, last)
	if last > 0 && checkpoint != fmt.Sprint(last) {
		w.t.Errorf("checkpoint %q, want %d", checkpoint, last)
	}
}

// once checks that the keys are 1 to last, each once.
func once(t testing.TB, who string, keys []string, last int) {
	t.Helper()
	got := map[string]int{}
	for _, k := range keys {
		got[k]++
	}
	missing, twice := 0, 0
	for i := 1; i <= last; i++ {
		switch n := got[fmt.Sprint(i)]; {
		case n == 0:
			missing++
		case n > 1:
			twice++
		}
	}
	if missing > 0 || twice > 0 || len(got) != last {
		t.Errorf("%s saw %d orders of 1 to %d: %d missing, %d more than once", who, len(got), last, missing, twice)
	}
}

// readWithFranz reads both topics up to their high watermarks.
func (w *fixture) readWithFranz() []*kgo.Record {
	w.t.Helper()
	start := map[string]map[int32]kgo.Offset{orders: {}, offsets: {}}
	for topic, n := range map[string]int32{orders: 6, offsets: 2} {
		for p := range n {
			start[topic][p] = kgo.NewOffset().AtStart()
		}
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers("localhost:9092"), kgo.Dialer(w.net.DialContext),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(start),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.WithDecompressor(decompressor{kgo.DefaultDecompressor()}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	// Two seconds of virtual time without a new record are the end.
	var records []*kgo.Record
	for {
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		fetches := client.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return records
		}
		fetches.EachError(func(topic string, p int32, err error) { w.t.Errorf("franz-go: %s/%d: %v", topic, p, err) })
		records = append(records, fetches.Records()...)
	}
}

// decompressor is franz-go's, apart from zstd: that leaves decoders to a
// finalizer, which runs outside of the bubble and panics.
type decompressor struct{ kgo.Decompressor }

func (d decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecZstd {
		return d.Decompressor.Decompress(src, codec)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(src, nil)
}

// requests counts the requests that brokers get from now on, by key.
func (w *fixture) requests() map[kmsg.Key]int {
	counts := map[kmsg.Key]int{}
	w.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		counts[kmsg.Key(r.Key())]++
		return nil, nil, false
	})
	return counts
}
