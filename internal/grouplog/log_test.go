package grouplog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/txn"
)

// The bytes of keys are promised: compaction depends on them.
func TestKeyBytes(t *testing.T) {
	for want, n := range map[string]Name{
		`["g",{"component":"wxc","ledger":"ticket"}]`:              {Component: "wxc", Kind: "ticket"},
		`["g",{"component":"wxc","shop":"wx1","ledger":"tokens"}]`: {Component: "wxc", Shop: "wx1", Kind: "tokens"},
		`["g",{"shop":"wx1","ledger":"order"}]`:                    {Shop: "wx1", Kind: "order"},
	} {
		if got := string(n.Bytes("g")); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, ok := Parse("g", []byte(want)); !ok || got != n {
			t.Errorf("parse %s = %+v, %v", want, got, ok)
		}
		if _, ok := Parse("other", []byte(want)); ok {
			t.Errorf("%s is another group's", want)
		}
	}
	if got := string(Key("g")); got != `["g",{"ledger":"ledger"}]` {
		t.Error(got)
	}
	for _, foreign := range []string{`["g",{"shop":"wx1","range":"create_time"}]`, `["g",{"ledger":"ticket","component":"wxc"}]`, `"ledger":`, `[]`} {
		if n, ok := Parse("g", []byte(foreign)); ok {
			t.Errorf("%s is %+v", foreign, n)
		}
	}
}

// FuzzAdd checks for every content of the topic that an accepted key is the only encoding
// of its name, and that the latest record of a name is the last one delivered, in
// whichever order they are read.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(`["g",{"component":"wxc","ledger":"ticket"}]`), []byte(`{"v":1}`), []byte(`["g",{"component":"wxc","ledger":"ticket"}]`), []byte(`{"v":2}`))
	f.Add([]byte(`["g",{"shop":"wx1","range":"create_time"}]`), []byte(`{"v":1}`), []byte(`["g",{"ledger":"new"}]`), []byte(nil))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		for _, key := range [][]byte{k1, k2} {
			if n, ours := Parse("g", key); ours && !bytes.Equal(n.Bytes("g"), key) {
				t.Fatalf("%q was taken as %+v", key, n)
			}
		}
		first, second := txn.Record{Offset: 3, Key: k1, Value: v1}, txn.Record{Offset: 7, Key: k2, Value: v2}
		read := func(records ...txn.Record) (latest map[Name][]byte, l *Log) {
			latest = make(map[Name][]byte)
			l = New(Config{Group: "g"})
			l.On(func(r Record) { latest[r.Name] = r.Value }, "ticket", "tokens", "order", "new")
			for _, r := range records {
				if err := l.add(r); err != nil {
					t.Fatal(err)
				}
			}
			return latest, l
		}
		straight, l := read(first, second, first)
		back, m := read(second, first)
		if l.position() != 8 || m.position() != 8 {
			t.Fatalf("positions %d and %d", l.position(), m.position())
		}
		if bytes.Equal(k1, k2) && fmt.Sprint(straight) != fmt.Sprint(back) {
			t.Fatalf("%v, and the other way round %v", straight, back)
		}
	})
}

// fixture is a Kafka on a virtual network.
type fixture struct {
	*testing.T
	kafka   *kfake.Cluster
	network *kfake.VirtualNetwork
}

func inBubble(t *testing.T, story func(w *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "offsets"))
		if err != nil {
			t.Fatal(err)
		}
		story(&fixture{T: t, kafka: cluster, network: network})
		cluster.Close()
		synctest.Wait()
	})
}

// worker is one process's log; heard holds its records of kind "order", as text.
type worker struct {
	*Log
	heard chan string
	stop  func()
}

func (w *fixture) start(name string, follows bool) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &kafka.Transport{Dial: w.network.DialContext}
	k := &worker{heard: make(chan string, 100), Log: New(Config{Group: "g", Topic: "offsets", Worker: name,
		Addr: kafka.TCP("localhost:9092"), Transport: transport, TransactionTimeout: 30 * time.Second})}
	k.On(func(r Record) { k.heard <- r.Name.Shop + " " + string(r.Value) }, "order")
	var following sync.WaitGroup
	if follows {
		k.At(0)
		following.Go(func() { k.Follow(ctx) })
	}
	k.stop = func() {
		cancel()
		following.Wait()
		transport.CloseIdleConnections()
	}
	synctest.Wait()
	return k
}

func order(shop, value string) Entry {
	return Entry{Name: Name{Shop: shop, Kind: "order"}, Value: []byte(value)}
}

// TestWhatOneWorkerPostsAllHear checks that all workers, including one that starts later,
// receive a post, and that kinds without a receiver are skipped.
func TestWhatOneWorkerPostsAllHear(t *testing.T) {
	inBubble(t, func(w *fixture) {
		early := w.start("early", false)
		if err := early.Post(w.Context(), order("wx1", "0")); !errors.Is(err, ErrNotYet) {
			w.Errorf("before Kafka was reached: %v", err)
		}
		one, other := w.start("one", true), w.start("other", true)
		began := time.Now()
		if err := one.Post(w.Context(), Entry{Name: Name{Shop: "wx1", Kind: "later"}, Value: []byte("?")}); err != nil {
			w.Fatal(err)
		}
		if err := one.Post(w.Context(), order("wx1", "1")); err != nil {
			w.Fatal(err)
		}
		if got := <-other.heard; got != "wx1 1" || time.Since(began) > time.Second {
			w.Errorf("heard %q after %v", got, time.Since(began))
		}
		late := w.start("late", true)
		if got := <-late.heard; got != "wx1 1" {
			w.Errorf("heard %q later", got)
		}
		for _, k := range []*worker{early, one, other, late} {
			k.stop()
		}
	})
}

// TestAPostAfterALongSilence checks that a post succeeds after Kafka has forgotten the
// transactional ID of a worker that has posted nothing for a week.
func TestAPostAfterALongSilence(t *testing.T) {
	inBubble(t, func(w *fixture) {
		k := w.start("a", true)
		if err := k.Post(w.Context(), order("wx1", "1")); err != nil {
			w.Fatal(err)
		}
		w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.InvalidProducerIDMapping, Count: 1})
		if err := k.Post(w.Context(), order("wx1", "2")); err != nil {
			w.Errorf("it was not kept: %v", err)
		}
		k.stop()
	})
}

// TestANewOwnerFencesTheOneBefore checks that across workers.
func TestANewOwnerFencesTheOneBefore(t *testing.T) {
	inBubble(t, func(w *fixture) {
		a, b := w.start("a", true), w.start("b", true)
		first, err := a.Own(w.Context(), "desk")
		if err != nil {
			w.Fatal(err)
		}
		if err := first.Commit(w.Context(), order("wx1", "1"), order("wx2", "1")); err != nil {
			w.Fatal(err)
		}
		second, err := b.Own(w.Context(), "desk")
		if err != nil {
			w.Fatal(err)
		}
		if err := first.Commit(w.Context(), order("wx1", "2")); !errors.Is(err, txn.ErrFenced) {
			w.Errorf("the fenced owner commits: %v", err)
		}
		if err := second.Commit(w.Context(), order("wx1", "3")); err != nil {
			w.Error(err)
		}
		for _, want := range []string{"wx1 1", "wx2 1", "wx1 3"} {
			if got := <-a.heard; got != want {
				w.Errorf("heard %q, want %q", got, want)
			}
		}
		a.stop()
		b.stop()
	})
}

// TestALanesOpenTransactionDelaysNoWorker checks that a transaction that a lane has left
// open in the partition, for good perhaps, keeps no worker from what the group has posted.
func TestALanesOpenTransactionDelaysNoWorker(t *testing.T) {
	inBubble(t, func(w *fixture) {
		lane, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(w.network.DialContext), kgo.TransactionalID("g-0"),
			kgo.TransactionTimeout(10*time.Minute))
		if err != nil {
			w.Fatal(err)
		}
		defer lane.Close()
		if err := lane.BeginTransaction(); err != nil {
			w.Fatal(err)
		}
		if err := lane.ProduceSync(w.Context(), &kgo.Record{Topic: "offsets", Value: []byte("a checkpoint")}).FirstErr(); err != nil {
			w.Fatal(err)
		}
		one, late := w.start("one", true), w.start("late", false)
		late.At(0)
		if err := one.Post(w.Context(), order("wx1", "1")); err != nil {
			w.Fatal(err)
		}
		if got := <-one.heard; got != "wx1 1" {
			w.Errorf("the follower heard %q", got)
		}
		began := time.Now()
		for range 2 {
			if err := late.CatchUp(w.Context()); err != nil {
				w.Fatal(err)
			}
		}
		if got := <-late.heard; got != "wx1 1" || len(late.heard) > 0 || time.Since(began) > 10*time.Second {
			w.Errorf("heard %q and %d more after %v", got, len(late.heard), time.Since(began))
		}
		if late.position() != 0 {
			w.Errorf("it would continue at %d, behind a transaction that is not decided", late.position())
		}
		one.stop()
		late.stop()
	})
}
