//go:build calls

package connector

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// callsRow is a day of one shop in the table of `make calls`.
type callsRow struct {
	name   string
	orders int // created in the day, more of them in the evening than at night
	even   bool
	// changes is how often each order changes after its creation.
	changes float64
	pushes  bool // each order and change is pushed when it happens
	quota   int  // list calls of a day; 0 = a million
	policy  func(p *window.Policy)
}

// hours is how the orders of a day spread over its hours, in Shanghai.
var hours = [24]float64{1.0, 0.4, 0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 0.9, 1.1, 1.3, 1.2, 1.2, 1.1, 1.1, 1.1, 1.1, 1.1, 1.2, 1.5, 2.0, 2.4, 2.2, 1.7}

// TestCalls plays days of one shop and prints what they cost, and how old orders were
// when they were published. CALLS picks rows by a part of their names; "all" is all of
// them.
func TestCalls(t *testing.T) {
	asked := or(os.Getenv("CALLS"), "all")
	const day = 24 * time.Hour
	rows := []callsRow{
		{name: "idle"},
		{name: "idle, POLL_INTERVAL_MAX=60s", policy: func(p *window.Policy) { p.PollIntervalMax = time.Minute }},
		{name: "10,000 orders", orders: 10_000},
		{name: "10,000 orders, even", orders: 10_000, even: true},
		{name: "10,000 orders, pushes, MAX=60s", orders: 10_000, pushes: true, policy: func(p *window.Policy) { p.PollIntervalMax = time.Minute }},
		{name: "10,000 orders, pushes, even, MAX=60s", orders: 10_000, pushes: true, even: true, policy: func(p *window.Policy) { p.PollIntervalMax = time.Minute }},
		{name: "50,000 orders, pushes, even, MAX=60s", orders: 50_000, pushes: true, even: true, policy: func(p *window.Policy) { p.PollIntervalMax = time.Minute }},
		{name: "10,000 orders, even, early", orders: 10_000, even: true, policy: func(p *window.Policy) { p.Early = true }},
		{name: "10,000 orders, pushes, even, MAX=60s, early", orders: 10_000, pushes: true, even: true, policy: func(p *window.Policy) { p.PollIntervalMax, p.Early = time.Minute, true }},
		{name: "10,000 orders, pushes, MAX=60s, early", orders: 10_000, pushes: true, policy: func(p *window.Policy) { p.PollIntervalMax, p.Early = time.Minute, true }},
		{name: "50,000 orders, pushes, even, MAX=60s, early", orders: 50_000, pushes: true, even: true, policy: func(p *window.Policy) { p.PollIntervalMax, p.Early = time.Minute, true }},
		{name: "10,000 orders with 4 changes, update_time", orders: 10_000, changes: 4, policy: func(p *window.Policy) { p.Range = wechat.UpdateTime }},
		{name: "1,700 orders, 8,000 calls a day", orders: 1_700, quota: 8_000},
		{name: "1,700 orders, 8,000 calls a day, pushes", orders: 1_700, quota: 8_000, pushes: true},
	}
	fmt.Printf("%-46s %8s %8s %8s   %s\n", "one day of one shop", "calls", "2nd", "orders", "published after its second: p50, p95, worst")
	for _, row := range rows {
		if asked != "all" && !strings.Contains(row.name, asked) {
			continue
		}
		synctestDay(t, row, day)
	}
	for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
		name := fmt.Sprint("backfill of 200,000 orders of a year, ", kind)
		if asked != "all" && !strings.Contains(name, asked) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			alone(t, func(a *testbed) {
				a.heartbeat = time.Minute
				to := time.Now().Unix() - 86400
				p := testPolicy()
				p.Range, p.Start, p.End = kind, to-365*86400, to
				a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
					Backlog: simulator.Backlog{Orders: 200_000, From: p.Start, To: p.End}}}})
				w := a.start(shop{appID: "wx1", policy: p, rate: 50})
				if err := w.wait(); err != nil {
					t.Error(err)
				}
				fmt.Printf("%-46s %8d %8s %8d\n", name, len(a.listed()), "", len(a.published()))
			})
		})
	}
}

// synctestDay plays a row in a bubble and prints its line.
func synctestDay(t *testing.T, row callsRow, day time.Duration) {
	t.Run(row.name, func(t *testing.T) {
		alone(t, func(a *testbed) {
			a.heartbeat = time.Minute
			time.Sleep(midnight()) // of Shanghai
			from := time.Now().Unix()
			a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}},
				Faults: simulator.Faults{PerDayLimit: cmp.Or(row.quota, 1_000_000)}})
			changes := a.fill(row, from, from+int64(day/time.Second))
			p := testPolicy()
			p.Start = from
			if row.policy != nil {
				row.policy(&p)
			}
			w := a.start(shop{appID: "wx1", policy: p})
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				if row.pushes {
					push(w, changes)
				}
			}()
			time.Sleep(day)
			<-stopped
			calls := a.listed()
			time.Sleep(p.Lookback + 10*time.Minute)
			if err := w.stop(); err != nil {
				t.Error(err)
			}
			a.report(row, p, calls, changes)
		})
	})
}

// happened is an order that was created or changed, at a second.
type happened struct {
	id string
	at int64
}

// fill adds the row's orders and their changes, and returns what happens, by time.
func (a *testbed) fill(row callsRow, from, to int64) (all []happened) {
	dice := rand.New(rand.NewPCG(1, 1))
	total := 0.0
	for _, h := range hours {
		total += h
	}
	for i := range row.orders {
		at := dice.Float64() * total
		hour := 0
		for at > hours[hour] {
			at -= hours[hour]
			hour++
		}
		second := from + int64(hour)*3600 + int64(at/hours[hour]*3600)
		if row.even {
			second = from + dice.Int64N(to-from)
		}
		id := fmt.Sprint(3_000_000_000_000 + i)
		if err := a.api.Add("wx1", simulator.Order{ID: id, Created: second}); err != nil {
			a.Fatal(err)
		}
		all = append(all, happened{id, second})
		for range int(row.changes) {
			second += 60 + dice.Int64N(3600)
			if second < to {
				if err := a.api.Update("wx1", id, second, 20); err != nil {
					a.Fatal(err)
				}
				all = append(all, happened{id, second})
			}
		}
	}
	slices.SortFunc(all, func(a, b happened) int { return cmp.Compare(a.at, b.at) })
	return all
}

// push tells the worker of each of them a moment after it happens.
func push(w *process, all []happened) {
	for _, h := range all {
		at := time.Unix(h.at, 0)
		time.Sleep(time.Until(at.Add(300 * time.Millisecond)))
		w.Nudge("wx1", orderNew, h.id, at)
	}
}

// report prints the row.
func (a *testbed) report(row callsRow, p window.Policy, calls []simulator.ListCall, all []happened) {
	second := 0
	for _, c := range calls {
		if r := cmp.Or(c.Create, c.Update); r != nil && c.At.Sub(time.Unix(r.End, 0)) > p.Lookback-time.Minute {
			second++
		}
	}
	times := make(map[string][]int64)
	for _, h := range all {
		times[h.id] = append(times[h.id], h.at)
	}
	var ages []time.Duration
	for _, r := range a.published() {
		at := times[string(r.Key)]
		for len(at) > 1 && at[1] <= r.Timestamp.Add(-p.SettleDelay).Unix() {
			at = at[1:]
		}
		ages = append(ages, r.Timestamp.Sub(time.Unix(at[0], 0)))
	}
	slices.Sort(ages)
	at := func(q float64) time.Duration {
		if len(ages) == 0 {
			return 0
		}
		return ages[min(len(ages)-1, int(q*float64(len(ages))))].Round(100 * time.Millisecond)
	}
	fmt.Printf("%-46s %8d %8d %8d   %v, %v, %v\n", row.name, len(calls), second, len(ages), at(0.5), at(0.95), at(1))
}
