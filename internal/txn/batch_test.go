package txn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var moment = time.UnixMilli(1790000000123)

// someRecords covers everything that changes the encoding.
func someRecords(n int, seed uint64) []Record {
	r := rand.New(rand.NewPCG(seed, 1))
	text := func(max int) []byte {
		switch r.IntN(8) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		b := make([]byte, r.IntN(max))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{
			Time: moment.Add(time.Duration(r.IntN(100_000)-20_000) * time.Millisecond),
			Key:  text(40), Value: text(400),
		}
		for range r.IntN(3) {
			records[i].Headers = append(records[i].Headers, Header{Key: string(text(20)), Value: text(90)})
		}
	}
	return records
}

func encode(t testing.TB, records []Record) *batch {
	t.Helper()
	tx := &Transaction{limit: math.MaxInt32, open: map[string][]int{}}
	for _, r := range records {
		if err := tx.Append("t", 0, r.Time, r.Key, r.Value, r.Headers); err != nil {
			t.Fatal(err)
		}
	}
	if len(tx.batches) != 1 {
		t.Fatalf("%d batches", len(tx.batches))
	}
	return &tx.batches[0]
}

// wire returns a batch as it is in a Produce request.
func wire(t testing.TB, b *batch, s stamp) []byte {
	t.Helper()
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	sealed := b.seal(s)
	sealed.writeTo(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if out.Len() != sealed.size() {
		t.Fatalf("a batch of %d bytes counts as %d", out.Len(), sealed.size())
	}
	return out.Bytes()
}

func TestBatchIsByteForByteKafkaGos(t *testing.T) {
	for n := 1; n < 300; n = n*2 + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			records := someRecords(n, uint64(n))
			theirs := make([]protocol.Record, n)
			for i, r := range records {
				theirs[i] = protocol.Record{Time: r.Time, Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)}
				for _, h := range r.Headers {
					theirs[i].Headers = append(theirs[i].Headers, protocol.Header(h))
				}
			}
			set := protocol.RecordSet{Version: 2, Attributes: protocol.Transactional, Records: protocol.NewRecordReader(theirs...)}
			var want bytes.Buffer
			if _, err := set.WriteTo(&want); err != nil {
				t.Fatal(err)
			}
			// kafka-go writes −1 for the fields of a producer.
			got := wire(t, encode(t, records), stamp{-1, -1, -1})
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("batches differ:\n got %x\nwant %x", got, want.Bytes())
			}
		})
	}
}

func TestBatchCarriesStamp(t *testing.T) {
	b := encode(t, someRecords(10, 7))
	raw := wire(t, b, stamp{producerID: 1<<40 + 5, epoch: 32766, sequence: math.MaxInt32})
	var batch kmsg.RecordBatch
	if err := batch.ReadFrom(raw[4:]); err != nil {
		t.Fatal(err)
	}
	if int(binary.BigEndian.Uint32(raw)) != len(raw)-4 {
		t.Errorf("size prefix %d before %d bytes", binary.BigEndian.Uint32(raw), len(raw)-4)
	}
	if batch.ProducerID != 1<<40+5 || batch.ProducerEpoch != 32766 || batch.FirstSequence != math.MaxInt32 {
		t.Errorf("producer ID, epoch, sequence = %d, %d, %d", batch.ProducerID, batch.ProducerEpoch, batch.FirstSequence)
	}
	if batch.Attributes != 0x10 || batch.NumRecords != 10 || batch.LastOffsetDelta != 9 || batch.PartitionLeaderEpoch != -1 {
		t.Errorf("head is %+v", batch)
	}
	if got := crc32.Checksum(raw[4+atAttributes:], crc32.MakeTable(crc32.Castagnoli)); got != uint32(batch.CRC) {
		t.Errorf("CRC = %x, want %x", uint32(batch.CRC), got)
	}
}

// franz-go decodes what we encode, in every codec.
func TestBatchDecodesWithFranz(t *testing.T) {
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			records := someRecords(500, 3)
			b := encode(t, records)
			if codec != 0 {
				if err := b.pack(codec, nil); err != nil {
					t.Fatal(err)
				}
			}
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.RecordBatches = wire(t, b, stamp{1, 0, 0})[4:]
			partition.HighWatermark, partition.LastStableOffset = 500, 500
			got, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
				Topic: "t", IsolationLevel: kgo.ReadCommitted(),
			}, &partition, kgo.DefaultDecompressor(), nil)
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			if len(got.Records) != len(records) {
				t.Fatalf("%d records, want %d", len(got.Records), len(records))
			}
			for i, r := range got.Records {
				want := records[i]
				if r.Offset != int64(i) || !r.Timestamp.Equal(want.Time) || !same(r.Key, want.Key) || !same(r.Value, want.Value) || len(r.Headers) != len(want.Headers) {
					t.Fatalf("record %d = %+v, want %+v", i, r, want)
				}
				for j, h := range r.Headers {
					if h.Key != want.Headers[j].Key || !same(h.Value, want.Headers[j].Value) {
						t.Fatalf("record %d, header %d = %+v, want %+v", i, j, h, want.Headers[j])
					}
				}
			}
		})
	}
}

// same distinguishes nil from empty, as Kafka does.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestAppendSplitsBatches(t *testing.T) {
	const limit = 4096
	tx := &Transaction{limit: limit, open: map[string][]int{}}
	value := []byte(strings.Repeat("x", 500))
	for i := range 100 {
		if err := tx.Append("orders", int32(i%3), moment, nil, value, nil); err != nil {
			t.Fatal(err)
		}
	}
	if tx.Records() != 100 {
		t.Errorf("Records = %d", tx.Records())
	}
	seen := map[int32]int32{}
	for _, round := range rounds(tx.batches) {
		inRound := map[int32]bool{}
		for _, b := range round {
			if n := len(wire(t, b, stamp{})) - 4; n > limit {
				t.Errorf("batch of %d bytes", n)
			}
			if inRound[b.partition] {
				t.Errorf("two batches of partition %d in one round", b.partition)
			}
			inRound[b.partition] = true
			seen[b.partition] += b.count
		}
	}
	if seen[0] != 34 || seen[1] != 33 || seen[2] != 33 {
		t.Errorf("records of each partition = %v", seen)
	}
}

func TestAppendRefuses(t *testing.T) {
	tx := &Transaction{limit: 1000, open: map[string][]int{}}
	if err := tx.Append("orders", 0, moment, nil, make([]byte, 1000), nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a record above the limit: %v", err)
	}
	if err := tx.Append("orders", -1, moment, nil, nil, nil); err == nil {
		t.Error("partition -1 was taken")
	}
	if tx.Records() != 0 {
		t.Errorf("%d records after refusals", tx.Records())
	}
}

// recordSize keeps a batch under its limit, so it must never be too small.
func FuzzRecordSize(f *testing.F) {
	f.Add([]byte("k"), []byte("v"), "h", []byte("x"), int64(1))
	f.Add([]byte(nil), make([]byte, 70_000), "", []byte(nil), int64(-1<<40))
	f.Fuzz(func(t *testing.T, key, value []byte, name string, header []byte, delta int64) {
		delta %= 1 << 60
		headers := []Header{{Key: name, Value: header}}
		b := batch{count: math.MaxInt32 - 1, first: 1 << 40}
		b.appendRecord(b.first+delta, key, value, headers)
		if bound := recordSize(key, value, headers); len(b.records) > bound {
			t.Errorf("record of %d bytes, bound is %d", len(b.records), bound)
		}
		length, n := binary.Varint(b.records)
		if int(length) != len(b.records)-n {
			t.Errorf("length says %d, body has %d bytes", length, len(b.records)-n)
		}
	})
}

func TestNextSequenceWraps(t *testing.T) {
	for _, c := range []struct{ s, count, want int32 }{
		{0, 5, 5},
		{math.MaxInt32 - 5, 5, math.MaxInt32},
		{math.MaxInt32 - 4, 5, 0},
		{math.MaxInt32, 1, 0},
		{math.MaxInt32, 10, 9},
	} {
		if got := nextSequence(c.s, c.count); got != c.want {
			t.Errorf("nextSequence(%d, %d) = %d, want %d", c.s, c.count, got, c.want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	w := &Writer{cfg: Config{MaxBatchBytes: defaultMaxBatchBytes}}
	key := []byte("3704612354559743232")
	value := []byte(strings.Repeat("v", 160))
	headers := []Header{{"shop", []byte("wx0123456789abcdef")}, {"time_range", []byte("create_time")}}
	at := time.Now()
	tx := w.Begin()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%5000 == 0 {
			w.recycle(tx)
			tx = w.Begin()
		}
		if err := tx.Append("wechat.orders", int32(i%6), at, key, value, headers); err != nil {
			b.Fatal(err)
		}
	}
}

// kafka-go may still read the buffers of a request that was given up.
func TestResetKeepsNoTornBuffer(t *testing.T) {
	tx := &Transaction{limit: 1 << 20, open: map[string][]int{}}
	for _, c := range []struct {
		torn bool
		want int
	}{{false, 2}, {true, 0}, {false, 2}} {
		for p := range int32(2) {
			if err := tx.Append("orders", p, moment, nil, []byte("value"), nil); err != nil {
				t.Fatal(err)
			}
		}
		tx.inUse = c.torn
		tx.reset()
		if len(tx.freeBuffers) != c.want || tx.inUse || tx.Records() != 0 || len(tx.batches) != 0 {
			t.Errorf("after reset, torn %v: %d buffers kept, want %d; %+v", c.torn, len(tx.freeBuffers), c.want, tx)
		}
	}
}
