package offsets

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// IDs are a set, for IDs of any form in any order.
func TestIDsAreASet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	some := func() string {
		switch rnd.IntN(6) {
		case 0:
			return fmt.Sprint(rnd.IntN(4)) // zero is a number too
		case 1:
			return fmt.Sprintf("0%d", rnd.IntN(20))
		case 2:
			return fmt.Sprintf("x%d", rnd.IntN(20))
		case 3:
			return fmt.Sprintf("1844674407370955%04d", rnd.IntN(40)+1600) // around the greatest number
		default:
			return fmt.Sprint(uint64(3_700_000_000_000_000_000) + rnd.Uint64N(300))
		}
	}
	for range 50 {
		var s IDs
		known := map[string]bool{}
		for range rnd.IntN(400) {
			if rnd.IntN(50) == 0 {
				s.Pack()
			}
			if id := some(); rnd.IntN(2) == 0 {
				if isNew := s.Add(id); isNew == known[id] {
					t.Fatalf("Add(%q) = %t", id, isNew)
				}
				known[id] = true
			} else if has := s.Has(id); has != known[id] {
				t.Fatalf("Has(%q) = %t", id, has)
			}
		}
		all := slices.Sorted(s.All())
		if len(all) != len(known) || s.Len() != len(known) || len(slices.Compact(all)) != len(known) {
			t.Fatalf("%d IDs, %d are listed, %d were added", s.Len(), len(all), len(known))
		}
		for _, id := range all {
			if !known[id] {
				t.Fatalf("%q was never added", id)
			}
		}
	}
}

// However long the IDs are, a part stays far below the limit of a batch.
func TestPartsOfLongIDs(t *testing.T) {
	for _, length := range []int{1, 19, 128} {
		c := &Checkpoint{Watermark: 1, Windows: []*Window{{Start: 1, End: 2, State: Open, Pass: 1, PageSize: 100}}}
		for i := range 40_000 {
			c.Windows[0].See(fmt.Sprintf("%0*d", length, i))
		}
		var s Stored
		var tp topic
		largest := 0
		s.Update("g", shop1, c, func(k, v []byte) {
			largest = max(largest, len(k)+len(v))
			tp.emit(k, v)
		})
		if largest > 300_000 {
			t.Errorf("IDs of %d characters make a record of %d bytes", length, largest)
		}
		if got := tp.load("g").Shops[shop1].Checkpoint.Windows[0].Seen.Len(); got != 40_000 {
			t.Errorf("of 40000 IDs of %d characters %d are there", length, got)
		}
	}
}

func TestPackedIDsAreExact(t *testing.T) {
	ids := []string{"9999999999999999999", "0", "00", "1", "3704612354559743232", "18446744073709551616", "a,b", "", "ü", "-1", "9223372036854775808"}
	var s IDs
	n, err := unpackIDs(packIDs(ids), &s)
	s.sortPacked()
	if err != nil || n != len(ids) || s.Len() != len(ids) {
		t.Fatalf("unpacked %d (%d distinct), %v; want %d", n, s.Len(), err, len(ids))
	}
	for _, id := range ids {
		if !s.Has(id) {
			t.Errorf("%q was lost", id)
		}
	}
	if got, want := slices.Sorted(s.All()), slices.Sorted(slices.Values(ids)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
