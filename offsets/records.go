package offsets

import (
	"encoding/binary"
	"slices"
)

// partBytes bounds a part's value to about 250 kB, far below any broker's limit
// for a batch.
const partBytes = 180 << 10

// fitting is how many of the IDs go into one part: 18,000 of the API's, and fewer
// that are long texts.
func fitting(ids []string) int {
	size := 0
	for i, id := range ids {
		if _, short := number(id); short {
			size += binary.MaxVarintLen64
		} else {
			size += binary.MaxVarintLen64 + len(id)
		}
		if size > partBytes && i > 0 {
			return i
		}
	}
	return len(ids)
}

// Stored is what the topic holds of one source partition, as far as this
// process knows: it wrote it, or read it when it opened the lane. The zero
// value is an empty topic.
type Stored struct {
	values map[Key][]byte
	parts  map[int64]int // window start → number of the next part
	// left are parts of a former walk: the shop has been told to start over, by a
	// tombstone for its own record. A window of the new walk may begin at the same
	// second, and has published none of their IDs.
	left []Key
}

// Update emits the records that bring the topic from what is stored to the
// checkpoint, tombstones (nil values) included, and remembers them as stored;
// the windows' Fresh IDs become parts and are cleared. Emitted slices may be
// kept.
//
// If the transaction that was to carry them does not commit, Stored is wrong
// and must be read anew, like the checkpoint itself.
func (s *Stored) Update(group string, p Partition, c *Checkpoint, emit func(key, value []byte)) {
	if s.values == nil {
		s.values = make(map[Key][]byte)
		s.parts = make(map[int64]int)
	}
	for _, k := range s.left {
		emit(k.Bytes(group), nil) // parts that are added have higher numbers
	}
	s.left = nil
	next := Records(p, c)
	for k, v := range next {
		if string(s.values[k]) != string(v) {
			emit(k.Bytes(group), v)
		}
	}
	for k := range s.values {
		if _, still := next[k]; !still {
			emit(k.Bytes(group), nil)
		}
	}
	s.values = next

	tracked := make(map[int64]bool, len(c.Windows))
	for _, w := range c.Windows {
		tracked[w.Start] = true
		for ids := w.Fresh; len(ids) > 0; {
			n := fitting(ids)
			k := Key{Kind: KindPart, Partition: p, Window: w.Start, Part: s.parts[w.Start]}
			emit(k.Bytes(group), encode(partValue{V: Version, Count: n, IDs: packIDs(ids[:n])}))
			s.parts[w.Start]++
			ids = ids[n:]
		}
		w.Fresh = nil
	}
	for start, n := range s.parts {
		if tracked[start] {
			continue
		}
		for part := range n {
			emit(Key{Kind: KindPart, Partition: p, Window: start, Part: part}.Bytes(group), nil)
		}
		delete(s.parts, start)
	}
}

// Lost says that the topic has lost what it held of a source partition, but for
// the latest. The next Update emits the checkpoint in full, its windows' IDs too,
// and a tombstone for whatever may be left and is no part of it.
func (s *Stored) Lost(c *Checkpoint) {
	for k := range s.values {
		s.values[k] = nil // as no value is
	}
	for _, w := range c.Windows {
		w.Fresh = slices.Collect(w.Seen.All())
	}
}

// Records is the checkpoint as records, seen IDs apart: the shop's, which
// carries the earliest open window, and one for each other window.
func Records(p Partition, c *Checkpoint) map[Key][]byte {
	records := make(map[Key][]byte, 1+len(c.Windows))
	shop := shopValue{V: Version, Watermark: &c.Watermark, Begin: c.Begin, Unheard: c.Unheard, Length: c.Length}
	for _, w := range c.Windows {
		if w.State == Open && shop.Start == nil {
			shop.windowFields = fieldsOf(w)
			continue
		}
		records[Key{Kind: KindWindow, Partition: p, Window: w.Start}] = encode(windowValue{V: Version, windowFields: fieldsOf(w)})
	}
	records[Key{Kind: KindShop, Partition: p}] = encode(shop)
	return records
}
