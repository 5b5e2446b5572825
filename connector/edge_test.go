package connector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestResolveEdge: an ID that a window and one to its left both list is a repeat only
// if the left one has listed this very change. It covers all four readings of a range's
// ends, windows of one second and longer, requested from their start or a second
// earlier, and an API that treats ranges ending where they begin in its own way.
func TestResolveEdge(t *testing.T) {
	const shared = 946_684_900 // a bubble begins at 946684800
	for _, point := range []string{"", "empty", "40097"} {
		for ends := range 4 {
			startOut, endOut := ends/2 == 1, ends%2 == 1
			t.Run(fmt.Sprintf("start out %v, end out %v, %s", startOut, endOut, point), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{{AppID: "wx1", Token: "token"}},
						Faults: simulator.Faults{StartExclusive: startOut, EndExclusive: endOut, PointRange: point}})
					for i := range 250 { // others, so that answers have pages
						at := int64(shared - 2 + i%110)
						if err := a.api.Add("wx1", simulator.Order{ID: strconv.Itoa(1000 + i), Created: at, Updated: at}); err != nil {
							t.Fatal(err)
						}
					}
					for at := int64(shared - 2); at < shared+110; at++ {
						if err := a.api.Add("wx1", simulator.Order{ID: strconv.FormatInt(at, 10), Created: shared - 10, Updated: at}); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(time.Until(time.Unix(shared+200, 0)))
					cfg, transport, web := a.config(&plug{dial: a.dial}, discard(), newGatherer(), shop{appID: "wx1", static: func() (string, error) { return "token", nil }})
					lists := func(from, to, at int64) bool {
						return (at > from || !startOut && at == from) && (at < to || !endOut && at == to)
					}
					var shows window.Ends
					for _, w := range []*offsets.Window{
						{Start: shared, End: shared + 1}, {Start: shared, End: shared + 2}, {Start: shared, End: shared + 100},
						{Start: shared, End: shared + 1, From: shared - 1}, {Start: shared, End: shared + 2, From: shared - 1}, {Start: shared, End: shared + 100, From: shared - 1},
					} {
						w.PageSize = 100
						for edge := shared; int64(edge) >= w.Asked(); edge-- {
							for at := w.Asked(); at <= w.End+1; at++ {
								moved := at > w.End || endOut && at == w.End
								if !moved && !lists(w.Asked(), w.End, at) {
									continue // the window's range does not include it
								}
								id := strconv.FormatInt(at, 10)
								got, ends, err := resolveEdge(context.Background(), cfg.Shops[0].Client, w, []window.Ambiguous{{ID: id, Edge: int64(edge)}})
								if err != nil {
									t.Fatal(err)
								}
								shows = max(shows, ends)
								want := !moved && !lists(shared-50, int64(edge), at)
								if change, resolved := got[window.Ambiguous{ID: id, Edge: int64(edge)}]; !resolved || change != want {
									t.Errorf("window %+v, edge %+d, update %+d: resolved %v (%v), want %v", w, edge-shared, at-shared, resolved, change, want)
								}
							}
						}
					}
					if want := [...]window.Ends{window.BothEnds, window.OneEnd, window.OneEnd, window.UnseenEnds}[ends]; shows != want {
						t.Errorf("seen to count in: %v, want %v", shows, want)
					}
					web.CloseIdleConnections()
					transport.CloseIdleConnections()
				})
			})
		}
	}
}

// TestResolveEdgeEndsOnEndlessPages: if the API sends empty pages without end,
// resolveEdge returns an error, and the window restarts.
func TestResolveEdgeEndsOnEndlessPages(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Token: "token"}}, Faults: simulator.Faults{EmptyPageRate: 1}})
		cfg, transport, web := a.config(&plug{dial: a.dial}, discard(), newGatherer(), shop{appID: "wx1", static: func() (string, error) { return "token", nil }})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		w := &offsets.Window{Start: 946_684_000, End: 946_684_100, PageSize: 100}
		if _, _, err := resolveEdge(ctx, cfg.Shops[0].Client, w, []window.Ambiguous{{ID: "7", Edge: 946_684_000}}); !errors.Is(err, errCircles) {
			t.Errorf("resolved with %v after %d calls", err, len(a.listed()))
		}
		web.CloseIdleConnections()
		transport.CloseIdleConnections()
	})
}

// TestResolveEdgeIgnoresAnswersWithoutAList: a gateway that answers "ok" without a list
// for a while turns no change into a repeat.
func TestResolveEdgeIgnoresAnswersWithoutAList(t *testing.T) {
	const shared, end = 946_684_900, 946_685_000
	for _, length := range []time.Duration{2 * time.Second, time.Minute, 10 * time.Minute} {
		for i, form := range successes {
			for j, updated := range []int64{shared, shared + 50} {
				t.Run(fmt.Sprint(length, i, j), func(t *testing.T) {
					inBubble(t, func(a *testbed) {
						a.simulate(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Token: "token"}}, Faults: []simulator.Faults{{}, terse}[i%2]})
						if err := a.api.Add("wx1", simulator.Order{ID: "7", Created: shared - 10, Updated: updated}); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Until(time.Unix(end+100, 0)))
						g := &glitch{length: length, form: form, begins: func(n int, _ asked) bool { return n > 1 }}
						g.play(a)
						cfg, transport, web := a.config(&plug{dial: a.dial}, discard(), newGatherer(), shop{appID: "wx1", static: func() (string, error) { return "token", nil }})
						w := &offsets.Window{Start: shared, End: end, PageSize: 100}
						if _, err := cfg.Shops[0].Client.List(context.Background(), query(w, wechat.UpdateTime, "")); err != nil {
							t.Error(err) // this call makes the ID ambiguous
						}
						got, _, err := resolveEdge(context.Background(), cfg.Shops[0].Client, w, []window.Ambiguous{{ID: "7", Edge: shared}})
						if change, resolved := got[window.Ambiguous{ID: "7", Edge: shared}]; err != nil || !resolved || change != (j == 1) {
							t.Errorf("%v of %s: resolved %v (%v), %v", length, form, change, resolved, err)
						}
						web.CloseIdleConnections()
						transport.CloseIdleConnections()
					})
				})
			}
		}
	}
}
