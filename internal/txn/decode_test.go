package txn

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"
)

// stored returns a batch as a broker stores it, without the size in front.
func stored(t testing.TB, base int64, producerID int64, attributes uint16, values ...string) []byte {
	t.Helper()
	b := batch{first: 1, max: 1}
	for _, v := range values {
		b.appendRecord(1, nil, []byte(v), nil)
	}
	return restamp(wire(t, &b, stamp{producerID, 0, 0})[4:], func(p []byte) {
		binary.BigEndian.PutUint64(p, uint64(base))
		binary.BigEndian.PutUint16(p[atAttributes:], attributes)
	})
}

// marker returns a control batch.
func marker(t testing.TB, base, producerID int64, commit byte) []byte {
	t.Helper()
	b := batch{first: 1, max: 1}
	b.appendRecord(1, []byte{0, 0, 0, commit}, []byte{0, 0, 0, 0, 0, 0}, nil)
	return restamp(wire(t, &b, stamp{producerID, 0, 0})[4:], func(p []byte) {
		binary.BigEndian.PutUint64(p, uint64(base))
		binary.BigEndian.PutUint16(p[atAttributes:], attributeTransactional|attributeControl)
	})
}

// restamp alters a batch and corrects its CRC.
func restamp(p []byte, alter func([]byte)) []byte {
	p = append([]byte(nil), p...)
	alter(p)
	binary.BigEndian.PutUint32(p[atCRC:], crc32.Checksum(p[atAttributes:], castagnoli))
	return p
}

// lastDelta makes a batch end later than its last record.
func lastDelta(delta uint32) func([]byte) {
	return func(p []byte) { binary.BigEndian.PutUint32(p[atLastOffsetDelta:], delta) }
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestCommittedFilters(t *testing.T) {
	const tx = attributeTransactional
	for name, c := range map[string]struct {
		f    fetched
		from int64
		end  int64
		want []string
		next int64
	}{
		"nothing": {next: 0, end: 100},
		"plain": {
			f: fetched{batches: join(stored(t, 0, -1, 0, "a", "b"), stored(t, 2, -1, 0, "c"))}, end: 100,
			want: []string{"a", "b", "c"}, next: 3,
		},
		"from the middle of a batch": {
			f: fetched{batches: stored(t, 0, -1, 0, "a", "b", "c")}, from: 1, end: 100,
			want: []string{"b", "c"}, next: 3,
		},
		"end within the answer": {
			f: fetched{batches: join(stored(t, 0, -1, 0, "a"), stored(t, 1, -1, 0, "b"))}, end: 1,
			want: []string{"a"}, next: 1,
		},
		"part of a batch at the end": {
			f: fetched{batches: join(stored(t, 0, -1, 0, "a"), stored(t, 1, -1, 0, "b")[:65])}, end: 100,
			want: []string{"a"}, next: 1,
		},
		"compaction took the end of a batch": {
			f: fetched{batches: restamp(stored(t, 0, -1, 0, "a"), lastDelta(99))}, end: 1000,
			want: []string{"a"}, next: 100,
		},
		"compaction took all of a batch": {
			f: fetched{batches: join(restamp(stored(t, 10, 7, tx), lastDelta(4)), stored(t, 20, -1, 0, "b"))}, from: 3, end: 1000,
			want: []string{"b"}, next: 21,
		},
		"aborted, then committed, by one producer": {
			f: fetched{
				aborted: []abortedTransaction{{7, 0}},
				batches: join(stored(t, 0, 7, tx, "a"), marker(t, 1, 7, 0), stored(t, 2, 7, tx, "b"), marker(t, 3, 7, 1)),
			}, end: 100,
			want: []string{"b"}, next: 4,
		},
		"aborted twice; the list out of order": {
			f: fetched{
				aborted: []abortedTransaction{{7, 4}, {7, 0}},
				batches: join(stored(t, 0, 7, tx, "a"), marker(t, 1, 7, 0), stored(t, 2, 7, tx, "b"), marker(t, 3, 7, 1), stored(t, 4, 7, tx, "c"), marker(t, 5, 7, 0)),
			}, end: 100,
			want: []string{"b"}, next: 6,
		},
		"aborted beside another producer's and a plain one of its own": {
			f: fetched{
				aborted: []abortedTransaction{{7, 0}},
				batches: join(stored(t, 0, 7, tx, "a"), stored(t, 1, 8, tx, "b"), stored(t, 2, 7, 0, "c"), marker(t, 3, 7, 0), marker(t, 4, 8, 1)),
			}, end: 100,
			want: []string{"b", "c"}, next: 5,
		},
		"began before the answer": {
			f: fetched{
				aborted: []abortedTransaction{{7, 2}},
				batches: join(stored(t, 50, 7, tx, "a"), marker(t, 51, 7, 0)),
			}, from: 50, end: 100,
			next: 52,
		},
		"compaction took the aborted records, the marker is left": {
			f: fetched{
				aborted: []abortedTransaction{{7, 2}},
				batches: join(stored(t, 10, 8, tx, "a"), marker(t, 11, 7, 0), stored(t, 12, 7, tx, "b")),
			}, from: 5, end: 100,
			want: []string{"a", "b"}, next: 13,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			next, err := c.f.committed(c.from, c.end, &intake{deliver: func(r Record) error {
				got = append(got, string(r.Value))
				return nil
			}})
			if err != nil || !reflect.DeepEqual(got, c.want) || next != c.next {
				t.Errorf("got %q up to %d, %v; want %q up to %d", got, next, err, c.want, c.next)
			}
		})
	}
}

func TestCommittedRefusesCorruption(t *testing.T) {
	whole := stored(t, 0, -1, 0, "value")
	ignore := &intake{deliver: func(Record) error { return nil }}
	for name, alter := range map[string]func(p []byte){
		"a flipped bit":       func(p []byte) { p[len(p)-2] ^= 1 },
		"a length too small":  func(p []byte) { binary.BigEndian.PutUint32(p[atLength:], 10) },
		"a length below zero": func(p []byte) { binary.BigEndian.PutUint32(p[atLength:], 1<<31+5) },
		"more records than fit": func(p []byte) {
			copy(p, restamp(p, func(p []byte) { binary.BigEndian.PutUint32(p[atRecordCount:], 9) }))
		},
	} {
		p := append([]byte(nil), whole...)
		alter(p)
		if _, err := (fetched{batches: p}).committed(0, 100, ignore); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := append([]byte(nil), whole...)
	old[atMagic] = 1
	if _, err := (fetched{batches: old}).committed(0, 100, ignore); err == nil {
		t.Error("a batch from before Kafka 0.11 was taken")
	}
	enough := errors.New("enough")
	if _, err := (fetched{batches: whole}).committed(0, 100, &intake{deliver: func(Record) error { return enough }}); err != enough {
		t.Errorf("an error of deliver became %v", err)
	}
}

// Reading arbitrary bytes ends without panic and never goes back.
func FuzzFetchAnswer(f *testing.F) {
	batches := join(stored(f, 3, 7, attributeTransactional, "a", "b"), marker(f, 5, 7, 0), stored(f, 6, -1, 0, "c"))
	answer := make([]byte, 4+4+2+4) // correlation, throttle, error, session
	answer = binary.BigEndian.AppendUint32(answer, 1)
	answer = binary.BigEndian.AppendUint16(answer, 1)
	answer = append(answer, 't')
	answer = binary.BigEndian.AppendUint32(answer, 1)
	answer = append(answer, make([]byte, 4+2+8+8+8)...)
	answer = binary.BigEndian.AppendUint32(answer, 1)
	answer = binary.BigEndian.AppendUint64(answer, 7)
	answer = binary.BigEndian.AppendUint64(answer, 3)
	answer = append(answer, make([]byte, 4)...)
	answer = binary.BigEndian.AppendUint32(answer, uint32(len(batches)))
	answer = append(answer, batches...)
	if parsed, err := parseFetch(11, answer, 0); err != nil || len(parsed.batches) != len(batches) || len(parsed.aborted) != 1 {
		f.Fatalf("the seed is not an answer: %v", err)
	}
	f.Add(answer, int16(11))
	f.Add(answer, int16(4))
	f.Add(batches, int16(0))
	f.Fuzz(func(t *testing.T, body []byte, version int16) {
		ignore := &intake{deliver: func(Record) error { return nil }}
		defer ignore.close()
		for _, got := range []fetched{{batches: body}, {}} {
			if got.batches == nil {
				var err error
				if got, err = parseFetch(version, body, 0); err != nil {
					return
				}
			}
			if next, _ := got.committed(3, 1<<40, ignore); next < 3 {
				t.Errorf("next = %d", next)
			}
		}
	})
}
