package window

import (
	"testing"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// TestTakeKnowsNeighbours: the table of take's comment.
func TestTakeKnowsNeighbours(t *testing.T) {
	win := func(start, end int64, ids ...string) *offsets.Window {
		w := &offsets.Window{Start: start, End: end, State: offsets.Open, Pass: 1, PageSize: 10}
		for _, id := range ids {
			w.See(id)
		}
		return w
	}
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		c := &offsets.Checkpoint{Windows: []*offsets.Window{win(0, 10, "left"), win(10, 20, "own"), win(20, 30, "right")}}
		w := c.Windows[1]
		ids := []string{"new", "left", "own", "right", "new"}
		s := Dedupe(c, w, kind, ids, nil)
		if kind == wechat.UpdateTime {
			if len(s.Ambiguous) != 1 || s.Ambiguous[0] != (Ambiguous{"left", 10}) || w.Seen.Has("new") {
				t.Errorf("%s: got %+v, want left as a suspect and nothing taken", kind, s)
			}
			s = Dedupe(c, w, kind, ids, Resolved{Ambiguous{"left", 10}: true})
			if len(s.Fresh) != 2 || s.Fresh[1] != "left" || s.Repeats != 3 {
				t.Errorf("%s: got %+v, want new and left", kind, s)
			}
			continue
		}
		if len(s.Fresh) != 1 || s.Fresh[0] != "new" || s.Repeats != 4 {
			t.Errorf("%s: got %+v, want new alone", kind, s)
		}
		for _, id := range ids {
			if !w.Seen.Has(id) {
				t.Errorf("%s: %s was listed and is not seen", kind, id)
			}
		}
	}
}

// TestAVerdictHoldsForTheEdgeItIsAbout: while the API is asked about an ID that
// the window before the last has listed, the last one lists it too. The verdict
// says nothing about that.
func TestAVerdictHoldsForTheEdgeItIsAbout(t *testing.T) {
	win := func(start, end int64) *offsets.Window {
		return &offsets.Window{Start: start, End: end, From: start - 1, State: offsets.Open, Pass: 1, PageSize: 10}
	}
	c := &offsets.Checkpoint{Windows: []*offsets.Window{win(41, 42), win(42, 43), win(43, 44)}}
	w := c.Windows[2]
	c.Windows[0].See("moved") // as it was at 41; it has changed at 43
	s := Dedupe(c, w, wechat.UpdateTime, []string{"moved"}, nil)
	if len(s.Ambiguous) != 1 || s.Ambiguous[0] != (Ambiguous{"moved", 42}) {
		t.Fatalf("got %+v, want a suspect of edge 42", s)
	}
	c.Windows[1].See("moved") // and has published the change at 43
	known := Resolved{Ambiguous{"moved", 42}: true}
	if s = Dedupe(c, w, wechat.UpdateTime, []string{"moved"}, known); len(s.Fresh) > 0 || len(s.Ambiguous) != 1 || s.Ambiguous[0] != (Ambiguous{"moved", 43}) {
		t.Fatalf("got %+v, want a suspect of edge 43", s)
	}
	known[Ambiguous{"moved", 43}] = false
	if s = Dedupe(c, w, wechat.UpdateTime, []string{"moved"}, known); len(s.Fresh) > 0 || s.Repeats != 1 {
		t.Fatalf("got %+v, want a repeat", s)
	}
}

// TestAnOrderAtTheEndOfADividedWindowIsKnown: the last window has listed the second that
// it shares with the next one, which is not open yet, before it was divided.
func TestAnOrderAtTheEndOfADividedWindowIsKnown(t *testing.T) {
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		p := standard()
		p.Range, p.Lookback = kind, 0
		c := &offsets.Checkpoint{Watermark: 100}
		Open(c, []Span{{100, 120}}, p)
		c.Windows[0].See("at 120")
		for Halve(c, c.Windows[len(c.Windows)-1], p) && len(c.Windows) < 4 {
		}
		for len(c.Open()) > 0 {
			Finish(c, c.Open()[0], p)
		}
		Open(c, []Span{{120, 130}}, p)
		next, _ := c.Find(120)
		s := Dedupe(c, c.Windows[next], kind, []string{"at 120"}, nil)
		if kind == wechat.UpdateTime && (len(s.Ambiguous) != 1 || s.Ambiguous[0].Edge != 120) || len(s.Fresh) > 0 {
			t.Errorf("%s: got %+v", kind, s)
		}
		Finish(c, c.Windows[next], p)
		Open(c, []Span{{130, 140}}, p)
		next, _ = c.Find(130)
		Finish(c, c.Windows[next], p)
		if len(c.Reaching()) > 0 {
			t.Errorf("%s: what will not be listed again is kept: %+v", kind, c.Reaching()[0])
		}
	}
}
