package connector

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestAnOrderThatLeavesAWindowHidesNoOther: if a page token counts orders, an order
// that changes while its window is paged moves all later ones up by one, and no page
// lists the first of the next page. Here one order leaves at every second call. The
// backfill is so old that no second pass is due for late orders.
func TestAnOrderThatLeavesAWindowHidesNoOther(t *testing.T) {
	for _, kind := range []string{"changed", "of another status", "changed, without lookback"} {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				const from, n = 946_600_000, 400
				a.simulate(simulator.Config{Seed: 18, Faults: simulator.Faults{OffsetKeys: true}, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
				for i := range n {
					at := int64(from + 20*i)
					if err := a.api.Add("wx1", simulator.Order{ID: fmt.Sprint(5000 + i), Created: at, Updated: at, Status: 20}); err != nil {
						t.Fatal(err)
					}
				}
				p := testPolicy()
				p.Start, p.End, p.PageSize = from, from+20*n, 10
				if kind == "changed, without lookback" {
					p.Lookback = 0
				}
				if p.Range = wechat.UpdateTime; kind == "of another status" {
					p.Range, p.Status = wechat.CreateTime, 20
				}
				var calls atomic.Int64
				left := make(map[string]bool)
				a.gateway = func(_ http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/channels/ec/order/list/get" || calls.Add(1)%2 != 0 {
						return false
					}
					listed := a.listed()
					for _, id := range listed[len(listed)-1].OrderIDs {
						if !left[id] {
							left[id] = true
							if err := a.api.Update("wx1", id, 0, 30); err != nil {
								t.Error(err)
							}
							break
						}
					}
					return false
				}
				if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
					t.Fatal(err)
				}
				a.eachOnce("wx1", from, p.End)
				if len(left) < 5 {
					t.Errorf("%d orders left a window, too few to show anything", len(left))
				}
			})
		})
	}
}

// TestALeakyWindowIsReadUntilNothingIsNew: an old window of several pages that orders
// can leave is read again until a pass finds nothing new. A window that orders cannot
// leave, or one of a single page, is not. Another process may continue between any two
// pages.
func TestALeakyWindowIsReadUntilNothingIsNew(t *testing.T) {
	passes := [][]string{{"1", "2"}, {"2", "3"}, {"3", "4"}, {"3", "4"}, {"5"}}
	for _, c := range []struct {
		name   string
		kind   wechat.Range
		status int
		pages  int
		look   time.Duration
		want   int
	}{
		{"update time", wechat.UpdateTime, 0, 2, time.Minute, 4},
		{"a status", wechat.CreateTime, 20, 2, time.Minute, 4},
		{"creation time", wechat.CreateTime, 0, 2, time.Minute, 1},
		{"one page", wechat.UpdateTime, 0, 1, time.Minute, 1},
		{"no second pass is wanted for late orders", wechat.UpdateTime, 0, 2, 0, 4},
		{"no second pass is wanted for late orders, a status", wechat.CreateTime, 20, 2, 0, 4},
		{"no second pass is wanted, and none is needed", wechat.CreateTime, 0, 2, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, now := testPolicy(), time.Unix(1_000_000, 0)
			p.Range, p.Status, p.Lookback, p.Start, p.End = c.kind, c.status, c.look, 1000, 1099
			state := &offsets.Checkpoint{Watermark: p.Start, Length: 100}
			window.Open(state, window.Next(state, now, p).Open[:1], p)
			w, read := state.Windows[0], 0
			w.End = p.LastEnd()
			for w.State != offsets.Settled {
				if w.State == offsets.Waiting {
					if s := window.Next(state, now, p); len(s.Again) != 1 {
						t.Fatalf("after %d passes: %+v, want the window again", read, s)
					}
					window.Reopen(state, w, p)
				}
				w.Opened = now.Unix()
				window.Dedupe(state, w, p.Range, passes[read], nil)
				w.Pages = c.pages
				state = reloaded(t, state)
				w = state.Windows[0]
				window.Finish(state, w, p)
				read++
			}
			if read != c.want || !window.Next(state, now, p).Done {
				t.Errorf("%d passes, want %d; done: %v", read, c.want, window.Next(state, now, p).Done)
			}
		})
	}
}

// reloaded returns a checkpoint as another process loads it.
func reloaded(t *testing.T, c *offsets.Checkpoint) *offsets.Checkpoint {
	t.Helper()
	var topic offsets.Stored
	loader, part := offsets.Loader{Group: "g"}, offsets.Partition{Shop: "wx1", Range: "create_time"}
	topic.Lost(c) // all IDs go with it
	topic.Update("g", part, c, func(key, value []byte) { loader.Add(key, value) })
	lane := loader.Load()
	if len(lane.Faults) > 0 {
		t.Fatal(lane.Faults)
	}
	return lane.Shops[part].Checkpoint
}
