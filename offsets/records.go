package offsets

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// partBytes bounds a part's value to about 250 kB, far below any broker's limit
// for a batch.
const partBytes = 180 << 10

// idsPerPart returns how many of the IDs fit into one part: 18,000 of the API's, fewer
// long texts.
func idsPerPart(ids []string) int {
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

// Stored is what the topic holds of one source partition, as this process wrote it or
// read it when it opened the lane. The zero value is an empty topic.
type Stored struct {
	shop    []byte          // value of the shop's record; nil = none, or unknown
	windows []windowRecords // in order of their starts
	// recheck holds the starts that the next Update examines in any case: windows that
	// were open, and parts left without a window.
	recheck []int64
	// leftover reports that everything stored belongs to a walk that was forgotten: the
	// next Update forgets it, too.
	leftover bool
}

// windowRecords is what the topic holds of one window.
type windowRecords struct {
	start  int64
	exists bool   // the window has a record beside the shop's
	value  []byte // its value while the window is open; nil = not kept
	parts  int    // number of the next part
}

// Update emits the records that bring the topic to the checkpoint, tombstones (nil
// values) included, and remembers them as stored. Fresh IDs become parts and are
// cleared. Emitted slices may be kept. It examines the windows that are open, were open
// at the last Update, or have changed since; see row.
//
// If the transaction with the records does not commit, Stored is wrong: load it again,
// together with the checkpoint.
func (s *Stored) Update(group string, p Partition, c *Checkpoint, emit func(key, value []byte)) {
	if s.leftover {
		s.forget(group, p, emit)
	}
	open := c.Open()
	var first *Window // stored in the shop's record
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
	s.recheck = s.recheck[:0]
	for _, w := range open {
		s.recheck = append(s.recheck, w.Start)
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

// starts lists the starts of the windows that an Update must examine, in order.
func (s *Stored) starts(c *Checkpoint, open []*Window) []int64 {
	r := c.row()
	starts := slices.Concat(s.recheck, r.changed)
	r.changed = r.changed[:0]
	for _, w := range open {
		starts = append(starts, w.Start)
	}
	if r.all {
		r.all = false
		for _, w := range c.Windows {
			starts = append(starts, w.Start)
		}
		for _, has := range s.windows {
			starts = append(starts, has.start)
		}
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

// updateWindow brings the stored records of the window that starts at start to w; nil =
// no window starts there. inShop = w is stored in the shop's record.
func (s *Stored) updateWindow(group string, p Partition, start int64, w *Window, inShop bool, emit func(key, value []byte)) {
	has := s.of(start)
	key := Key{Kind: KindWindow, Partition: p, Window: start}
	var value []byte
	if w != nil && !inShop {
		value = encode(windowValue{V: Version, windowFields: fieldsOf(w)})
	}
	switch {
	case value != nil && !bytes.Equal(value, has.value):
		emit(key.Bytes(group), value)
	case value == nil && has.exists:
		emit(key.Bytes(group), nil)
	}
	has.exists, has.value = value != nil, nil
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
		before := has.parts
		if len(w.Fresh) == w.Seen.Len() {
			has.parts = 0 // all are written again
		}
		for ids := w.Fresh; len(ids) > 0; has.parts++ {
			n := idsPerPart(ids)
			key.Part = has.parts
			emit(key.Bytes(group), encode(partValue{V: Version, Count: n, IDs: packIDs(ids[:n])}))
			ids = ids[n:]
		}
		for key.Part = has.parts; key.Part < before; key.Part++ {
			emit(key.Bytes(group), nil)
		}
		w.Fresh = nil
	}
	s.keep(has)
}

// of returns what the topic holds of the window that starts at start.
func (s *Stored) of(start int64) windowRecords {
	if i, ok := s.find(start); ok {
		return s.windows[i]
	}
	return windowRecords{start: start}
}

// keep replaces what the topic holds of one window.
func (s *Stored) keep(has windowRecords) {
	i, ok := s.find(has.start)
	switch some := has.exists || has.parts > 0; {
	case ok && some:
		s.windows[i] = has
	case ok:
		s.windows = slices.Delete(s.windows, i, i+1)
	case some:
		s.windows = slices.Insert(s.windows, i, has)
	}
}

func (s *Stored) find(start int64) (i int, ok bool) {
	return slices.BinarySearchFunc(s.windows, start, func(has windowRecords, start int64) int { return cmp.Compare(has.start, start) })
}

// forget emits tombstones for everything stored.
func (s *Stored) forget(group string, p Partition, emit func(key, value []byte)) {
	s.leftover = false
	for n := len(s.windows); n > 0; n = len(s.windows) {
		s.updateWindow(group, p, s.windows[n-1].start, nil, false, emit)
	}
	s.shop, s.recheck = nil, nil
}

// Lost notes that the topic has lost the records of a source partition, but for the
// latest. The next Update emits the whole checkpoint, with all IDs, and a tombstone for
// every other record that may be left.
func (s *Stored) Lost(c *Checkpoint) {
	s.shop = nil
	for i := range s.windows {
		s.windows[i].value = nil
	}
	for _, w := range c.Windows {
		w.Fresh = slices.Collect(w.Seen.All())
	}
	c.row().all = true
}
