package cli

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// clientVersions are the two ways a client adds partitions to a transaction:
// with requests of their own, as orderwalk does, or with the records.
var clientVersions = map[string]*kversion.Versions{"requests": kversion.V3_6_0(), "records": kversion.Stable()}

// image copies the data of a broker that runs: what a kill leaves behind.
func image(t *testing.T, from *devData) *devData {
	t.Helper()
	to := &devData{dir: t.TempDir(), killed: true}
	if err := os.CopyFS(to.dir, os.DirFS(from.dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func openBroker(t *testing.T, data *devData) *devBroker {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := startBroker(listener, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func client(t *testing.T, b *devBroker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// write begins a transaction with a record in each of the two partitions.
func write(t *testing.T, c *kgo.Client, value string) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range int32(2) {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t *testing.T, c *kgo.Client) {
	t.Helper()
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// committed reads a partition to its end as a consumer with read_committed.
func committed(t *testing.T, b *devBroker, partition int32) []string {
	t.Helper()
	c := client(t, b, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {partition: kgo.NewOffset().AtStart()}}))
	// The end is known by a last, committed record of our own.
	end := client(t, b)
	if err := end.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: partition, Value: []byte("end")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var values []string
	for !slices.Contains(values, "end") {
		fetches := c.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values[:slices.Index(values, "end")]
}

func TestDevBrokerAfterAKill(t *testing.T) {
	for way, versions := range clientVersions {
		t.Run("partitions added by "+way, func(t *testing.T) { brokerAfterAKill(t, versions) })
	}
}

func brokerAfterAKill(t *testing.T, versions *kversion.Versions) {
	producer := []kgo.Opt{kgo.TransactionalID("x"), kgo.MaxVersions(versions)}
	data := &devData{dir: t.TempDir()}
	b := openBroker(t, data)
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(context.Background(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	// As after a few restarts: each takes the producer's next epoch.
	for range 8 {
		if _, _, err := client(t, b, producer...).ProducerID(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, b, producer...)
	write(t, c, "first")
	commit(t, c)
	write(t, c, "second")
	duringSecond := image(t, data)
	commit(t, c)
	afterSecond := image(t, data)

	check := func(t *testing.T, data *devData, want ...string) {
		t.Helper()
		b := openBroker(t, data)
		if n := b.recovered.records["t"]; n != int64(2*(len(want)-1)) {
			t.Errorf("%d committed records are found, want %d", n, 2*(len(want)-1))
		}
		next := client(t, b, producer...)
		write(t, next, "next")
		commit(t, next)
		for p := range int32(2) {
			if got := committed(t, b, p); !slices.Equal(got, want) {
				t.Errorf("partition %d: %q, want %q", p, got, want)
			}
		}
	}
	// An open transaction is void, and what the producer commits later counts.
	t.Run("open", func(t *testing.T) { check(t, image(t, duringSecond), "first", "next") })
	t.Run("committed", func(t *testing.T) { check(t, image(t, afterSecond), "first", "second", "next") })
	// Only one partition got its marker.
	t.Run("half committed", func(t *testing.T) {
		half := image(t, afterSecond)
		cutLastBatch(t, half, 1)
		check(t, half, "first", "second", "next")
	})
	t.Run("decided and not begun", func(t *testing.T) {
		none := image(t, afterSecond)
		cutLastBatch(t, none, 0)
		cutLastBatch(t, none, 1)
		check(t, none, "first", "second", "next")
	})
	// The process died while it wrote the second record of the transaction.
	t.Run("torn", func(t *testing.T) {
		torn := image(t, duringSecond)
		cut(t, torn, 1, "dat", 7)
		cut(t, torn, 0, "idx", 15) // and here between batch and index
		check(t, torn, "first", "next")
	})
	// A kill of a broker that was repaired.
	t.Run("twice", func(t *testing.T) {
		once := image(t, duringSecond)
		openBroker(t, once)
		check(t, image(t, once), "first", "next")
	})
	// An orderly end needs no repair.
	t.Run("closed", func(t *testing.T) {
		closed := image(t, afterSecond)
		openBroker(t, closed).close()
		closed.killed = false
		check(t, closed, "first", "second", "next")
	})
}

// What no kill leaves behind is said, and not cut off.
func TestDevBrokerWithDamagedData(t *testing.T) {
	data := &devData{dir: t.TempDir()}
	b := openBroker(t, data)
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.TransactionalID("x"))
	write(t, c, "first")
	commit(t, c)
	damaged := image(t, data)
	path := filepath.Join(damaged.dir, "kafka", "partitions", "t-1", "0.dat")
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bytes[70] ^= 1
	if err := os.WriteFile(path, bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = recoverPartitions(filepath.Dir(filepath.Dir(path)), true, transaction{})
	if want := path + " is damaged at byte 0; start again with --fresh"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// cut takes bytes off the end of a partition's file.
func cut(t *testing.T, data *devData, partition int, kind string, bytes int64) {
	t.Helper()
	path := filepath.Join(data.dir, "kafka", "partitions", "t-"+string(rune('0'+partition)), "0."+kind)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-bytes); err != nil {
		t.Fatal(err)
	}
}

// cutLastBatch takes the marker off the end of a partition.
func cutLastBatch(t *testing.T, data *devData, partition int) {
	t.Helper()
	marker := endMarker(transaction{producerID: 1}, true, kmsg.RecordBatch{})
	cut(t, data, partition, "dat", int64(len(marker.AppendTo(nil))))
	cut(t, data, partition, "idx", 15)
}

// An answer that is as long as the client allows names the aborted
// transactions in it all the same.
func TestDevBrokerListsAbortedTransactionsInLongAnswers(t *testing.T) {
	b := openBroker(t, &devData{dir: t.TempDir()})
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.TransactionalID("x"))
	write(t, c, "void")
	if err := c.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		write(t, c, "counts")
		commit(t, c)
	}
	reader := client(t, b, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(300), kgo.FetchMaxPartitionBytes(300),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}))
	for n := 0; n < 20; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			if string(r.Value) != "counts" {
				t.Errorf("record %d at offset %d is %q", n, r.Offset, r.Value)
			}
		})
	}
}

// A damaged file of Kafka's own says that it is.
func TestDevBrokerWithADamagedFile(t *testing.T) {
	data := &devData{dir: t.TempDir()}
	openBroker(t, data).close()
	if err := os.WriteFile(filepath.Join(data.dir, "kafka", "quotas.json"), []byte(`{"v`), 0o600); err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := startBroker(listener, data); err == nil || !strings.Contains(err.Error(), "start again with --fresh") {
		t.Error(err)
	}
}
