package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// change is a change of an order: when it happened, and when lists begin to show it.
type change struct{ at, shown int64 }

// latest returns the change of an order that a list shows at a time; zero = none.
func latest(changes []change, now int64) (c change) {
	for _, next := range changes {
		if next.shown <= now && next.at > c.at {
			c = next
		}
	}
	return c
}

// sweeping returns the policy under which windows are swept.
func sweeping() Policy {
	p := standard()
	p.Range, p.Ends = wechat.UpdateTime, BothEnds
	return p
}

// rowOf opens windows of these lengths from start on, and reads them by list.
func rowOf(start int64, lengths []int64, p Policy, list func(now, from, to int64) []string) *offsets.Checkpoint {
	c := &offsets.Checkpoint{Watermark: start, Length: 3600}
	for _, length := range lengths {
		Open(c, []Span{{start, start + length}}, p)
		start += length
		w := c.Open()[0]
		w.Opened = start + seconds(p.SettleDelay)
		After(c, w, p)
		for _, id := range list(w.Opened, w.Asked(), w.End) {
			w.See(id)
		}
		w.Pages++
		Finish(c, w, p)
	}
	return c
}

// TestASweepLeavesOutNoOrder: a window that a sweep has settled holds no order that was
// shown in it and not seen in it before, unless that has changed again since. Some
// changes are shown late, and some orders for the first time during the sweep.
func TestASweepLeavesOutNoOrder(t *testing.T) {
	settled, opened := 0, 0
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		p := sweeping()
		const start = 1_000_000
		lengths := make([]int64, 3+2*rnd.IntN(5))
		end := int64(start)
		for i := range lengths {
			lengths[i] = 1 + rnd.Int64N(4)
			end += lengths[i]
		}
		sweep := end + seconds(p.Lookback)
		history := make(map[string][]change)
		for i := range 1 + rnd.IntN(60) {
			id, at := fmt.Sprint(100+i), start-5+rnd.Int64N(end-start+10)
			for range 1 + rnd.IntN(3) {
				c := change{at, at}
				if rnd.IntN(8) == 0 {
					c.shown = sweep - 5
				}
				if rnd.IntN(8) == 0 && len(history[id]) == 0 {
					c.shown = sweep - 5 + rnd.Int64N(20)
				}
				history[id] = append(history[id], c)
				at += 1 + rnd.Int64N(10)
				if rnd.IntN(4) == 0 {
					at = sweep + rnd.Int64N(10) // it changes again during the sweep
				}
			}
		}
		list := func(now, from, to int64) (ids []string) {
			for id, changes := range history {
				if at := latest(changes, now).at; from <= at && at <= to {
					ids = append(ids, id)
				}
			}
			return ids
		}
		c := rowOf(start, lengths, p, list)
		row := sweepable(c.Windows, p)
		if len(row) == 1 {
			continue
		}
		s := NewSweep(c, slices.Clone(row), p)
		seen := make(map[string][]int64) // by ID: the updates that lists have shown
		for i, span := range s.Spans() {
			ids := list(sweep+int64(i), span.Start, span.End)
			for _, id := range ids {
				seen[id] = append(seen[id], latest(history[id], sweep+int64(i)).at)
			}
			s.Listed(i, ids, false)
		}
		known := make([]map[string]bool, len(row))
		for j, w := range s.windows {
			known[j] = make(map[string]bool)
			for id := range w.Seen.All() {
				known[j][id] = true
			}
		}
		over := sweep + int64(len(s.Spans()))
		s.Finish(c, p)
		for j, w := range s.windows {
			if w.State != offsets.Settled {
				opened++
				continue
			}
			settled++
			for id, updates := range seen {
				for _, at := range updates {
					if w.Start < at && at <= s.ends[j] && !known[j][id] && latest(history[id], over).at == at {
						t.Fatalf("seed %d: window %d (%d–%d) was settled without order %s of second %d", seed, j, w.Start, s.ends[j], id, at)
					}
				}
			}
		}
	}
	if settled < 1000 || opened < 1000 {
		t.Errorf("%d windows were settled and %d opened: too few to show anything", settled, opened)
	}
}

// TestASweepOfWhatWasSeenSettlesAll: eight lists are the second pass of fifteen windows,
// while orders that were seen in them change again.
func TestASweepOfWhatWasSeenSettlesAll(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	p := sweeping()
	lengths := make([]int64, 20)
	history := make(map[string][]change)
	for i := range lengths {
		lengths[i] = 10
		for j := range rnd.IntN(9) {
			at := 1_000_000 + int64(10*i) + rnd.Int64N(10)
			history[fmt.Sprint(i, j)] = []change{{at, at}, {at + rnd.Int64N(1000), at}}
		}
	}
	list := func(now, from, to int64) (ids []string) {
		for id, changes := range history {
			var at int64
			for _, c := range changes {
				if c.at <= now {
					at = c.at
				}
			}
			if from <= at && at <= to {
				ids = append(ids, id)
			}
		}
		return ids
	}
	c := rowOf(1_000_000, lengths, p, list)
	due := time.Unix(c.Windows[14].End, 0).Add(p.Lookback)
	if s := Next(c, due.Add(-time.Second), p); s.Sweep != nil || len(s.Again) > 0 {
		t.Fatalf("before the last of the windows is old enough: %+v", s)
	}
	row := Next(c, due, p)
	if len(row.Sweep) != mostSwept || len(row.Again) > 0 {
		t.Fatalf("%d windows to sweep and %d to read again, want %d and none", len(row.Sweep), len(row.Again), mostSwept)
	}
	s := NewSweep(c, row.Sweep, p)
	p.Swept, p.Sweeping = s.End(), true
	if next := Next(c, due, p); next.Sweep != nil || len(next.Again) > 0 {
		t.Errorf("during the sweep: %+v", next)
	}
	for i, span := range s.Spans() {
		s.Listed(i, list(due.Unix()+int64(i), span.Start, span.End), false)
	}
	if s.Spans()[0].Start != c.Windows[0].Start {
		t.Errorf("the first list begins at %d, the walk at %d", s.Spans()[0].Start, c.Windows[0].Start)
	}
	if n := s.Finish(c, p); n != mostSwept || len(s.Spans()) != 8 || len(c.Open()) > 0 {
		t.Errorf("%d lists have settled %d windows; %d are open", len(s.Spans()), n, len(c.Open()))
	}
}

// TestASweepIsTheOnlyPassOfItsWindows: while three windows are swept, none of them is read
// by itself, and no other sweep begins. A later one begins after the second that the
// windows before it have listed.
func TestASweepIsTheOnlyPassOfItsWindows(t *testing.T) {
	p := sweeping()
	p.Lookback = 2 * time.Minute // so a sweep takes three windows
	c := rowOf(1_000_000, []int64{10, 10, 10, 10, 10, 10}, p, func(_, _, to int64) []string { return []string{fmt.Sprint(to)} })
	due := time.Unix(c.Frontier(), 0).Add(p.Lookback)
	for n, begins := range []int64{1_000_000, 1_000_031} {
		row := Next(c, due, p)
		if len(row.Sweep) != 3 || len(row.Again) > 0 {
			t.Fatalf("sweep %d: %+v", n, row)
		}
		s := NewSweep(c, row.Sweep, p)
		p.Swept, p.Sweeping = s.End(), true
		if next := Next(c, due, p); next.Sweep != nil || len(next.Again) > 0 {
			t.Errorf("during sweep %d: %+v", n, next)
		}
		if s.Spans()[0].Start != begins {
			t.Errorf("list 0 of sweep %d begins at %d, want %d", n, s.Spans()[0].Start, begins)
		}
		for i, span := range s.Spans() {
			for at := span.Start; at <= span.End; at++ {
				if (at-1_000_000)%10 == 0 && at > 1_000_000 {
					s.Listed(i, []string{fmt.Sprint(at)}, false)
				}
			}
		}
		if settled := s.Finish(c, p); settled != 3 {
			t.Errorf("sweep %d has settled %d windows", n, settled)
		}
		p.Sweeping = false
	}
}

// TestAfter: the first page of a window is asked for without the first second only if the
// window before has listed that, and the second pass lists it too.
func TestAfter(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *offsets.Checkpoint, w *offsets.Window, p *Policy)
		want   bool
	}{
		"live":                        {func(*offsets.Checkpoint, *offsets.Window, *Policy) {}, true},
		"first of the walk":           {func(c *offsets.Checkpoint, _ *offsets.Window, _ *Policy) { c.Put(0, 1) }, false},
		"one end is in":               {func(_ *offsets.Checkpoint, _ *offsets.Window, p *Policy) { p.Ends = OneEnd }, false},
		"by creation time":            {func(_ *offsets.Checkpoint, _ *offsets.Window, p *Policy) { p.Range = wechat.CreateTime }, false},
		"second pass":                 {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.Pass = 2 }, false},
		"no second pass":              {func(_ *offsets.Checkpoint, _ *offsets.Window, p *Policy) { p.Lookback = 0 }, false},
		"old enough for both at once": {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.Opened = w.End + 600 }, false},
		"part of a longer one":        {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.Reach = w.End }, false},
		"in the middle":               {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.Key = "token" }, false},
		"a second long":               {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.End = w.Start + 1 }, false},
		"one status":                  {func(c *offsets.Checkpoint, w *offsets.Window, _ *Policy) { c.Windows[0].Status, w.Status = 20, 20 }, false},
		"other filters before":        {func(c *offsets.Checkpoint, _ *offsets.Window, _ *Policy) { c.Windows[0].Status = 20 }, false},
		"other buyers before":         {func(c *offsets.Checkpoint, _ *offsets.Window, _ *Policy) { c.Windows[0].OpenID = "o" }, false},
		"a second before":             {func(c *offsets.Checkpoint, _ *offsets.Window, _ *Policy) { c.Windows[0].Start = c.Windows[0].End - 1 }, false},
		"a range with an end":         {func(_ *offsets.Checkpoint, _ *offsets.Window, p *Policy) { p.End = 2_000_000 }, false},
		"not settled":                 {func(_ *offsets.Checkpoint, _ *offsets.Window, p *Policy) { p.SettleDelay = 0 }, false},
		"seen before":                 {func(_ *offsets.Checkpoint, w *offsets.Window, _ *Policy) { w.See("7") }, false},
		"more than a page, probably":  {func(c *offsets.Checkpoint, _ *offsets.Window, _ *Policy) { c.Length = 5 }, false},
	} {
		p := sweeping()
		state := rowOf(1_000_000, []int64{10}, p, func(int64, int64, int64) []string { return nil })
		Open(state, []Span{{1_000_010, 1_000_020}}, p)
		w := state.Open()[0]
		w.Opened = w.End + 15
		c.change(state, w, &p)
		if After(state, w, p); w.After != c.want {
			t.Errorf("%s: %v, want %v", name, w.After, c.want)
		}
		if want := map[bool]int64{true: w.Start + 1, false: w.Start}[c.want]; w.Asked() != want {
			t.Errorf("%s: asked from %d, want %d", name, w.Asked(), want)
		}
	}
}

// TestWhatASweepDoesNotTell: windows of a list with several pages, or with an order that
// no window explains, get a pass of their own; windows that have changed stay as they are.
func TestWhatASweepDoesNotTell(t *testing.T) {
	p := sweeping()
	listed := func(lists ...int) func(*Sweep, *offsets.Checkpoint) {
		return func(s *Sweep, _ *offsets.Checkpoint) {
			for _, i := range lists {
				s.Listed(i, []string{"new"}, false)
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(s *Sweep, c *offsets.Checkpoint)
		open string // the windows that are open afterwards
	}{
		"nothing is new":            {listed(), "[]"},
		"several pages":             {func(s *Sweep, _ *offsets.Checkpoint) { s.Listed(1, nil, true) }, "[1 2 3]"},
		"in the first list":         {listed(0), "[0]"},
		"in one list":               {listed(1), "[1 2]"},
		"in two lists":              {listed(1, 2), "[3]"},
		"in lists that do not meet": {listed(0, 2), "[0 1 2 3 4]"},
		"one is read meanwhile":     {func(s *Sweep, c *offsets.Checkpoint) { Reopen(c, s.windows[3], p) }, "[3]"},
		"one is joined meanwhile":   {func(_ *Sweep, c *offsets.Checkpoint) { c.Join(3) }, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			state := rowOf(1_000_000, []int64{10, 10, 10, 10, 10}, p, func(_, _, to int64) []string { return []string{fmt.Sprint(to)} })
			s := NewSweep(state, slices.Clone(state.Windows), p)
			c.do(s, state)
			s.Finish(state, p)
			open := make([]int64, 0)
			for _, w := range state.Open() {
				open = append(open, (w.Start-1_000_000)/10)
			}
			if fmt.Sprint(open) != c.open {
				t.Errorf("open: %v, want %v", open, c.open)
			}
			if w := s.windows[3]; name == "one is joined meanwhile" && w.State != offsets.Waiting {
				t.Errorf("a window that is longer than what was listed is %s", w.State)
			}
		})
	}
}
