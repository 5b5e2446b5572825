//go:build kafka

package txn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/topics"
	"orderwalk/test/kafkatest"
)

// kafkaFixture is a pair of topics on a real Kafka, and the walkers that fill them.
type kafkaFixture struct {
	t         *testing.T
	ctx       context.Context
	addr      net.Addr
	transport *kafka.Transport
	direct    []string // brokers, past any proxy
	orders    string
	offsets   string
	newest    atomic.Int32

	mu      sync.Mutex
	retries map[string]int
}

// onKafka creates topics for one test.
func onKafka(t *testing.T, brokers, direct []string) *kafkaFixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	name := fmt.Sprintf("txn-%d", time.Now().UnixNano())
	r := &kafkaFixture{
		t: t, ctx: ctx, addr: kafka.TCP(brokers...), direct: direct,
		orders: name + ".orders", offsets: name + ".offsets", retries: map[string]int{},
	}
	r.transport = r.newTransport()
	got, err := topics.Ensure(ctx, r.addr, r.transport,
		topics.Spec{Name: r.orders, Partitions: 6},
		topics.Spec{Name: r.offsets, Partitions: 2, Compacted: true})
	if err != nil {
		t.Fatal(err)
	}
	if got[r.orders] != 6 || got[r.offsets] != 2 {
		t.Fatalf("partitions = %v", got)
	}
	return r
}

func (r *kafkaFixture) newTransport() *kafka.Transport {
	transport := &kafka.Transport{ClientID: "orderwalk"}
	r.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (r *kafkaFixture) config(transport *kafka.Transport) Config {
	return Config{
		Addr: r.addr, Transport: transport, TransactionalID: r.orders,
		AnchorTopic: r.offsets, Topics: []string{r.orders},
		OnRetry: func(request, reason string, _ error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.retries[request+": "+reason]++
		},
	}
}

// walker is the next owner of the work.
func (r *kafkaFixture) walker(last int) *walker {
	transport := r.newTransport()
	return &walker{
		open:   func(ctx context.Context) (*Writer, error) { return Open(ctx, r.config(transport)) },
		reader: &Reader{Addr: r.addr, Transport: transport},
		orders: r.orders, offsets: r.offsets, last: last,
		number: r.newest.Add(1), newest: &r.newest,
	}
}

func (r *kafkaFixture) mustOpen(k *walker) *Writer {
	r.t.Helper()
	writer, err := k.open(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return writer
}

// expect reads both topics read_committed with franz-go and with our Reader.
func (r *kafkaFixture) expect(last int) {
	r.t.Helper()
	var theirs, ours []string
	records, err := kafkatest.ReadCommitted(r.ctx, r.direct, r.orders)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, record := range records {
		theirs = append(theirs, string(record.Key))
		if want := "order " + string(record.Key); string(record.Value) != want {
			r.t.Errorf("value %q, want %q", record.Value, want)
		}
	}
	k := r.walker(last)
	for p := range int32(6) {
		if _, err := k.reader.ReadToEnd(r.ctx, r.orders, p, 0, func(record Record) error {
			ours = append(ours, string(record.Key))
			return nil
		}); err != nil {
			r.t.Fatal(err)
		}
	}
	once(r.t, "franz-go", theirs, last)
	once(r.t, "our reader", ours, last)
	if at, err := k.checkpoint(r.ctx); at != last || err != nil {
		r.t.Errorf("checkpoint = %d, %v, want %d", at, err, last)
	}
}

func TestKafkaPublishesOnce(t *testing.T) {
	brokers := kafkatest.Start(t)
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			r := onKafka(t, brokers, brokers)
			k := r.walker(10_000)
			cfg := r.config(r.transport)
			cfg.Compression, cfg.MaxBatchBytes = codec, 3000
			writer, err := Open(r.ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			for at := 0; at < 10_000; at += 500 {
				if err := k.publish(r.ctx, writer, at+1, at+500); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("20 transactions of 500 records took %v; retries %v", time.Since(started), r.retries)
			r.expect(10_000)
		})
	}
}

// A newer owner opens before each request of the old one.
func TestKafkaFencesZombie(t *testing.T) {
	brokers := kafkatest.Start(t)
	for name, steps := range map[string]int{"before it begins": 0, "with its transaction open": 1, "with its records sent": 2} {
		t.Run(name, func(t *testing.T) {
			r := onKafka(t, brokers, brokers)
			k := r.walker(300)
			zombie := r.mustOpen(k)
			if err := k.publish(r.ctx, zombie, 1, 100); err != nil {
				t.Fatal(err)
			}
			tx := zombie.Begin()
			for i := 101; i <= 200; i++ {
				id := strconv.Itoa(i)
				if err := tx.Append(r.orders, int32(i%6), time.Now(), []byte(id), []byte("order "+id), nil); err != nil {
					t.Fatal(err)
				}
			}
			// The steps of Commit one by one, so that the test can freeze in between.
			if steps >= 1 {
				until := zombie.outcomeDeadline()
				if o := addByHand(r.ctx, zombie, tx); o.action != done {
					t.Fatalf("add partitions: %+v", o)
				}
				if steps >= 2 {
					if o := zombie.send(r.ctx, until, tx, rounds(tx.batches)[0]); o.action != done {
						t.Fatalf("produce: %+v", o)
					}
				}
			}
			heir := r.walker(300)
			started := time.Now()
			owner := r.mustOpen(heir)
			t.Logf("the new owner opened after %v", time.Since(started))
			if steps == 2 {
				if o := zombie.retry(r.ctx, callCommit, zombie.outcomeDeadline(), func(ctx context.Context, until time.Time) answer {
					return zombie.endTxn(ctx, until, true)
				}); o.action != fenced || o.unknown {
					t.Errorf("EndTxn of the zombie: %+v, want fenced", o)
				}
			}
			if err := zombie.Commit(r.ctx, tx); !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
				t.Errorf("the zombie's Commit = %v, want ErrFenced", err)
			}
			if at, err := heir.checkpoint(r.ctx); at != 100 || err != nil {
				t.Errorf("the new owner reads %d, %v, want 100", at, err)
			}
			if err := heir.publish(r.ctx, owner, 101, 300); err != nil {
				t.Errorf("the new owner's Commit = %v", err)
			}
			r.expect(300)
		})
	}
}

// addByHand begins a Commit: on a slow machine the one before may have been doubtful
// for a moment, and is looked into first.
func addByHand(ctx context.Context, w *Writer, tx *Transaction) (o outcome) {
	for {
		if w.mayDangle {
			if o = w.finishDangling(ctx, tx.partitions()); o.action != done {
				return o
			}
		}
		o = w.retry(ctx, callAdd, w.outcomeDeadline(), func(ctx context.Context, until time.Time) answer {
			return w.addPartitions(ctx, until, tx.partitions())
		})
		if o.action != repeat || ctx.Err() != nil {
			return o
		}
	}
}

// The broker ends a transaction that is open for longer than its timeout.
func TestKafkaEndsOverdueTransaction(t *testing.T) {
	brokers := kafkatest.Start(t)
	r := onKafka(t, brokers, brokers)
	k := r.walker(200)
	if err := k.publish(r.ctx, r.mustOpen(k), 1, 100); err != nil {
		t.Fatal(err)
	}
	cfg := r.config(r.transport)
	// The first transaction must exist before the timeout of the second one is over.
	cfg.TransactionTimeout = 20 * time.Second
	writer, err := Open(r.ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tx := writer.Begin()
	if err := tx.Append(r.orders, 0, time.Now(), []byte("101"), []byte("order 101"), nil); err != nil {
		t.Fatal(err)
	}
	if o := addByHand(r.ctx, writer, tx); o.action != done {
		t.Fatalf("add partitions: %+v", o)
	}
	if o := writer.send(r.ctx, writer.outcomeDeadline(), tx, rounds(tx.batches)[0]); o.action != done {
		t.Fatalf("produce: %+v", o)
	}
	r.expect(100) // waits until the broker has ended it
	if err := writer.Commit(r.ctx, tx); !errors.Is(err, ErrFenced) {
		t.Errorf("Commit = %v, want ErrFenced", err)
	}
	if err := k.publish(r.ctx, r.mustOpen(k), 101, 200); err != nil {
		t.Fatal(err)
	}
	r.expect(200)
}
