package connector

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/simulator"
)

// With PUBLISH_EARLY a record follows its order with the next poll, and the watermark stays
// SETTLE_DELAY behind. An order that the API shows late is published when its second has
// settled. A worker that goes on after a kill publishes nothing again.
func TestOrdersArePublishedEarly(t *testing.T) {
	for _, lookback := range []time.Duration{0, 10 * time.Minute} {
		t.Run(fmt.Sprint("LOOKBACK ", lookback), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
				p := testPolicy()
				p.Start, p.Early, p.Lookback = time.Now().Unix(), true, lookback
				live := func() *process {
					w := a.start(shop{appID: "wx1", policy: p})
					a.until("the shop is live", func() bool { return w.statusOf("wx1").State == StateLive })
					return w
				}
				w := live()
				const orders = 300
				for n := range orders {
					now := time.Now().Unix()
					one := simulator.Order{ID: fmt.Sprint(3_000_000_000_000 + n), Created: now}
					if n%10 == 9 {
						one.VisibleAt = now + int64(p.SettleDelay/time.Second) - 1
					}
					if err := a.api.Add("wx1", one); err != nil {
						a.Fatal(err)
					}
					time.Sleep(3 * time.Second)
					if mark, now := w.statusOf("wx1").Watermark, time.Now(); mark > max(p.Start, now.Add(-p.SettleDelay).Unix()) {
						a.Fatalf("the watermark is %v behind now", now.Sub(time.Unix(mark, 0)))
					}
					if n%70 == 69 {
						w.kill()
						w = live()
					}
				}
				time.Sleep(p.PollInterval + p.SettleDelay)
				if err := w.stop(); err != nil {
					a.Error(err)
				}
				a.createdOnce("wx1", p.Start, time.Now().Unix())
				soon := 0
				for _, age := range a.ages("wx1") {
					if age <= p.PollInterval+time.Second {
						soon++
					}
				}
				if soon < orders*3/4 {
					a.Errorf("%d of %d orders were published within a poll's time", soon, orders)
				}
			})
		})
	}
}

// ages returns how old the orders of a shop were when they were published.
func (a *testbed) ages(appID string) (all []time.Duration) {
	created := make(map[string]int64)
	for _, o := range a.api.Orders(appID, time.Time{}) {
		created[o.ID] = o.Created
	}
	for _, r := range a.published() {
		all = append(all, r.Timestamp.Sub(time.Unix(created[string(r.Key)], 0)))
	}
	return all
}

// One call for a push lists the orders of the last SETTLE_DELAY, too, whose own pushes cause
// none then, whether they come before that call or after it. A push of an order that is not
// shown yet does.
func TestEarlyListsSaveCallsOfPushes(t *testing.T) {
	calls := make(map[bool]int)
	for _, early := range []bool{false, true} {
		alone(t, func(a *testbed) {
			w := a.paced(0, early)
			start := time.Now().Unix()
			dice := rand.New(rand.NewPCG(3, 3))
			const orders = 600
			for n := range orders {
				now := time.Now()
				one := simulator.Order{ID: fmt.Sprint(3_000_000_000_000 + n), Created: now.Unix()}
				if n%10 == 9 {
					one.VisibleAt = one.Created + 8
				}
				if err := a.api.Add("wx1", one); err != nil {
					a.Fatal(err)
				}
				time.Sleep(time.Duration(dice.IntN(2000)) * time.Millisecond)
				w.Nudge("wx1", orderNew, one.ID, now)
				time.Sleep(time.Duration(dice.IntN(10_000)) * time.Millisecond)
				if n == 4*enoughTold {
					calls[early] = -len(a.listed())
				}
			}
			w.expectPace("with pushes", time.Minute, window.Pushed)
			calls[early] += len(a.listed())
			time.Sleep(time.Minute)
			if err := w.stop(); err != nil {
				a.Error(err)
			}
			a.createdOnce("wx1", start, time.Now().Unix())
			for _, age := range a.ages("wx1") {
				if most := w.shopOf("wx1").Policy.SettleDelay + 5*time.Second; age > most {
					a.Errorf("early %v: an order was published %v after its second, want %v at most", early, age, most)
				}
			}
		})
	}
	if calls[true] > calls[false]/2 {
		t.Errorf("%d calls early, %d otherwise, want half as many at most", calls[true], calls[false])
	}
}
