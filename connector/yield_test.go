package connector

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestWindowsThatWaitLeaveTheirPlacesToOthers: shops whose calls are refused for the
// day or the minute, fail, hang or are slow occupy no window of the process beyond
// their first. A shop that is added later reads as many at once as it may.
func TestWindowsThatWaitLeaveTheirPlacesToOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		// answer may answer a call of the other shops, once each has had a few; it
		// reports whether it did.
		answer func(w http.ResponseWriter, r *http.Request) bool
		rate   float64 // rate limit of the other shops
		least  int     // least number of windows at once of the shop added later
	}{
		{name: "the day is used up", least: 8, answer: says(`{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 6566bde8-11111111-22222222"}`)},
		{name: "the minute is used up", least: 8, answer: says(`{"errcode":45011,"errmsg":"api minute-quota reach limit rid: 6566bde8-11111111-22222222"}`)},
		{name: "calls fail", least: 8, answer: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}},
		{name: "calls hang", least: 8, answer: func(http.ResponseWriter, *http.Request) bool {
			time.Sleep(20 * time.Second) // the caller gives up before
			return true
		}},
		{name: "calls are slow", least: 4, answer: func(http.ResponseWriter, *http.Request) bool {
			time.Sleep(4 * time.Second)
			return false
		}},
		{name: "the rate is low", least: 8, rate: 0.5, answer: func(http.ResponseWriter, *http.Request) bool { return false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				const others, spare = 6, 24
				var world []simulator.Shop
				var shops []shop
				add := func(id string, orders int, rate float64) {
					sh, p := backlog(id, orders)
					p.PageSize = 10
					sh.Token = "tok-" + id
					world = append(world, sh)
					shops = append(shops, shop{appID: id, policy: p, rate: rate, static: func() (string, error) { return "tok-" + id, nil }})
				}
				for i := range others {
					add(fmt.Sprintf("wx%d", i), 5000, c.rate)
				}
				add("x", 6000, 0)
				var mu sync.Mutex
				calls := map[string]int{}
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					token := r.URL.Query().Get("access_token")
					if !strings.Contains(r.URL.Path, "/list/get") || token == "tok-x" {
						return false
					}
					mu.Lock()
					calls[token]++
					few := calls[token] <= 20
					mu.Unlock()
					return !few && c.answer(w, r)
				}
				a.simulate(simulator.Config{Seed: 3, Latency: 100 * time.Millisecond, Shops: world})
				run := a.prepare(shops...)
				run.extra = make(chan struct{}, spare)
				all := run.cfg.Shops
				run.cfg.Shops = all[:others]
				a.run(run)
				time.Sleep(3 * time.Minute)
				if err := run.SetShops(context.Background(), all); err != nil {
					t.Fatal(err)
				}
				for range 6000 {
					if run.statusOf("x").State == StateDone {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				run.kill()
				time.Sleep(time.Minute) // until hanging calls time out
				a.eachOnce("x", shops[others].policy.Start, shops[others].policy.End)
				var at []time.Time
				for _, l := range a.listed() {
					if l.AppID == "x" {
						at = append(at, l.At)
					}
				}
				slices.SortFunc(at, time.Time.Compare)
				most := 0
				for i, from := 0, 0; i < len(at); i++ {
					for at[i].Sub(at[from]) >= 100*time.Millisecond { // the duration of a call
						from++
					}
					most = max(most, i-from+1)
				}
				if most < c.least {
					t.Errorf("%d windows at once, want %d; it took %v, and %d of %d places beside the first windows are taken", most, c.least, at[len(at)-1].Sub(at[0]), len(run.extra), spare)
				}
			})
		})
	}
}

func says(body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, body)
		return true
	}
}
