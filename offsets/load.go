package offsets

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Lane is the content of one Kafka partition of the offsets topic.
type Lane struct {
	// Shops holds every source partition whose records can all be used.
	Shops map[Partition]*Shop
	// Faults holds every source partition with a record that cannot be used, and why.
	// It is not in Shops and must not be walked.
	Faults map[Partition]error
	// Unread is why records with unknown keys could not be read; nil = all were read.
	// Any shop in neither map may have had one of them.
	Unread error
}

// Shop is one source partition as loaded.
type Shop struct {
	// Checkpoint is nil if the shop's own record was forgotten and only windows are
	// left. The shop then starts over, and its first update forgets the rest.
	Checkpoint *Checkpoint
	Stored     Stored
}

// Loader collects the records of one lane in topic order, and keeps the last value of
// each key, as compaction does.
type Loader struct {
	Group string
	// Of selects the source partitions to load; nil = all.
	Of      func(Partition) bool
	latest  map[string][]byte
	refused map[string]error // by key: why its latest record could not be read
	unread  error
}

// Wants reports whether a key belongs to a checkpoint to load. Other records need not
// be read.
func (l *Loader) Wants(key []byte) bool {
	k, err := ParseKey(l.Group, key)
	return !errors.Is(err, ErrForeign) && (l.Of == nil || l.Of(k.Partition))
}

// Add adds one committed record; a nil value forgets the key. It copies key and value.
func (l *Loader) Add(key, value []byte) {
	if l.latest == nil {
		l.latest = make(map[string][]byte)
	}
	delete(l.refused, string(key))
	if value == nil {
		delete(l.latest, string(key))
		return
	}
	l.latest[string(key)] = bytes.Clone(value)
}

// Refuse replaces Add for a record whose value could not be read. Its shop becomes a
// fault, unless a later record replaces it. A nil key stands for records with unknown
// keys.
func (l *Loader) Refuse(key []byte, err error) {
	if key == nil {
		l.unread = err
		return
	}
	if l.refused == nil {
		l.refused = make(map[string]error)
	}
	delete(l.latest, string(key))
	l.refused[string(key)] = err
}

// Agrees reports whether both loaders hold the same records of their group.
func (l *Loader) Agrees(other *Loader) bool {
	same := func(error, error) bool { return true }
	if !maps.EqualFunc(l.refused, other.refused, same) || (l.unread == nil) != (other.unread == nil) {
		return false
	}
	for _, both := range [][2]*Loader{{l, other}, {other, l}} {
		for raw, value := range both[0].latest {
			if had, ok := both[1].latest[raw]; ok && bytes.Equal(had, value) {
				continue
			}
			if _, err := ParseKey(l.Group, []byte(raw)); !errors.Is(err, ErrForeign) {
				return false
			}
		}
	}
	return true
}

// Load builds checkpoints from the records. It skips records of other groups. A record
// that cannot be understood makes its shop a fault.
func (l *Loader) Load() Lane { return l.load(false) }

// Drain is Load for a loader that is not used again: it frees each record with IDs once
// they are decoded, so that they are not in memory twice.
func (l *Loader) Drain() Lane {
	lane := l.load(true)
	l.latest = nil
	return lane
}

func (l *Loader) load(drain bool) Lane {
	lane := Lane{Shops: make(map[Partition]*Shop), Faults: make(map[Partition]error), Unread: l.unread}
	type record struct {
		key   Key
		value []byte
	}
	var records []record
	for raw, value := range l.latest {
		k, err := ParseKey(l.Group, []byte(raw))
		if errors.Is(err, ErrForeign) {
			continue
		}
		if err == nil && string(k.Bytes(l.Group)) != raw {
			err = &RecordError{Key: raw, Problem: fmt.Sprintf("the key is not written as %s: write a tombstone for this record and a record with that key", k.Bytes(l.Group))}
		}
		if err != nil {
			lane.Faults[k.Partition] = err
			continue
		}
		records = append(records, record{k, value})
	}
	// Shops, then windows, then parts, each in time order.
	slices.SortFunc(records, func(a, b record) int { return compareKeys(a.key, b.key) })
	for i, r := range records {
		if err := lane.add(r.key, r.value); err != nil {
			lane.Faults[r.key.Partition] = &RecordError{Key: string(r.key.Bytes(l.Group)), Problem: err.Error()}
		}
		if drain && r.key.Kind == KindPart {
			records[i].value = nil
			delete(l.latest, string(r.key.Bytes(l.Group)))
		}
	}
	for p, shop := range lane.Shops {
		if shop.Checkpoint == nil {
			continue
		}
		shop.finishLoading()
		if err := shop.Checkpoint.check(); err != nil {
			lane.Faults[p] = &RecordError{Key: string(Key{Kind: KindShop, Partition: p}.Bytes(l.Group)), Problem: err.Error()}
		}
	}
	for raw, problem := range l.refused {
		if k, err := ParseKey(l.Group, []byte(raw)); !errors.Is(err, ErrForeign) {
			lane.Faults[k.Partition] = &RecordError{Key: raw, Problem: problem.Error()}
		}
	}
	for p := range lane.Faults {
		delete(lane.Shops, p)
	}
	return lane
}

// compareKeys puts shops before windows before parts, each in time order.
func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Window, b.Window), cmp.Compare(a.Part, b.Part))
}

func (lane *Lane) add(k Key, value []byte) error {
	shop := lane.Shops[k.Partition]
	if shop == nil {
		shop = &Shop{Stored: Stored{leftover: true}}
		lane.Shops[k.Partition] = shop
	}
	switch k.Kind {
	case KindShop:
		return shop.addShop(k, value)
	case KindWindow:
		return shop.addWindow(k, value)
	default:
		return shop.addPart(k, value)
	}
}

// finishLoading marks everything in the checkpoint as stored.
func (s *Shop) finishLoading() {
	c := s.Checkpoint
	for _, w := range c.Windows {
		w.Seen.sortPacked()
	}
	c.row().all = false
	for _, w := range c.Open() {
		s.Stored.recheck = append(s.Stored.recheck, w.Start)
	}
}

func (s *Shop) addShop(k Key, value []byte) error {
	var v shopValue
	if err := decode(value, &v, &v.V); err != nil {
		return err
	}
	if v.Watermark == nil {
		return errors.New("damaged value: watermark is missing")
	}
	w, err := v.window()
	if err != nil {
		return err
	}
	s.Stored.shop, s.Stored.leftover = value, false
	s.Checkpoint = &Checkpoint{Watermark: *v.Watermark, Begin: v.Begin, Unheard: v.Unheard, Length: v.Length}
	if w != nil {
		s.Checkpoint.Windows = insert(s.Checkpoint.Windows, w)
	}
	return nil
}

func (s *Shop) addWindow(k Key, value []byte) error {
	s.Stored.keep(windowRecords{start: k.Window, exists: true})
	if s.Checkpoint == nil {
		return nil
	}
	var v windowValue
	if err := decode(value, &v, &v.V); err != nil {
		return err
	}
	w, err := v.window()
	if err != nil {
		return err
	}
	if w == nil || w.Start != k.Window {
		return errors.New("damaged value: window_start is not the key's")
	}
	if w.State == Open {
		s.Stored.keep(windowRecords{start: k.Window, exists: true, value: value})
	}
	s.Checkpoint.Windows = insert(s.Checkpoint.Windows, w)
	return nil
}

// addPart adds a part's IDs to its window. A part whose window is gone stays counted,
// so that the next update forgets it.
func (s *Shop) addPart(k Key, value []byte) error {
	has := s.Stored.of(k.Window)
	has.parts = max(has.parts, k.Part+1)
	s.Stored.keep(has)
	if s.Checkpoint == nil {
		return nil
	}
	i, ok := s.Checkpoint.Find(k.Window)
	if !ok {
		s.Stored.recheck = append(s.Stored.recheck, k.Window)
		return nil
	}
	var v partValue
	if err := decode(value, &v, &v.V); err != nil {
		return err
	}
	n, err := unpackIDs(v.IDs, &s.Checkpoint.Windows[i].Seen)
	if err == nil && n != v.Count {
		err = fmt.Errorf("%d IDs where count says %d", n, v.Count)
	}
	if err != nil {
		return fmt.Errorf("damaged value: %w", err)
	}
	return nil
}
