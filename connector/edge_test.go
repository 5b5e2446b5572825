package connector

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestJudge: an ID that a window and its left neighbour both list is a repeat
// only if it was listed for the second they share. The cases of judge's
// comment, for an API that counts the end second in and one that does not, and
// for one that has its own opinion of a range that ends where it begins.
func TestJudge(t *testing.T) {
	const shared, end = 946_684_900, 946_685_000 // a bubble begins at 946684800
	for _, c := range []struct {
		name    string
		updated int64 // where the order is when the API is asked
		outside bool  // the end second is outside
		point   string
		change  bool
	}{
		{"at the shared second, which the neighbour listed too", shared, false, "", false},
		{"at the shared second, which the neighbour did not list", shared, true, "", true},
		{"after the shared second", shared + 1, false, "", true},
		{"after the shared second, end outside", shared + 1, true, "", true},
		{"later in the window", shared + 50, false, "", true},
		{"at the window's last second", end, false, "", true},
		{"gone from the window", end + 1, false, "", false},
		{"gone from the window, end outside", end, true, "", false},
		{"at the shared second, and no range may begin where it ends", shared, false, "40097", false},
		{"at the shared second, and a range that begins where it ends is empty", shared, false, "empty", false},
		{"after the shared second, and no range may begin where it ends", shared + 1, false, "40097", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *arena) {
				a.world(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Token: "token"}},
					Faults: simulator.Faults{EndExclusive: c.outside, PointRange: c.point}})
				for i := range 150 { // others, so that the answer has pages
					at := int64(shared + i%(end-shared))
					if err := a.api.Add("wx1", simulator.Order{ID: strconv.Itoa(1000 + i), Created: at, Updated: at}); err != nil {
						t.Fatal(err)
					}
				}
				if err := a.api.Add("wx1", simulator.Order{ID: "7", Created: shared - 10, Updated: c.updated}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Until(time.Unix(end+100, 0)))
				p := &plug{dial: a.dial}
				cfg, transport, web := a.config(p, discard(), newRegistry(), shop{appID: "wx1", static: func() (string, error) { return "token", nil }})
				ends := []int64{end}
				if c.updated <= shared+1 && !(c.outside && c.updated == shared+1) {
					ends = append(ends, shared+1) // the shortest window there is
				}
				for _, end := range ends {
					w := &offsets.Window{Start: shared, End: end, PageSize: 100}
					got, err := judge(context.Background(), cfg.Shops[0].Client, w, []string{"7"})
					if err != nil {
						t.Error(err)
					}
					if change, judged := got["7"]; !judged || change != c.change {
						t.Errorf("window of %d s: judged %v (%v), want %v", end-shared, change, judged, c.change)
					}
				}
				web.CloseIdleConnections()
				transport.CloseIdleConnections()
			})
		})
	}
}

// TestJudgeIsNotLedInCircles: an API that gives empty pages for ever has no
// verdict, and the window starts again.
func TestJudgeIsNotLedInCircles(t *testing.T) {
	inBubble(t, func(a *arena) {
		a.world(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Token: "token"}}, Faults: simulator.Faults{EmptyPageRate: 1}})
		cfg, transport, web := a.config(&plug{dial: a.dial}, discard(), newRegistry(), shop{appID: "wx1", static: func() (string, error) { return "token", nil }})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		w := &offsets.Window{Start: 946_684_000, End: 946_684_100, PageSize: 100}
		if _, err := judge(ctx, cfg.Shops[0].Client, w, []string{"7"}); !errors.Is(err, errCircles) {
			t.Errorf("judged with %v after %d calls", err, len(a.listed()))
		}
		web.CloseIdleConnections()
		transport.CloseIdleConnections()
	})
}

// TestTakeKnowsNeighbours: the table of take's comment.
func TestTakeKnowsNeighbours(t *testing.T) {
	window := func(start, end int64, ids ...string) *offsets.Window {
		w := &offsets.Window{Start: start, End: end, State: offsets.Open, Pass: 1, PageSize: 10}
		for _, id := range ids {
			w.See(id)
		}
		return w
	}
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		c := &offsets.Checkpoint{Windows: []*offsets.Window{window(0, 10, "left"), window(10, 20, "own"), window(20, 30, "right")}}
		w := c.Windows[1]
		ids := []string{"new", "left", "own", "right", "new"}
		s := take(c, w, kind, ids, nil)
		if kind == wechat.UpdateTime {
			if len(s.suspects) != 1 || s.suspects[0] != "left" || w.Seen.Has("new") {
				t.Errorf("%s: got %+v, want left as a suspect and nothing taken", kind, s)
			}
			s = take(c, w, kind, ids, verdict{"left": true})
			if len(s.fresh) != 2 || s.fresh[1] != "left" || s.repeats != 3 {
				t.Errorf("%s: got %+v, want new and left", kind, s)
			}
			continue
		}
		if len(s.fresh) != 1 || s.fresh[0] != "new" || s.repeats != 4 {
			t.Errorf("%s: got %+v, want new alone", kind, s)
		}
		for _, id := range ids {
			if !w.Seen.Has(id) {
				t.Errorf("%s: %s was listed and is not seen", kind, id)
			}
		}
	}
}
