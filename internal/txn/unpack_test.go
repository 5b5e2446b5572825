package txn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
)

var codecs = []kafka.Compression{kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd}

// entry is a record of a packed batch: a key and size zeros.
type entry struct {
	key  string
	size int64
}

// packed returns a batch of such records as a broker stores it, without holding its
// uncompressed form in memory.
func packed(t testing.TB, c kafka.Compression, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := c.Codec().NewWriter(&out)
	if c == kafka.Zstd {
		w.Close()
		out.Reset()
		var err error
		if w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
			t.Fatal(err)
		}
	}
	zeros := make([]byte, 1<<20)
	for i, e := range entries {
		head := []byte{0, 0}
		head = binary.AppendVarint(head, int64(i))
		head = appendBytes(head, []byte(e.key))
		head = binary.AppendVarint(head, e.size)
		w.Write(binary.AppendVarint(nil, int64(len(head))+e.size+1))
		w.Write(head)
		for left := e.size; left > 0; left -= int64(len(zeros)) {
			w.Write(zeros[:min(left, int64(len(zeros)))])
		}
		w.Write([]byte{0}) // headers
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return inBatch(c, int32(len(entries)), out.Bytes())
}

// inBatch puts compressed records into a batch at offset 0.
func inBatch(c kafka.Compression, count int32, records []byte) []byte {
	b := batch{count: count, packed: records, codec: c}
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	b.seal(stamp{-1, -1, -1}).writeTo(w)
	w.Flush()
	return restamp(out.Bytes()[4:], func(p []byte) { binary.BigEndian.PutUint16(p[atAttributes:], uint16(c)) })
}

// taken reads an answer. It returns "key:size" for each record and "!key" for one that
// is too large, and the memory allocated meanwhile.
func taken(t testing.TB, f fetched, wanted func([]byte) bool) (got []string, next int64, allocated uint64, err error) {
	t.Helper()
	in := intake{
		wanted:  wanted,
		deliver: func(r Record) error { got = append(got, fmt.Sprintf("%s:%d", r.Key, len(r.Value))); return nil },
		unread: func(_ int64, key []byte, err error) {
			if !errors.Is(err, errBound) {
				t.Errorf("unread: %v", err)
			}
			got = append(got, "!"+string(key))
		},
	}
	defer in.close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	next, err = f.committed(0, 1<<40, &in)
	runtime.ReadMemStats(&after)
	return got, next, after.TotalAlloc - before.TotalAlloc, err
}

func ours(key []byte) bool { return strings.HasPrefix(string(key), "our") }

// A record of another program costs no memory, however large it is; an own record that
// is too large is reported, and the records around it are read.
func TestLargeRecordsInSmallBatches(t *testing.T) {
	const large = 64 << 20
	for _, c := range codecs {
		t.Run(c.String(), func(t *testing.T) {
			f := fetched{batches: join(
				packed(t, c, entry{"our 1", 900 << 10}, entry{"their bomb", large}, entry{"our 2", 10}, entry{"our bomb", large}, entry{"our 3", 10}))}
			if c == kafka.Zstd && len(f.batches) > 64<<10 {
				t.Errorf("the batch has %d bytes, a bomb has less", len(f.batches))
			}
			got, next, allocated, err := taken(t, f, ours)
			if want := "[our 1:921600 our 2:10 !our bomb our 3:10]"; fmt.Sprint(got) != want || next != 5 || err != nil {
				t.Errorf("got %v up to %d, %v; want %s up to 5", got, next, err, want)
			}
			if allocated > 24<<20 {
				t.Errorf("%d bytes were allocated", allocated)
			}
		})
	}
}

// The lengths in a batch are not trusted, and reading continues after it.
func TestBatchesThatClaimTooMuch(t *testing.T) {
	varint := func(n int64) []byte { return binary.AppendVarint(nil, n) }
	gzipped := func(parts ...[]byte) []byte {
		var out bytes.Buffer
		w := kafka.Gzip.Codec().NewWriter(&out)
		w.Write(join(parts...))
		w.Close()
		return out.Bytes()
	}
	head := join([]byte{0, 0}, varint(0), appendBytes(nil, []byte("our key")))
	window := func(bits byte) []byte { // a frame of one RLE block of 100,000 zeros
		const n = 100_000
		return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (bits - 10) << 3, 1 | 1<<1 | (n<<3)&0xff, (n << 3) >> 8 & 0xff, (n << 3) >> 16, 0}
	}
	for what, c := range map[string]struct {
		batch []byte
		want  string // before the record that follows
		fails bool
	}{
		"a record of 2 GB that is not there":     {batch: inBatch(kafka.Gzip, 1, gzipped(varint(2<<30), head)), want: "", fails: true},
		"a record of 2 GB, and one behind it":    {batch: inBatch(kafka.Gzip, 2, gzipped(varint(1<<40), make([]byte, maxKey))), want: "!"},
		"a length below zero":                    {batch: inBatch(kafka.Gzip, 1, gzipped(varint(-5))), fails: true},
		"two billion records":                    {batch: inBatch(kafka.Gzip, 1<<31-1, gzipped()), fails: true},
		"a value longer than the record":         {batch: inBatch(kafka.Gzip, 1, gzipped(varint(int64(len(head))+5), head, varint(2<<30))), fails: true},
		"ten thousand headers":                   {batch: inBatch(kafka.Gzip, 1, gzipped(varint(int64(len(head))+3+60_000), head, varint(0), varint(10_000), make([]byte, 60_000))), want: "!our key"},
		"a snappy block of 4 GB":                 {batch: inBatch(kafka.Snappy, 1, binary.AppendUvarint(nil, 1<<32-1)), fails: true},
		"a framed snappy block of 2 GB":          {batch: inBatch(kafka.Snappy, 1, join(xerial, make([]byte, 8), []byte{0x7f, 0xff, 0xff, 0xff, 1})), fails: true},
		"a snappy block of a negative length":    {batch: inBatch(kafka.Snappy, 1, join(xerial, make([]byte, 8), []byte{0xff, 0xff, 0xff, 0xff, 1})), fails: true},
		"a large snappy block":                   {batch: inBatch(kafka.Snappy, 1, snappy.Encode(nil, make([]byte, maxBlock+1))), want: "!"},
		"a zstd window of 1 GB":                  {batch: inBatch(kafka.Zstd, 1, window(30)), want: "!"},
		"a zstd window of 1 GB in a later frame": {batch: inBatch(kafka.Zstd, 2, join(window(20), window(30))), fails: true},
		"a codec of a later Kafka":               {batch: inBatch(7, 1, nil), fails: true},
	} {
		t.Run(what, func(t *testing.T) {
			follows := restamp(stored(t, 1<<32, -1, 0, "next"), func([]byte) {})
			got, _, allocated, err := taken(t, fetched{batches: join(c.batch, follows)}, func([]byte) bool { return true })
			want := []string{c.want, ":4"}
			if c.want == "" {
				want = want[1:]
			}
			if c.fails {
				if err == nil {
					t.Errorf("got %v, want an error", got)
				}
			} else if fmt.Sprint(got) != fmt.Sprint(want) || err != nil {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
			if allocated > 40<<20 {
				t.Errorf("%d bytes were allocated", allocated)
			}
		})
	}
}

// Encoders at zstd's highest levels, such as a broker that compresses again, declare a
// window of 128 MiB whatever the content.
func TestWideZstdWindow(t *testing.T) {
	b := batch{first: 1, max: 1}
	b.appendRecord(1, []byte("our key"), bytes.Repeat([]byte("x"), 800<<10), nil)
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(widerWindow), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	for p := b.records; len(p) > 0; p = p[min(len(p), 1000):] {
		w.Write(p[:min(len(p), 1000)])
		w.Flush()
	}
	w.Close()
	var header zstd.Header
	if err := header.Decode(out.Bytes()); err != nil || header.WindowSize != widerWindow {
		t.Fatalf("window %d, %v", header.WindowSize, err)
	}
	got, _, _, err := taken(t, fetched{batches: inBatch(kafka.Zstd, 1, out.Bytes())}, nil)
	if fmt.Sprint(got) != "[our key:819200]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// librdkafka compresses snappy in one block, Java in blocks of 32 KiB.
func TestSnappyWithAndWithoutFrames(t *testing.T) {
	b := batch{first: 1, max: 1}
	b.appendRecord(1, []byte("our key"), bytes.Repeat([]byte("x"), 800<<10), nil)
	framed := join(xerial, []byte{0, 0, 0, 1, 0, 0, 0, 1})
	for p := b.records; len(p) > 0; p = p[min(len(p), 32<<10):] {
		block := snappy.Encode(nil, p[:min(len(p), 32<<10)])
		framed = join(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block)
	}
	for what, records := range map[string][]byte{"one block": snappy.Encode(nil, b.records), "frames": framed} {
		got, _, _, err := taken(t, fetched{batches: inBatch(kafka.Snappy, 1, records)}, nil)
		if fmt.Sprint(got) != "[our key:819200]" || err != nil {
			t.Errorf("%s: got %v, %v", what, got, err)
		}
	}
}

// For every compressed content and every false length, reading ends, in little memory.
func FuzzPackedBatch(f *testing.F) {
	for _, c := range codecs {
		whole := packed(f, c, entry{"our 1", 20}, entry{"their", 40 << 10}, entry{"our 2", 0})
		f.Add(uint8(c), int32(3), whole[headSize:], false)
		f.Add(uint8(c), int32(1), []byte{20, 0, 0, 0, 14, 'o', 'u', 'r', ' ', 'k', 'e', 'y', 2, 'v', 0}, true)
	}
	f.Fuzz(func(t *testing.T, codec uint8, count int32, records []byte, plain bool) {
		c := kafka.Compression(codec % 5)
		if plain && c != 0 { // compressed here, so that the records are what is fuzzed
			var out bytes.Buffer
			w := c.Codec().NewWriter(&out)
			if _, err := io.Copy(w, bytes.NewReader(records)); err != nil {
				return // nothing to unpack
			}
			w.Close()
			records = out.Bytes()
		}
		f := fetched{batches: inBatch(c, count, records)}
		_, next, allocated, _ := taken(t, f, ours)
		if next < 0 {
			t.Errorf("next = %d", next)
		}
		if allocated > 200<<20 {
			t.Errorf("%d bytes were allocated", allocated)
		}
	})
}
