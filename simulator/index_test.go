package simulator

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// After random inserts and removals, an index equals a sorted set.
func TestIndexIsASortedSet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var x index
	var want []entry
	for i := range 20000 {
		e := entryOf(rnd.Uint32N(2000), rnd.Uint32N(8))
		if i%3 == 0 {
			e = entryOf(2000+uint32(i), 0) // new orders mostly come last
		}
		at, found := slices.BinarySearch(want, e)
		switch {
		case rnd.IntN(3) > 0:
			x.insert(e)
			if !found {
				want = slices.Insert(want, at, e)
			}
		default:
			if len(want) > 0 {
				e = want[rnd.IntN(len(want))]
				at, found = slices.BinarySearch(want, e)
			}
			x.remove(e)
			if found {
				want = slices.Delete(want, at, at+1)
			}
		}
	}
	for range 200 {
		lo, hi := entryOf(rnd.Uint32N(25000), 0), entryOf(rnd.Uint32N(25000), noRow)
		var up, down, in []entry
		x.ascend(lo, hi, func(e entry) bool { up = append(up, e); return true })
		x.descend(lo, hi, func(e entry) bool { down = append(down, e); return true })
		for _, e := range want {
			if lo <= e && e <= hi {
				in = append(in, e)
			}
		}
		slices.Reverse(down)
		if !slices.Equal(up, in) || !slices.Equal(down, in) {
			t.Fatalf("[%x, %x]: up %d, down %d, want %d entries", lo, hi, len(up), len(down), len(in))
		}
	}
	for _, chunk := range x.chunks {
		if len(chunk) == 0 || len(chunk) > chunkSize {
			t.Fatalf("a chunk of %d", len(chunk))
		}
	}
	for _, e := range want {
		x.remove(e)
	}
	if len(x.chunks) != 0 {
		t.Fatalf("%d chunks are left of nothing", len(x.chunks))
	}
}

func TestIndexOfSortedEntriesCanBeChanged(t *testing.T) {
	var all []entry
	for i := range uint32(3 * chunkSize) {
		all = append(all, entryOf(i*2, 0))
	}
	x := newIndex(slices.Clone(all))
	for i := range uint32(3 * chunkSize) {
		x.insert(entryOf(i*2+1, 0))
		all = append(all, entryOf(i*2+1, 0))
	}
	slices.Sort(all)
	var got []entry
	x.ascend(0, ^entry(0), func(e entry) bool { got = append(got, e); return true })
	if !slices.Equal(got, all) {
		t.Fatalf("got %d entries, want %d", len(got), len(all))
	}
}

func TestEventsComeInOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var q events
	var want []event
	for range 1000 {
		e := event{at: rnd.Int64N(50), row: rnd.Uint32N(20), step: rnd.Int32N(3)}
		q.push(e)
		want = append(want, e)
	}
	slices.SortFunc(want, func(a, b event) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
	for i := range want {
		if got := q.pop(); got != want[i] {
			t.Fatalf("event %d: got %+v, want %+v", i, got, want[i])
		}
	}
}

// The row can be computed from the ID, and IDs look like real ones.
func TestIDsAreReversible(t *testing.T) {
	b := &book{seed: 77}
	for _, n := range []uint32{0, 1, 2, 1000, 1 << 27} {
		for _, created := range []uint32{946684800, 1658505600, 1 << 31} {
			id := b.newID(created, n)
			if got := b.rowOfID(id); got != n {
				t.Errorf("row %d came back as %d", n, got)
			}
			if text := formatID(id); len(text) != 19 || id < 1<<53 {
				t.Errorf("ID %s is not like a real one", text)
			}
			if d := int64(id>>idBits) - idOffset - int64(created); d < -idJitter || d > idJitter {
				t.Errorf("ID %d says %d s off its creation", id, d)
			}
		}
	}
}
