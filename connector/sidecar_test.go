package connector

import (
	"context"
	"fmt"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// TestANudgeBringsTheNextPollForward: an order that the vendor pushes is published once
// it has left SETTLE_DELAY, however long the poll interval is. Repeated or past events
// cost no calls.
func TestANudgeBringsTheNextPollForward(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := a.policy()
		p.PollInterval, p.SettleDelay, p.Lookback = 10*time.Minute, 15*time.Second, 0
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Hour + 17*time.Second)
		placed := time.Now()
		if err := a.api.Add("wx1", simulator.Order{ID: "3700000000000000001", Created: placed.Unix()}); err != nil {
			a.Fatal(err)
		}
		before := len(a.listed())
		for range 10 {
			run.Nudge("wx1", "channels_ec_order_pay", "", placed)
		}
		run.Nudge("wx1", orderNew, "", placed)
		run.Nudge("wx1", "", "", placed)       // a nudge without an event
		run.Nudge("wx2", orderNew, "", placed) // walked by another worker
		time.Sleep(p.SettleDelay + 3*time.Second)
		if n := len(a.published()); n != 1 {
			a.Errorf("%d orders %v after the event", n, p.SettleDelay+3*time.Second)
		}
		run.expectPushToRecord(1, p.SettleDelay, p.SettleDelay+3*time.Second)
		run.Nudge("wx1", orderNew, "", placed)
		time.Sleep(time.Second)
		if n := len(a.listed()) - before; n != 1 {
			a.Errorf("%d calls for one order", n)
		}
		time.Sleep(30 * time.Minute)
		if n := len(a.listed()) - before; n > 5 {
			a.Errorf("%d calls in half an hour", n)
		}
		run.Nudge("wx1", orderNew, "", time.Now()) // of an order that is cancelled before it can be listed
		time.Sleep(20 * time.Minute)
		run.expectPushToRecord(1, p.SettleDelay, p.SettleDelay+3*time.Second)
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
	})
}

// expectPushToRecord checks how many events were measured, and the sum of their times.
func (p *process) expectPushToRecord(events uint64, least, most time.Duration) {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "orderwalk_push_to_record_seconds" {
			continue
		}
		h := f.Metric[0].Histogram
		if h.GetSampleCount() != events || h.GetSampleSum() < least.Seconds() || h.GetSampleSum() > most.Seconds() {
			p.a.Errorf("%d events took %v s, want %d that took %v to %v", h.GetSampleCount(), h.GetSampleSum(), events, least, most)
		}
		return
	}
	p.a.Error("no orderwalk_push_to_record_seconds")
}

// TestChangesAreMeasuredWhereTheyAreRead: by update time, any event of an order is
// measured, and only by the worker that walks the shop.
func TestChangesAreMeasuredWhereTheyAreRead(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 6, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := a.policy()
		p.Range, p.PollInterval, p.SettleDelay = wechat.UpdateTime, 10*time.Minute, 15*time.Second
		run, idle := a.start(shop{appID: "wx1", policy: p}), a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Hour)
		for i := range 3 {
			at := time.Now()
			if err := a.api.Add("wx1", simulator.Order{ID: fmt.Sprintf("370000000000000000%d", i), Created: at.Unix()}); err != nil {
				a.Fatal(err)
			}
			for _, w := range []*process{run, idle} {
				w.Nudge("wx1", "channels_ec_order_pay", "", at)
			}
			time.Sleep(time.Minute)
		}
		if run.statusOf("wx1").State == StateElsewhere {
			run, idle = idle, run
		}
		run.expectPushToRecord(3, 3*p.SettleDelay, 3*(p.SettleDelay+3*time.Second))
		idle.expectPushToRecord(0, 0, 0)
		for _, w := range []*process{run, idle} {
			if err := w.stop(); err != nil {
				a.Fatal(err)
			}
		}
	})
}

// TestOrdersThatKeepComingAreReadAsTheyCome: each order is published within
// SETTLE_DELAY + 3 s, although the next event arrives before the order has left
// SETTLE_DELAY.
func TestOrdersThatKeepComingAreReadAsTheyCome(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 7, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := a.policy()
		p.PollInterval, p.SettleDelay, p.Lookback = time.Hour, 15*time.Second, 0
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Hour + time.Minute)
		before := len(a.listed())
		for i := range 120 {
			at := time.Now()
			if err := a.api.Add("wx1", simulator.Order{ID: fmt.Sprintf("37000000000000%05d", i), Created: at.Unix()}); err != nil {
				a.Fatal(err)
			}
			run.Nudge("wx1", orderNew, "", at)
			time.Sleep(time.Second)
			if n := len(a.published()); n < i-int((p.SettleDelay+3*time.Second)/time.Second) {
				a.Fatalf("%d orders of %d", n, i)
			}
		}
		time.Sleep(p.SettleDelay + 3*time.Second)
		if n := len(a.published()); n != 120 {
			a.Errorf("%d orders in the end", n)
		}
		if n := len(a.listed()) - before; n > 70 {
			a.Errorf("%d calls in two minutes", n)
		}
		if err := run.stop(); err != nil {
			a.Fatal(err)
		}
	})
}

// TestAWorkerThatIsStoppedBeforeItKnowsItsTopicsEnds: there is no lane then whose sidecar
// it could run.
func TestAWorkerThatIsStoppedBeforeItKnowsItsTopicsEnds(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 6, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		run := a.prepare(shop{appID: "wx1", policy: a.policy()})
		run.cfg.Sidecar = &Sidecar{Key: []byte("k"), Follow: func(ctx context.Context, _ int) { <-ctx.Done() }}
		if err := a.run(run).stop(); err != nil {
			t.Error(err)
		}
	})
}
