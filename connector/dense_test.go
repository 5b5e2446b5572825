package connector

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// dense is a shop with the given numbers of orders in the seconds after from. IDs
// contain their second. The API lists at most ten for one range.
func (a *testbed) dense(faults simulator.Faults, from int64, orders ...int) {
	a.Helper()
	faults.MaxOrdersPerRequest = 10
	a.simulate(simulator.Config{Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
	for i, n := range orders {
		at := from + int64(i)
		for k := range n {
			if err := a.api.Add("wx1", simulator.Order{ID: fmt.Sprint(1000*at + int64(k)), Created: at, Updated: at}); err != nil {
				a.Fatal(err)
			}
		}
	}
}

// TestSecondsThatCanBeListedAloneAreRead: neighbouring seconds together hold more
// orders than the API lists for the range of the shortest window, but each of them
// fewer.
func TestSecondsThatCanBeListedAloneAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		faults simulator.Faults
		orders []int
	}{
		"both ends in, two":                      {ends(0), []int{0, 1, 0, 0, 7, 8, 0, 0, 1}},
		"both ends in, two, at once":             {ends(0), []int{7, 8}},
		"both ends in, three":                    {ends(0), []int{1, 6, 10, 9, 0, 3}},
		"both ends in, all":                      {ends(0), []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}},
		"both ends in, an empty one between":     {ends(0), []int{0, 9, 0, 9, 0}},
		"end out, two":                           {ends(1), []int{0, 0, 7, 8, 0}},
		"end out, all":                           {ends(1), []int{10, 10, 10, 10, 10, 10, 10}},
		"start out, two":                         {ends(2), []int{0, 0, 7, 8, 0}},
		"start out, all":                         {ends(2), []int{10, 10, 10, 10, 10, 10, 10}},
		"both out, two":                          {ends(3), []int{0, 0, 7, 8, 0}},
		"both out, all":                          {ends(3), []int{10, 10, 10, 10, 10, 10, 10}},
		"end out, no range may begin at its end": {simulator.Faults{EndExclusive: true, PointRange: "40097"}, []int{0, 7, 8, 9, 0}},
		"both in, no range may begin at its end": {simulator.Faults{PointRange: "40097"}, []int{0, 6, 0, 5, 0, 0}},
	} {
		for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
			t.Run(name+", "+string(kind), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					from := time.Now().Unix() - 3600
					a.dense(c.faults, from, c.orders...)
					p := testPolicy()
					p.Range, p.Start, p.End, p.PageSize = kind, from, from+int64(len(c.orders))+20, 3
					if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
						t.Fatal(err)
					}
					a.eachOnce("wx1", p.Start, p.End)
				})
			})
		}
	}
}

// TestASecondThatCannotBeListedStopsItsShop: if one second holds more orders than the
// API lists, or an answer cannot be trusted to be that second, the shop fails with a
// hint, and nothing is skipped.
func TestASecondThatCannotBeListedStopsItsShop(t *testing.T) {
	for name, c := range map[string]struct {
		faults simulator.Faults
		orders []int
	}{
		"both ends in": {ends(0), []int{0, 2, 11, 3, 0}},
		"end out":      {ends(1), []int{0, 2, 11, 3, 0}},
		"start out":    {ends(2), []int{0, 2, 11, 3, 0}},
		"both out":     {ends(3), []int{0, 2, 11, 3, 0}},
		"both in, a range that begins at its end is empty": {simulator.Faults{PointRange: "empty"}, []int{0, 7, 8, 9, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				from := time.Now().Unix() - 3600
				a.dense(c.faults, from, c.orders...)
				p := testPolicy()
				p.Start, p.End = from, from+20
				err := a.start(shop{appID: "wx1", policy: p}).wait()
				if err == nil || !strings.Contains(err.Error(), "31042") || strings.Contains(err.Error(), "MIN_WINDOW") {
					t.Errorf("ended with %v", err)
				}
				count := make(map[string]int)
				for _, r := range a.published() {
					count[string(r.Key)]++
				}
				for id, n := range count {
					if n > 1 {
						t.Errorf("order %s is published %d times", id, n)
					}
				}
			})
		})
	}
}

// TestRandomRefusalsStopNoShop: an API that refuses lists as too full at random, down to the
// shortest window, is read to the end.
func TestRandomRefusalsStopNoShop(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				sh, p := backlog("wx1", 300)
				p.PageSize, p.Lookback, p.Start = 20, 0, p.End-600
				sh.Backlog.From = p.Start
				p.Range = []wechat.Range{wechat.CreateTime, wechat.UpdateTime}[seed%2]
				a.simulate(simulator.Config{Seed: seed, Shops: []simulator.Shop{sh}})
				rnd := rand.New(rand.NewPCG(seed, 1))
				var mu sync.Mutex
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					mu.Lock()
					defer mu.Unlock()
					full := r.URL.Path == listPath && rnd.Float64() < 0.3
					if full {
						fmt.Fprint(w, `{"errcode":31042,"errmsg":"too many orders"}`)
					}
					return full
				}
				if err := a.start(shop{appID: "wx1", policy: p}).ends(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", p.Start, p.End)
			})
		})
	}
}
