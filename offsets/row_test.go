package offsets

import (
	"fmt"
	"testing"
)

// longRow is a live shop whose LOOKBACK is seven days, with the given number of waiting
// windows.
func longRow(windows int) *Checkpoint {
	c := &Checkpoint{Watermark: 1_700_000_000, Length: 3600}
	for i := range windows {
		start := int64(1_700_000_000 + 10*i)
		w := &Window{Start: start, End: start + 10, State: Waiting, Pass: 1, PageSize: 100, Pages: 1, Opened: start + 25}
		w.See(fmt.Sprint(3704612354559743232 + i))
		c.Windows = append(c.Windows, w)
	}
	c.Watermark = c.Frontier()
	return c
}

// TestUpdateWritesWhatHasChanged: the first update writes everything, later ones only
// windows that have changed.
func TestUpdateWritesWhatHasChanged(t *testing.T) {
	c := longRow(6000)
	var tp topic
	var s Stored
	written := func() (n int) {
		n = len(tp.log)
		s.Update("g", shop1, c, tp.emit)
		return len(tp.log) - n
	}
	if n := written(); n != 1+2*6000 {
		t.Errorf("the first update wrote %d records, want the shop's and two of each window", n)
	}
	if n := written(); n != 0 {
		t.Errorf("an update without a change wrote %d records", n)
	}
	f := c.Frontier()
	w := &Window{Start: f, End: f + 10, State: Open, Pass: 1, PageSize: 100}
	c.Track(w)
	w.See("1")
	if n := written(); n != 2 {
		t.Errorf("a page of a new window wrote %d records, want the shop's and a part", n)
	}
	w.State = Settled
	c.Watermark = c.Frontier()
	if n := written(); n != 2 {
		t.Errorf("the end of a window wrote %d records, want the shop's and the window's", n)
	}
	c.Put(0, 1)
	if n := written(); n != 2 {
		t.Errorf("a window that is gone wrote %d records, want tombstones of the window and its part", n)
	}
	c.Forget(c.Windows[0])
	if n := written(); n != 2 {
		t.Errorf("IDs that are forgotten wrote %d records, want the window's and the part's tombstone", n)
	}
	lane := tp.load("g")
	if len(lane.Faults) > 0 || !equal(lane.Shops[shop1].Checkpoint, c) {
		t.Errorf("something else is on the topic: %v", lane.Faults)
	}
	if again := lane.Shops[shop1]; again.Checkpoint.Held() != c.Held() {
		t.Errorf("%d IDs are counted, %d were written", again.Checkpoint.Held(), c.Held())
	}
	s.Lost(c)
	if n := written(); n != 1+6000+5999 {
		t.Errorf("after a loss %d records were written, want the shop's, 6000 windows' and the parts of all but one", n)
	}
}

// TestPartsOfAForgottenWalkDoNotCount: a walk that starts over where the former one
// began does not inherit its IDs.
func TestPartsOfAForgottenWalkDoNotCount(t *testing.T) {
	for _, listed := range []bool{false, true} {
		var tp topic
		var s Stored
		begin := func() *Checkpoint {
			return &Checkpoint{Watermark: 100, Windows: []*Window{{Start: 100, End: 200, State: Open, Pass: 1, PageSize: 100}}}
		}
		c := begin()
		c.Windows[0].See("1001")
		c.Windows[0].See("1002")
		s.Update("g", shop1, c, tp.emit)
		tp.emit(Key{Kind: KindShop, Partition: shop1}.Bytes("g"), nil)
		former := tp.load("g").Shops[shop1]
		c = begin()
		if listed {
			c.Windows[0].See("1003")
		}
		former.Stored.Update("g", shop1, c, tp.emit)
		if again := tp.load("g").Shops[shop1].Checkpoint; !equal(again, c) {
			t.Errorf("the new walk is on the topic as\n%s\nwant\n%s", show(again), show(c))
		}
	}
}

// BenchmarkUpdate commits one page while many windows wait.
func BenchmarkUpdate(b *testing.B) {
	for _, windows := range []int{60, 8640, 60480} {
		b.Run(fmt.Sprint(windows), func(b *testing.B) {
			c := longRow(windows)
			f := c.Frontier()
			w := &Window{Start: f, End: f + 10, State: Open, Pass: 1, PageSize: 100}
			c.Track(w)
			var s Stored
			s.Update("g", shop1, c, func(k, v []byte) {})
			b.ReportAllocs()
			id := 0
			for b.Loop() {
				id++
				w.See(fmt.Sprint(id))
				s.Update("g", shop1, c, func(k, v []byte) {})
			}
		})
	}
}
