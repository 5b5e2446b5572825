package connector

import (
	"context"
	"testing"
	"time"

	"orderwalk/internal/forecast"
	"orderwalk/simulator"
)

// A shop with evenly spread orders takes the least number of calls. One without orders
// at night takes more, until the estimate is good enough to plan by.
func TestMeasuringTakesAsManyCallsAsItTakes(t *testing.T) {
	for name, sleeps := range map[string]bool{"even": false, "asleep at night": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				const orders, least, most = 30000, 20, 100
				to := time.Now().Unix() - 3600
				from := to - 30*86400
				one := simulator.Shop{AppID: "wx1", Secret: "secret-wx1"}
				if !sleeps {
					one.Backlog = simulator.Backlog{Orders: orders, From: from, To: to}
				}
				a.simulate(simulator.Config{Shops: []simulator.Shop{one}})
				if sleeps {
					a.byDay("wx1", from, to, orders)
				}
				p := testPolicy()
				p.Start, p.End = from, to
				run := a.prepare(shop{appID: "wx1", policy: p, rate: 50})
				measure := func(most int) forecast.Sample {
					sample, err := forecast.Measure(context.Background(), run.cfg.Shops[0].Client, p, least, most)
					if err != nil {
						t.Fatal(err)
					}
					return sample
				}
				few, sample := measure(least), measure(most)
				run.host.CloseIdleConnections()
				if few.Calls != least || few.Wide() != sleeps {
					t.Errorf("%d calls, wide %v: %d to %d", few.Calls, few.Wide(), few.Low, few.High)
				}
				if more := sample.Calls > least; more != sleeps || sample.Calls > most {
					t.Errorf("then %d calls: %d to %d", sample.Calls, sample.Low, sample.High)
				}
				within(t, "orders", float64(sample.Orders), orders)
			})
		})
	}
}
