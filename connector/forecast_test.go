package connector

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/forecast"
	"orderwalk/simulator"
)

// TestAForecastIsWhatRunMakes samples shops, forecasts what reading them will take, and
// then reads them. Calls and time match within a factor of 1.5, mostly much closer.
func TestAForecastIsWhatRunMakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		orders simulator.Backlog
		days   int64
		opened int64 // days before the end; 0 = before the range
		sleeps bool  // no orders at night
		faults simulator.Faults
		upTo   time.Duration // the range ends so long ago
		policy func(*window.Policy)
	}{
		{name: "nothing", days: 30},
		{name: "a few", orders: simulator.Backlog{Orders: 300}, days: 7},
		{name: "uniform", orders: simulator.Backlog{Orders: 10000}, days: 7},
		{name: "uniform, many", orders: simulator.Backlog{Orders: 60000}, days: 30},
		{name: "bursty", orders: simulator.Backlog{Orders: 10000, Bursts: 40, BurstSize: 100}, days: 7},
		{name: "bursty, many", orders: simulator.Backlog{Orders: 60000, Bursts: 100, BurstSize: 300}, days: 30},
		{name: "opened two days ago", orders: simulator.Backlog{Orders: 2738}, days: 23, opened: 2},
		{name: "by day", orders: simulator.Backlog{Orders: 20000}, sleeps: true, days: 14},
		{name: "small pages", orders: simulator.Backlog{Orders: 10000}, days: 7, policy: func(p *window.Policy) { p.PageSize = 10 }},
		{name: "one window at a time", orders: simulator.Backlog{Orders: 10000}, days: 7, policy: func(p *window.Policy) { p.Concurrency = 1 }},
		{name: "up to now", orders: simulator.Backlog{Orders: 20000}, days: 1, upTo: 20 * time.Second, policy: func(p *window.Policy) { p.Lookback = 4 * time.Hour }},
		{name: "small ranges only", orders: simulator.Backlog{Orders: 20000}, days: 7, faults: simulator.Faults{MaxOrdersPerRequest: 300}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				to := time.Now().Add(-max(c.upTo, time.Hour)).Unix()
				if c.upTo > 0 {
					to = time.Now().Add(-c.upTo).Unix()
				}
				from := to - c.days*24*3600
				c.orders.From, c.orders.To = from, to
				if c.opened > 0 {
					c.orders.From = to - c.opened*24*3600
				}
				if c.sleeps {
					a.simulate(simulator.Config{Latency: 100 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
					a.byDay("wx1", from, to, c.orders.Orders)
				} else {
					a.simulate(simulator.Config{Seed: 51, Faults: c.faults, Latency: 100 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Backlog: c.orders}}})
				}
				p := testPolicy()
				p.Start, p.End = from, to
				if c.policy != nil {
					c.policy(&p)
				}
				s := shop{appID: "wx1", policy: p, rate: 50}
				measuring := a.prepare(s)
				sample, err := forecast.Measure(context.Background(), measuring.cfg.Shops[0].Client, p, 20, 20)
				measuring.host.CloseIdleConnections()
				if err != nil {
					t.Fatal(err)
				}
				spent := len(a.listed())
				if spent > 20 || spent != sample.Calls {
					t.Errorf("sampling took %d list calls, reported %d", spent, sample.Calls)
				}
				effort := forecast.Play(p, time.Now(), forecast.Pattern{Density: sample.Density, Most: sample.Most, Latency: sample.Latency, PerSecond: 50})

				begun := time.Now()
				run := a.start(s)
				var read time.Duration
				a.until("it is read", func() bool {
					read = time.Since(begun)
					return run.Status()[0].Watermark > p.End
				})
				<-run.ended
				if run.err != nil {
					t.Fatal(run.err)
				}
				calls := len(a.listed()) - spent
				t.Logf("%d list calls, forecast %+v; read in %v; orders about %d, by %d calls", calls, effort, read, sample.Orders, spent)
				within(t, "list calls", float64(effort.First+effort.Second), float64(calls))
				within(t, "seconds", effort.Read.Seconds(), read.Seconds())
				if c.orders.Bursts > 0 { // most of them lie between the windows
					within(t, "orders in bursts", 1.4*float64(sample.Orders), float64(c.orders.Orders))
				} else {
					within(t, "orders", float64(sample.Orders), float64(c.orders.Orders))
				}
				if (effort.Second > 0) != (c.upTo > 0) {
					t.Errorf("%d calls of second passes are forecast", effort.Second)
				}
			})
		})
	}
}

func within(t *testing.T, what string, forecast, truth float64) {
	t.Helper()
	if forecast > 1.5*truth+1 || truth > 1.5*forecast+1 {
		t.Errorf("forecast %.1f %s, and it was %.1f", forecast, what, truth)
	}
}

// byDay adds orders during the day, most of them at noon.
func (a *testbed) byDay(appID string, from, to int64, n int) {
	a.Helper()
	rnd := rand.New(rand.NewPCG(52, 52))
	for i := 0; i < n; {
		at := from + rnd.Int64N(to-from)
		if rnd.Float64() > math.Pow(math.Sin(math.Pi*float64(at%86400)/86400), 4) {
			continue
		}
		i++
		if err := a.api.Add(appID, simulator.Order{ID: fmt.Sprint(3704612354559743232 + i), Created: at}); err != nil {
			a.Fatal(err)
		}
	}
}

// TestLiveCallsAreWhatRunMakes compares the forecast with a live shop over one day.
func TestLiveCallsAreWhatRunMakes(t *testing.T) {
	for name, rate := range map[string]float64{"idle": 0, "slow": 0.005, "busy": 1} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				start := time.Now().Unix() - 3600
				a.simulate(simulator.Config{Seed: 53, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: rate, Since: start}}}})
				p := testPolicy()
				p.Start, p.PollInterval = start, 30*time.Second
				run := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(time.Hour)
				before := len(a.listed())
				time.Sleep(3 * time.Hour)
				calls := 8 * (len(a.listed()) - before)
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				within(t, "list calls a day", float64(forecast.LiveCalls(p, rate)), float64(calls))
			})
		})
	}
}

// TestMeasuringAShopThatMisbehaves: the measurement ends soon, with an estimate.
func TestMeasuringAShopThatMisbehaves(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				to := time.Now().Unix() - 3600
				from := to - 7*86400
				a.simulate(simulator.Config{Seed: seed, Faults: simulator.Chaos(0.5), Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Backlog: simulator.Backlog{Orders: 10000, From: from, To: to}}}})
				p := testPolicy()
				p.Start, p.End = from, to
				run := a.prepare(shop{appID: "wx1", policy: p, rate: 50})
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				defer cancel()
				sample, err := forecast.Measure(ctx, run.cfg.Shops[0].Client, p, 20, 20)
				run.host.CloseIdleConnections()
				if err != nil {
					t.Fatal(err)
				}
				if n := len(a.listed()); n > 40 || sample.Calls > 20 {
					t.Errorf("%d list calls, retries included, %d reported", n, sample.Calls)
				}
				if sample.Orders < 5000 || sample.Orders > 20000 {
					t.Errorf("about %d orders, of 10000", sample.Orders)
				}
			})
		})
	}
}
