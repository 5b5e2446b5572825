package offsets

import (
	"bytes"
	"encoding/binary"
	"maps"
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
	shop    []byte // value of the shop's record; nil = none, or not known
	windows map[int64]windowRecords
	// again are the starts that the next Update looks at whatever has changed:
	// those of windows that were open, and of what was left by others.
	again []int64
	// left says that all of it belongs to a walk that was forgotten: the next
	// Update forgets it.
	left bool
}

// windowRecords is what the topic holds of the window that starts at a second.
type windowRecords struct {
	there bool   // there is a record of the window, the shop's record apart
	value []byte // its value while the window is open; nil = not kept
	parts int    // number of the next part
}

// Update emits the records that bring the topic from what is stored to the
// checkpoint, tombstones (nil values) included, and remembers them as stored;
// the windows' Fresh IDs become parts and are cleared. Emitted slices may be
// kept. It looks at the windows that are open, were open at the last Update, or
// have changed since; see row.
//
// If the transaction that was to carry them does not commit, Stored is wrong
// and must be read anew, like the checkpoint itself.
func (s *Stored) Update(group string, p Partition, c *Checkpoint, emit func(key, value []byte)) {
	if s.windows == nil {
		s.windows = make(map[int64]windowRecords)
	}
	if s.left {
		s.forget(group, p, emit)
	}
	open := c.Open()
	var first *Window // the one in the shop's record
	if len(open) > 0 {
		first = open[0]
	}
	for _, start := range s.starts(c, open) {
		var w *Window
		if i, ok := c.Find(start); ok {
			w = c.Windows[i]
		}
		s.updateWindow(group, p, start, w, w == first, emit)
	}
	s.again = s.again[:0]
	for _, w := range open {
		s.again = append(s.again, w.Start)
	}
	shop := shopValue{V: Version, Watermark: &c.Watermark, Begin: c.Begin, Unheard: c.Unheard, Length: c.Length}
	if first != nil {
		shop.windowFields = fieldsOf(first)
	}
	if value := encode(shop); !bytes.Equal(s.shop, value) {
		emit(Key{Kind: KindShop, Partition: p}.Bytes(group), value)
		s.shop = value
	}
}

// starts are those of the windows that an Update has to look at, in order.
func (s *Stored) starts(c *Checkpoint, open []*Window) []int64 {
	r := c.row()
	starts := slices.AppendSeq(slices.Clone(s.again), maps.Keys(r.changed))
	clear(r.changed)
	for _, w := range open {
		starts = append(starts, w.Start)
	}
	if r.all {
		r.all = false
		for _, w := range c.Windows {
			starts = append(starts, w.Start)
		}
		starts = slices.AppendSeq(starts, maps.Keys(s.windows))
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

// updateWindow brings what is stored of the window that starts at a second to w;
// nil = no window starts there. inShop says that the shop's record holds it.
func (s *Stored) updateWindow(group string, p Partition, start int64, w *Window, inShop bool, emit func(key, value []byte)) {
	has := s.windows[start]
	key := Key{Kind: KindWindow, Partition: p, Window: start}
	var value []byte
	if w != nil && !inShop {
		value = encode(windowValue{V: Version, windowFields: fieldsOf(w)})
	}
	switch {
	case value != nil && !bytes.Equal(value, has.value):
		emit(key.Bytes(group), value)
	case value == nil && has.there:
		emit(key.Bytes(group), nil)
	}
	has.there, has.value = value != nil, nil
	if w != nil && w.State == Open {
		has.value = value
	}
	key.Kind = KindPart
	if w == nil || w.Seen.Len() == 0 {
		for key.Part = range has.parts {
			emit(key.Bytes(group), nil)
		}
		has.parts = 0
	}
	if w != nil {
		for ids := w.Fresh; len(ids) > 0; has.parts++ {
			n := fitting(ids)
			key.Part = has.parts
			emit(key.Bytes(group), encode(partValue{V: Version, Count: n, IDs: packIDs(ids[:n])}))
			ids = ids[n:]
		}
		w.Fresh = nil
	}
	if has.there || has.parts > 0 {
		s.windows[start] = has
	} else {
		delete(s.windows, start)
	}
}

// forget emits tombstones for all that is stored.
func (s *Stored) forget(group string, p Partition, emit func(key, value []byte)) {
	s.left = false
	for start := range s.windows {
		s.updateWindow(group, p, start, nil, false, emit)
	}
	s.shop, s.again = nil, nil
}

// Lost says that the topic has lost what it held of a source partition, but for
// the latest. The next Update emits the checkpoint in full, its windows' IDs too,
// and a tombstone for whatever may be left and is no part of it.
func (s *Stored) Lost(c *Checkpoint) {
	s.shop = nil
	for start, has := range s.windows {
		has.value = nil
		s.windows[start] = has
	}
	for _, w := range c.Windows {
		w.Fresh = slices.Collect(w.Seen.All())
	}
	c.row().all = true
}
