package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestPagesThatOnlyRepeatFailTheirShop: each page has a new token, says "more", and
// lists only what was listed before, or nothing. The window's shop fails with the
// reason after a bounded number of calls; the other shop of the lane continues. Orders
// listed before the repetition begins are published once.
func TestPagesThatOnlyRepeatFailTheirShop(t *testing.T) {
	for name, body := range map[string]string{
		"repeats": `{"errcode":0,"order_id_list":["1","2","3"],"next_key":"K%d","has_more":true}`,
		"empty":   `{"errcode":0,"order_id_list":[],"next_key":"K%d","has_more":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				one, p := backlog("wx1", 500)
				two, _ := backlog("wx2", 500)
				one.Token, two.Token = "bad", "good"
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{one, two}, Latency: 10 * time.Millisecond})
				var n atomic.Int64
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					bad := strings.HasSuffix(r.URL.Path, "/list/get") && r.URL.Query().Get("access_token") == "bad"
					if bad {
						fmt.Fprintf(w, body, n.Add(1))
					}
					return bad
				}
				token := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
				p.Concurrency = 1
				run := a.start(shop{appID: "wx1", policy: p, static: token("bad")}, shop{appID: "wx2", policy: p, static: token("good")})
				err := run.ends()
				if err == nil || !strings.Contains(err.Error(), "the pages list only orders that were listed before") || !strings.Contains(err.Error(), "wx1") {
					t.Errorf("ended with %v", err)
				}
				if most := map[string]int64{"repeats": 250, "empty": 6100}[name]; n.Load() > most {
					t.Errorf("%d calls", n.Load())
				}
				run.expectLogged("pages of a window repeat without end", mostCircles)
				if name == "empty" {
					run.expectLogged("page after page without an order", 1+mostCircles)
				}
				a.eachOnce("wx2", p.Start, p.End)
				count := map[string]int{}
				for _, r := range a.published() {
					if v := decodeOrder(a, r); v.Shop == "wx1" {
						count[v.OrderID]++
					}
				}
				for id, times := range count {
					if times > 1 {
						t.Errorf("order %s was published %d times", id, times)
					}
				}
			})
		})
	}
}

// TestAnAnswerThatFitsNoRecordFailsItsShop: IDs and page tokens that are too long, IDs
// with control characters, and endless answers. The shop fails with the reason; its
// lane does not start again, and the other shop of the lane continues. One such answer
// among good ones changes nothing.
func TestAnAnswerThatFitsNoRecordFailsItsShop(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for name, body := range map[string]string{
		"a long ID":        `{"errcode":0,"order_id_list":["` + strings.Repeat("x", 129) + `"],"has_more":false}`,
		"an endless ID":    `{"errcode":0,"order_id_list":["` + long + `"],"has_more":false}`,
		"a control byte":   `{"errcode":0,"order_id_list":["1\u0000"],"has_more":false}`,
		"a long token":     `{"errcode":0,"order_id_list":["1"],"next_key":"` + strings.Repeat("k", 1<<16+1) + `","has_more":true}`,
		"an endless token": `{"errcode":0,"order_id_list":["1"],"next_key":"` + long + `","has_more":true}`,
		"a long answer":    `{"errcode":0,"errmsg":"` + long + `","order_id_list":["1"],"has_more":false}`,
	} {
		for _, always := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/", always), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					one, p := backlog("wx1", 500)
					two, _ := backlog("wx2", 500)
					one.Token, two.Token = "bad", "good"
					a.heartbeat = time.Minute
					a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{one, two}, Latency: 10 * time.Millisecond})
					var n atomic.Int64
					a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
						bad := strings.HasSuffix(r.URL.Path, "/list/get") && r.URL.Query().Get("access_token") == "bad" && (n.Add(1) == 3 || always)
						if bad {
							_, _ = io.WriteString(w, body)
						}
						return bad
					}
					token := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
					run := a.start(shop{appID: "wx1", policy: p, static: token("bad")}, shop{appID: "wx2", policy: p, static: token("good")})
					err := run.ends()
					if always != (err != nil) || always && (!strings.Contains(err.Error(), "an order ID has at most 128 bytes") || !strings.Contains(err.Error(), "wx1")) {
						t.Errorf("ended with %.300v", err)
					}
					if always && n.Load() > 5*int64(p.Concurrency) {
						t.Errorf("%d calls", n.Load())
					}
					if !always {
						a.eachOnce("wx1", p.Start, p.End)
					}
					run.expectLogged("lane starts again", 0)
					a.eachOnce("wx2", p.Start, p.End)
				})
			})
		}
	}
}

// TestThePageThatFitsIsPublished: IDs and tokens of the greatest length.
func TestThePageThatFitsIsPublished(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 1)
		p.Concurrency = 1
		a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{sh}})
		var all []string
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/list/get") {
				return false
			}
			body, _ := io.ReadAll(r.Body)
			first := !bytes.Contains(body, []byte("next_key"))
			page := map[string]any{"errcode": 0, "order_id_list": []string{}, "has_more": false}
			if first && len(all) == 0 {
				for i := range 100 {
					all = append(all, fmt.Sprintf("%03d%s", i, strings.Repeat("\"", 125)))
				}
				page["order_id_list"], page["next_key"], page["has_more"] = all, strings.Repeat("\u2028", (64<<10)/3), true
			}
			_ = json.NewEncoder(w).Encode(page)
			return true
		}
		if err := a.start(shop{appID: "wx1", policy: p}).ends(); err != nil {
			t.Error(err)
		}
		if n := len(a.published()); n != 100 {
			t.Errorf("%d orders were published", n)
		}
	})
}
