package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Entry is what is stored under one key, in Kafka Connect's form: two flat maps, which
// have the fields of the record's key and value. A nil Offset forgets the record.
type Entry struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

// Entries lists a checkpoint: the shop's own record, which holds no window here, and
// its windows in time order. The IDs that windows have listed are left out.
func Entries(p Partition, c *Checkpoint) []Entry {
	out := []Entry{{p.entry(), flat(shopValue{V: Version, Watermark: &c.Watermark, Begin: c.Begin, Unheard: c.Unheard, Length: c.Length})}}
	for _, w := range c.Windows {
		out = append(out, Entry{p.windowEntry(w.Start), flat(windowValue{V: Version, windowFields: fieldsOf(w)})})
	}
	return out
}

func (p Partition) entry() map[string]any { return map[string]any{"shop": p.Shop, "range": p.Range} }

func (p Partition) windowEntry(start int64) map[string]any {
	e := p.entry()
	e["window"] = start
	return e
}

// flat converts a flat struct to a map.
func flat(v any) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(encode(v)))
	dec.UseNumber()
	var out map[string]any
	_ = dec.Decode(&out) // what encode wrote
	return out
}

// EntryError is an entry that cannot be applied.
type EntryError struct {
	Partition map[string]any // nil = the problem is not with one entry
	Problem   string
}

func (e *EntryError) Error() string {
	if e.Partition == nil {
		return e.Problem
	}
	return fmt.Sprintf("offset of partition %s: %s", encode(e.Partition), e.Problem)
}

// Edit applies entries to a checkpoint, which may be nil: nothing is stored. It returns
// the new checkpoint, nil if the entries forget the shop, or an *EntryError; c does not
// change. now is the present unix second.
//
// An entry of the shop itself replaces everything: the walk continues at its watermark,
// with the windows of the other entries only. Without one, the other entries add, replace
// and forget windows. A window keeps the IDs it has listed if its bounds stay, so that
// they are not published again. Every field is checked as when a worker reads it, and
// nothing may lie in the future.
func Edit(p Partition, c *Checkpoint, entries []Entry, now int64) (*Checkpoint, error) {
	if len(entries) == 0 {
		return nil, &EntryError{nil, "no offsets are given"}
	}
	values := make(map[Key][]byte)
	given := make(map[Key]Entry)
	own := Key{Kind: KindShop, Partition: p}
	for _, e := range entries {
		k, err := e.key(p)
		if err != nil {
			return nil, err
		}
		if _, twice := given[k]; twice {
			return nil, &EntryError{e.Partition, "it is given twice"}
		}
		given[k] = e
	}
	shop, replaced := given[own]
	switch {
	case replaced && shop.Offset == nil:
		if len(given) > 1 {
			return nil, &EntryError{shop.Partition, "it is forgotten, and windows of it are given: give its watermark, or only the offset null"}
		}
		return nil, nil
	case replaced:
	case c == nil:
		return nil, &EntryError{nil, "nothing is stored for the shop: give its watermark too"}
	default:
		for _, e := range Entries(p, c) {
			k, _ := e.key(p)
			values[k] = encode(e.Offset)
		}
	}
	for k, e := range given {
		if e.Offset == nil {
			delete(values, k)
			continue
		}
		values[k] = encode(withVersion(e.Offset))
	}
	edited, err := build(p, values, given)
	if err != nil {
		return nil, err
	}
	if f := edited.Frontier(); edited.Watermark > now || f > now {
		return nil, &EntryError{nil, fmt.Sprintf("watermark %d or window_end %d is in the future (now is %d)", edited.Watermark, f, now)}
	}
	if edited.Watermark <= 0 {
		return nil, &EntryError{nil, fmt.Sprintf("watermark %d is no unix second", edited.Watermark)}
	}
	for _, w := range edited.Windows {
		if w.State != Settled && w.End-w.Asked() > longest {
			return nil, &EntryError{p.windowEntry(w.Start), fmt.Sprintf("the range from asked_from or window_start to window_end is %d seconds long, and the API lists no more than seven days (%d)", w.End-w.Asked(), longest)}
		}
	}
	if replaced && edited.Begin == 0 {
		edited.Begin = edited.Watermark
		if c != nil && c.Begin > 0 {
			edited.Begin = min(c.Begin, edited.Begin)
		}
	}
	keepIDs(c, edited)
	return edited, nil
}

// longest is the length of the longest range that the API lists, in seconds. Settled windows
// are not listed again.
const longest = 7 * 24 * 3600

// build makes a checkpoint of values, as a worker does that reads them.
func build(p Partition, values map[Key][]byte, given map[Key]Entry) (*Checkpoint, error) {
	lane := Lane{Shops: make(map[Partition]*Shop), Faults: make(map[Partition]error)}
	keys := slices.SortedFunc(maps.Keys(values), compareKeys)
	for _, k := range keys {
		if err := lane.add(k, values[k]); err != nil {
			return nil, &EntryError{given[k].Partition, err.Error()}
		}
	}
	edited := lane.Shops[p].Checkpoint
	if edited == nil {
		return nil, &EntryError{nil, "the watermark of the shop is missing"}
	}
	for _, w := range edited.Windows {
		if w.State != Open && w.Key != "" {
			return nil, &EntryError{p.windowEntry(w.Start), fmt.Sprintf("next_key belongs to an open window, and this one is %s", w.State)}
		}
	}
	if err := edited.check(); err != nil {
		return nil, &EntryError{nil, err.Error()}
	}
	return edited, nil
}

// key returns the key of an entry's record.
func (e Entry) key(p Partition) (Key, error) {
	raw, err := json.Marshal([]any{"", e.Partition})
	if err != nil {
		return Key{}, &EntryError{e.Partition, err.Error()}
	}
	k, err := ParseKey("", raw)
	var bad *RecordError
	switch {
	case errors.As(err, &bad):
		return Key{}, &EntryError{e.Partition, bad.Problem}
	case err != nil || k.Kind == KindPart:
		return Key{}, &EntryError{e.Partition, "it is not a shop's or a window's: give shop and range, and window for a window"}
	case k.Partition != p:
		return Key{}, &EntryError{e.Partition, fmt.Sprintf("it is not this shop's, which is %s", encode(p.entry()))}
	}
	return k, nil
}

// withVersion adds the version that callers need not give.
func withVersion(offset map[string]any) map[string]any {
	if _, has := offset["v"]; has {
		return offset
	}
	with := maps.Clone(offset)
	with["v"] = Version
	return with
}

// keepIDs moves the listed IDs of windows whose bounds stay to the new checkpoint.
func keepIDs(c, edited *Checkpoint) {
	if c == nil {
		return
	}
	for _, w := range edited.Windows {
		if i, ok := c.Find(w.Start); ok && c.Windows[i].End == w.End {
			w.Seen = c.Windows[i].Seen
		}
	}
}

// Replace emits the records that bring the topic from what is stored to a checkpoint;
// nil = nothing is to be stored.
func (s *Stored) Replace(group string, p Partition, c *Checkpoint, emit func(key, value []byte)) {
	if c != nil {
		s.Update(group, p, c, emit)
		return
	}
	if s.shop != nil {
		emit(Key{Kind: KindShop, Partition: p}.Bytes(group), nil)
	}
	s.forget(group, p, emit)
}
