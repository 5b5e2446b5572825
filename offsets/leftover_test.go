package offsets

import (
	"slices"
	"testing"
)

// Parts of a walk that was given up do not count for the walk that starts over at the
// same second, neither at once nor after a restart. Its first update forgets them.
func TestPartsOfAFormerWalkDoNotCount(t *testing.T) {
	type written struct{ key, value []byte }
	first := func() *Checkpoint {
		return &Checkpoint{Watermark: 100, Windows: []*Window{{Start: 100, End: 200, State: Open, Pass: 1, PageSize: 100}, {Start: 200, End: 300, State: Open, Pass: 1, PageSize: 100}}}
	}
	var log []written
	emit := func(k, v []byte) { log = append(log, written{k, v}) }
	load := func(records []written) *Shop {
		t.Helper()
		l := Loader{Group: "g"}
		for _, r := range records {
			l.Add(r.key, r.value)
		}
		lane := l.Load()
		if len(lane.Faults) > 0 {
			t.Fatal(lane.Faults)
		}
		return lane.Shops[shop1]
	}
	seen := func(s *Shop) (ids []string) {
		for _, w := range s.Checkpoint.Windows {
			ids = slices.AppendSeq(ids, w.Seen.All())
		}
		slices.Sort(ids)
		return ids
	}
	// compacted is the log after the cleaner has run, with or without tombstones.
	compacted := func(records []written, tombstones bool) (kept []written) {
		for i, r := range records {
			later := slices.ContainsFunc(records[i+1:], func(o written) bool { return string(o.key) == string(r.key) })
			if !later && (tombstones || r.value != nil) {
				kept = append(kept, r)
			}
		}
		return kept
	}

	c := first()
	var s Stored
	for _, id := range []string{"1001", "1002"} {
		c.Windows[0].See(id)
		s.Update("g", shop1, c, emit)
	}
	c.Windows[1].See("1003")
	s.Update("g", shop1, c, emit)
	if got := seen(load(log)); !slices.Equal(got, []string{"1001", "1002", "1003"}) {
		t.Fatalf("the first walk has seen %v", got)
	}
	emit(Key{Kind: KindShop, Partition: shop1}.Bytes("g"), nil) // the shop starts over

	before := slices.Clone(log)
	for _, records := range [][]written{before, compacted(before, true), compacted(before, false)} {
		log = records
		shop := load(log)
		if shop.Checkpoint != nil {
			t.Fatal("the shop does not start over")
		}
		c := first()
		c.Windows[0].See("1002")
		shop.Stored.Update("g", shop1, c, emit)
		for _, records := range [][]written{log, compacted(log, true), compacted(log, false)} {
			if got := seen(load(records)); !slices.Equal(got, []string{"1002"}) {
				t.Errorf("after a start over: %v count as published, want 1002", got)
			}
		}
		// After the windows are forgotten no record is left.
		c.Windows, c.Watermark = nil, 300
		shop.Stored.Update("g", shop1, c, emit)
		if kept := compacted(log, false); len(kept) != 1 {
			t.Errorf("%d records are left, want the shop's", len(kept))
		}
	}
}

// Loaders agree if they hold the same records of their group, whatever others have
// written.
func TestLoadersAgree(t *testing.T) {
	shop := Key{Kind: KindShop, Partition: shop1}
	foreign := shop.Bytes("other")
	load := func(pairs ...[]byte) *Loader {
		l := &Loader{Group: "g"}
		for i := 0; i < len(pairs); i += 2 {
			l.Add(pairs[i], pairs[i+1])
		}
		return l
	}
	one, two, odd := []byte(`{"v":1,"watermark":1}`), []byte(`{"v":1,"watermark":2}`), []byte(`["g",{"odd":1}]`)
	for name, c := range map[string]struct {
		a, b *Loader
		want bool
	}{
		"empty":           {load(), load(), true},
		"the same":        {load(shop.Bytes("g"), one), load(shop.Bytes("g"), two, shop.Bytes("g"), one), true},
		"another value":   {load(shop.Bytes("g"), one), load(shop.Bytes("g"), two), false},
		"a tombstone":     {load(shop.Bytes("g"), one), load(shop.Bytes("g"), one, shop.Bytes("g"), nil), false},
		"one more":        {load(), load(shop.Bytes("g"), one), false},
		"an unknown key":  {load(), load(odd, one), false},
		"another group's": {load(foreign, one), load(foreign, two, []byte("x"), one), true},
	} {
		if got := c.a.Agrees(c.b); got != c.want || c.b.Agrees(c.a) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
