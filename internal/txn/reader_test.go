package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (w *fixture) reader() *Reader {
	return &Reader{Addr: w.addr, Transport: w.transport, Log: slog.New(slog.NewTextHandler(&w.logged, nil))}
}

// values reads orders/0 from an offset to its end.
func (w *fixture) values(from int64) (values []string, next int64) {
	w.t.Helper()
	next, err := w.reader().ReadToEnd(w.t.Context(), orders, 0, from, func(r Record) error {
		values = append(values, string(r.Value))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return values, next
}

// franz is another producer, for orders/0.
func (w *fixture) franz(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("localhost:9092"), kgo.Dialer(w.net.DialContext),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(orders),
		kgo.TransactionTimeout(40 * time.Second),
	}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

func (w *fixture) produce(client *kgo.Client, values ...string) {
	w.t.Helper()
	for _, v := range values {
		if err := client.ProduceSync(w.t.Context(), &kgo.Record{Value: []byte(v)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *fixture) begin(client *kgo.Client) {
	w.t.Helper()
	if err := client.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) end(client *kgo.Client, how kgo.TransactionEndTry) {
	w.t.Helper()
	if err := client.EndTransaction(w.t.Context(), how); err != nil {
		w.t.Fatal(err)
	}
}

// Two other producers' interleaved transactions, one aborted, one committed; the
// producer of the aborted one commits later.
func TestReaderSkipsAbortedRecordsAndMarkers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		a, b := w.franz(kgo.TransactionalID("a")), w.franz(kgo.TransactionalID("b"))
		defer a.Close()
		defer b.Close()
		w.begin(a)
		w.begin(b)
		w.produce(a, "aborted 1")
		w.produce(b, "committed 1")
		w.produce(a, "aborted 2")
		w.end(a, kgo.TryAbort)
		w.produce(b, "committed 2")
		w.begin(a)
		w.produce(a, "committed 3")
		w.end(b, kgo.TryCommit)
		w.end(a, kgo.TryCommit)

		got, next := w.values(0)
		if want := []string{"committed 1", "committed 2", "committed 3"}; !reflect.DeepEqual(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}
		if next != 8 { // 5 records, 3 markers
			t.Errorf("next = %d, want 8", next)
		}
		// From within the aborted transaction, and from a marker.
		if got, _ := w.values(2); !reflect.DeepEqual(got, []string{"committed 2", "committed 3"}) {
			t.Errorf("from 2: %q", got)
		}
		if got, _ := w.values(7); len(got) != 0 {
			t.Errorf("from 7: %q", got)
		}
	})
}

func TestReaderKeepsEverythingOfARecord(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		want := someRecords(300, 5)
		writer := w.open()
		tx := writer.Begin()
		for _, r := range want {
			if err := tx.Append(orders, 2, r.Time, r.Key, r.Value, r.Headers); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		var got []Record
		if _, err := w.reader().ReadToEnd(t.Context(), orders, 2, 0, func(r Record) error {
			got = append(got, r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Topic, want[i].Partition, want[i].Offset = orders, 2, int64(i)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d records read back differ from the %d written", len(got), len(want))
		}
	})
}

func TestReaderReadsFranzsCodecs(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		t.Run(fmt.Sprint(codec), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				client := w.franz(kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(10*time.Millisecond))
				defer client.Close()
				var batch []*kgo.Record
				var want []string
				for i := range 500 {
					value := strings.Repeat(fmt.Sprint(i), 40)
					want = append(want, value)
					batch = append(batch, &kgo.Record{Value: []byte(value)})
				}
				if err := client.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if got, next := w.values(0); !reflect.DeepEqual(got, want) || next != 500 {
					t.Errorf("%d values up to %d, want 500", len(got), next)
				}
			})
		})
	}
}

// A transaction is open before the end: the reader waits for it and reports the wait,
// and the transaction's timeout ends it. The reader stops at the end.
func TestReadToEndWaitsForOpenTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		open, other := w.franz(kgo.TransactionalID("a")), w.franz(kgo.TransactionalID("b"))
		defer open.Close()
		defer other.Close()
		w.begin(open)
		w.produce(open, "never ended")
		w.begin(other)
		w.produce(other, "committed")
		w.end(other, kgo.TryCommit)

		started := time.Now()
		got, next := w.values(0)
		if !reflect.DeepEqual(got, []string{"committed"}) || next < 3 {
			t.Errorf("read %q up to %d", got, next)
		}
		if waited := time.Since(started); waited < 20*time.Second || waited > time.Minute {
			t.Errorf("waited %v of virtual time, want about the transaction timeout of 40 s", waited)
		}
		if n := strings.Count(w.logged.String(), "waiting for an open transaction"); n != 1 || !strings.Contains(w.logged.String(), "topic=orders partition=0 offset=0 end=3") {
			t.Errorf("the log says %d times what is waited for: %s", n, w.logged.String())
		}
	})
}

func TestReadToEndStopsAtTheEndItFound(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		client := w.franz()
		defer client.Close()
		w.produce(client, "1", "2", "3")
		var got []string
		next, err := w.reader().ReadToEnd(t.Context(), orders, 0, 0, func(r Record) error {
			if len(got) == 0 {
				w.produce(client, "too late")
			}
			got = append(got, string(r.Value))
			return nil
		})
		if err != nil || next != 3 || len(got) != 3 {
			t.Errorf("read %q up to %d, %v", got, next, err)
		}
		if got, _ := w.values(next); !reflect.DeepEqual(got, []string{"too late"}) {
			t.Errorf("went on with %q", got)
		}
	})
}

func TestReaderOffsets(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		if got, next := w.values(0); len(got) != 0 || next != 0 {
			t.Errorf("an empty partition gave %q up to %d", got, next)
		}
		client := w.franz()
		defer client.Close()
		w.produce(client, "1", "2", "3", "4", "5")
		if err := w.DeleteRecords(orders, 0, 2); err != nil {
			t.Fatal(err)
		}
		open := w.franz(kgo.TransactionalID("a"))
		defer open.Close()
		w.begin(open)
		w.produce(open, "open")
		r := w.reader()
		if first, err := r.First(t.Context(), orders, 0); first != 2 || err != nil {
			t.Errorf("First = %d, %v, want 2", first, err)
		}
		if last, err := r.Last(t.Context(), orders, 0); last != 5 || err != nil {
			t.Errorf("Last = %d, %v, want 5, before the open transaction", last, err)
		}
		w.end(open, kgo.TryAbort)
		if got, next := w.values(0); !reflect.DeepEqual(got, []string{"3", "4", "5"}) || next != 7 {
			t.Errorf("from before the first offset: %q up to %d", got, next)
		}
		if got, next := w.values(100); len(got) != 0 || next != 100 {
			t.Errorf("from beyond the end: %q up to %d", got, next)
		}
		if err := r.Follow(t.Context(), orders, 0, 100, func(Record) error { return nil }); !errors.Is(err, kafka.OffsetOutOfRange) {
			t.Errorf("following from beyond the end: %v", err)
		}
	})
}

func TestFollow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		client := w.franz()
		defer client.Close()
		got := make(chan string)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- w.reader().Follow(ctx, orders, 0, 0, func(r Record) error {
				got <- string(r.Value)
				return nil
			})
		}()
		for i := range 5 {
			value := fmt.Sprint(i)
			w.produce(client, value)
			if v := <-got; v != value {
				t.Errorf("got %q, want %q", v, value)
			}
			time.Sleep(10 * time.Second)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow = %v", err)
		}
		full := errors.New("enough")
		if err := w.reader().Follow(t.Context(), orders, 0, 3, func(Record) error { return full }); err != full {
			t.Errorf("Follow = %v, want the error of deliver as it is", err)
		}
	})
}

// A reading ahead does not wait for an open transaction that has nothing wanted. It waits
// for one that has, and delivers nothing of one that is aborted.
func TestReaderReadsAheadOfForeignTransactions(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		foreign, a, b := w.franz(kgo.TransactionalID("f")), w.franz(kgo.TransactionalID("a")), w.franz(kgo.TransactionalID("b"))
		for _, client := range []*kgo.Client{foreign, a, b} {
			defer client.Close()
			w.begin(client)
		}
		ours := func(client *kgo.Client, value string) {
			if err := client.ProduceSync(t.Context(), &kgo.Record{Key: []byte("ours"), Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		ours(a, "1")
		w.end(a, kgo.TryCommit)
		w.produce(foreign, "open")
		w.begin(a)
		ours(a, "2")
		ours(b, "aborted")
		w.end(a, kgo.TryCommit)
		w.end(b, kgo.TryAbort)
		w.begin(a)
		ours(a, "3")

		var got []string
		reader := w.reader()
		reader.Ahead, reader.Wanted = true, func(key []byte) bool { return string(key) == "ours" }
		deliver := func(r Record) error {
			got = append(got, fmt.Sprint(string(r.Value), " ", r.Ahead))
			return nil
		}
		read := make(chan int64)
		go func() {
			next, err := reader.ReadToEnd(t.Context(), orders, 0, 0, deliver)
			if err != nil {
				t.Error(err)
			}
			read <- next
		}()
		time.Sleep(5 * time.Second)
		select {
		case <-read:
			t.Error("the reading ended before the last wanted record was decided")
		default:
		}
		w.end(a, kgo.TryCommit)
		next := <-read
		if want := []string{"1 false", "2 true", "3 true"}; !reflect.DeepEqual(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}

		// From where it ended, everything that follows is there to be read.
		w.end(foreign, kgo.TryAbort)
		got = nil
		if _, err := reader.ReadToEnd(t.Context(), orders, 0, next, deliver); err != nil {
			t.Error(err)
		}
		if want := []string{"2 false", "3 false"}; !reflect.DeepEqual(got, want) {
			t.Errorf("read %q afterwards, want %q", got, want)
		}
	})
}

// Follow delivers ahead, too, and each record once more in its turn.
func TestFollowReadsAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		foreign, a := w.franz(kgo.TransactionalID("f")), w.franz()
		defer foreign.Close()
		defer a.Close()
		w.begin(foreign)
		w.produce(foreign, "open")
		ctx, stop := context.WithCancel(t.Context())
		arrived, followed := make(chan bool, 100), make(chan error)
		go func() {
			reader := w.reader()
			reader.Ahead, reader.Wanted = true, func(key []byte) bool { return string(key) == "ours" }
			followed <- reader.Follow(ctx, orders, 0, 0, func(r Record) error {
				arrived <- r.Ahead
				return nil
			})
		}()
		if err := a.ProduceSync(t.Context(), &kgo.Record{Key: []byte("ours")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if !<-arrived {
			t.Error("the record did not arrive ahead of the open transaction")
		}
		w.end(foreign, kgo.TryCommit)
		for <-arrived {
		}
		stop()
		if err := <-followed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
