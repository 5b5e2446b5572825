package connector

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// pacedShop starts a shop that polls every ten seconds, up to a minute, with calls a day.
func (a *testbed) pacedShop(calls int) *process { return a.paced(calls, false) }

// paced is pacedShop, which publishes early or not.
func (a *testbed) paced(calls int, early bool) *process {
	a.heartbeat = time.Minute
	a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}, Faults: simulator.Faults{PerDayLimit: calls}})
	p := testPolicy()
	p.Start, p.PollIntervalMax, p.Early = time.Now().Unix(), time.Minute, early
	w := a.start(shop{appID: "wx1", policy: p})
	a.until("the shop is live", func() bool { return w.statusOf("wx1").State == StateLive })
	return w
}

func (a *testbed) order(n int) {
	a.Helper()
	if err := a.api.Add("wx1", simulator.Order{ID: fmt.Sprint(3_000_000_000_000 + n)}); err != nil {
		a.Fatal(err)
	}
}

func (p *process) expectPace(what string, interval time.Duration, why string) {
	p.a.Helper()
	if s := p.statusOf("wx1"); s.Poll != interval || s.PollWhy != why {
		p.a.Errorf("%s: polled every %v (%q), want %v (%q)", what, s.Poll, s.PollWhy, interval, why)
	}
}

// A live shop with few calls a day polls as often as they allow, all day, and is back to
// its interval when the next day has begun with more.
func TestALiveShopNeverRunsDry(t *testing.T) {
	inBubble(t, func(a *testbed) {
		const calls = 1000
		w := a.pacedShop(calls)
		dice := rand.New(rand.NewPCG(1, 1))
		end, worst := time.Now().Add(midnight()), time.Duration(0)
		for n := 0; time.Now().Before(end.Add(-10 * time.Minute)); n++ {
			if n%3 == 0 {
				a.order(n)
			}
			time.Sleep(time.Duration(dice.IntN(60)) * time.Second)
			s := w.statusOf("wx1")
			worst = max(worst, s.Lag(time.Now()))
			if s.State != StateLive {
				t.Fatalf("the shop is %s: %s", s.State, s.Reason)
			}
		}
		// Sixteen hours by a thousand calls, with second passes.
		if worst > 3*time.Minute {
			t.Errorf("the shop was %v behind", worst)
		}
		if n := len(a.listed()); n < calls*8/10 || n > calls {
			t.Errorf("%d of %d calls were used", n, calls)
		}
		if s := w.statusOf("wx1"); s.PollWhy != window.Saving {
			t.Errorf("polled every %v because of %q", s.Poll, s.PollWhy)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A backfill leaves the live walk of its app ID the calls it needs, and is not starved.
func TestABackfillDoesNotSlowTheLiveWalk(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat, a.liveShare = time.Minute, 0.2
		now := time.Now().Unix()
		// Half of it is what a live shop needs until midnight.
		const calls = 12_000
		a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
			Backlog: simulator.Backlog{Orders: 900_000, From: now - 90*86400, To: now - 86400}}}, Faults: simulator.Faults{PerDayLimit: calls}})
		live, old := testPolicy(), testPolicy()
		live.Start, old.Range, old.Start, old.End = now, wechat.UpdateTime, now-90*86400, now-86400
		w := a.start(shop{appID: "wx1", name: "live", policy: live, rate: 20}, shop{appID: "wx1", name: "old", policy: old})
		for range 15 * 6 {
			time.Sleep(10 * time.Minute)
			if s := w.statusOf("live"); s.Poll > 12*time.Second || s.Lag(time.Now()) > time.Minute {
				t.Fatalf("after %d calls the live walk polls every %v (%s) and is %v behind", len(a.listed()), s.Poll, s.PollWhy, s.Lag(time.Now()))
			}
		}
		if s := w.statusOf("old"); s.Pages < calls/4 || !s.Held {
			t.Errorf("the backfill has read %d pages, and is held: %v", s.Pages, s.Held)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Polls of an idle shop stretch, and are back at once when an order comes.
func TestAnIdleShopBacksOff(t *testing.T) {
	inBubble(t, func(a *testbed) {
		w := a.pacedShop(0)
		before := len(a.listed())
		time.Sleep(2 * time.Hour)
		w.expectPace("idle", time.Minute, window.Idle)
		if n := len(a.listed()) - before; n > 140 {
			t.Errorf("%d calls in two idle hours", n)
		}
		a.order(1)
		time.Sleep(testPolicy().SettleDelay)
		a.until("it is published", func() bool { return w.statusOf("wx1").Published == 1 })
		time.Sleep(11 * time.Second)
		w.expectPace("after an order", 10*time.Second, "")
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Polls stretch while pushes tell of every order, and tighten when one was not told of.
// Pushes that can bring no record cause no call.
func TestPollsAreTheSafetyNetOfPushes(t *testing.T) {
	inBubble(t, func(a *testbed) {
		w := a.pacedShop(0)
		for n := range 2 * enoughTold {
			a.order(n)
			w.Nudge("wx1", orderNew, "", time.Now())
			time.Sleep(20 * time.Second)
			if got := w.statusOf("wx1").Published; got != int64(n+1) {
				t.Fatalf("%d of %d orders are published 20 s after their push", got, n+1)
			}
		}
		w.expectPace("with pushes", time.Minute, window.Pushed)
		before := len(a.listed())
		for range 60 {
			w.Nudge("wx1", "channels_ec_order_pay", "", time.Now())
			time.Sleep(10 * time.Second)
		}
		if n := len(a.listed()) - before; n > 12 {
			t.Errorf("%d calls in ten minutes of payments", n)
		}
		a.order(1000)
		a.until("the order without a push is published", func() bool { return w.statusOf("wx1").Published == 2*enoughTold+1 })
		time.Sleep(11 * time.Second)
		w.expectPace("without a push", 10*time.Second, "")
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Pushes of a shop with orders all the time cause half as many calls again as polls, and
// no more. Its orders come no later than with polls alone.
func TestPushesMultiplyNoCalls(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := testPolicy()
		p.Start, p.Lookback = time.Now().Unix(), 0
		w := a.start(shop{appID: "wx1", policy: p})
		n := 0
		sell := func(d time.Duration) {
			t.Helper()
			for range int(d / (2 * time.Second)) {
				a.order(n)
				w.Nudge("wx1", orderNew, "", time.Now())
				n++
				time.Sleep(2 * time.Second)
			}
			unread := int((p.PollInterval + p.SettleDelay + 3*time.Second) / (2 * time.Second))
			if got := w.statusOf("wx1").Published; got < int64(n-unread) {
				t.Errorf("%d of %d orders are published", got, n)
			}
		}
		sell(20 * time.Minute) // uses up what may follow each other at once
		before := len(a.listed())
		sell(time.Hour)
		polls := int(time.Hour / p.PollInterval)
		if calls := len(a.listed()) - before; calls > polls*16/10 {
			t.Errorf("%d calls in an hour of pushes, %d polls without", calls, polls)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Orders and polls are timed by one clock: where this machine's is hours ahead, polls of an
// idle shop stretch as soon after an order as elsewhere.
func TestAnIdleShopBacksOffByTheEarlierClock(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 5, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}, Faults: simulator.Faults{ClockSkew: -3 * time.Hour}})
		p := testPolicy()
		p.Start, p.PollIntervalMax = time.Now().Add(-3*time.Hour).Unix(), time.Minute
		w := a.start(shop{appID: "wx1", policy: p})
		a.until("the shop is live", func() bool { return w.statusOf("wx1").State == StateLive })
		a.order(1)
		a.until("it is published", func() bool { return w.statusOf("wx1").Published == 1 })
		time.Sleep(10 * time.Minute)
		w.expectPace("ten minutes after an order", time.Minute, window.Idle)
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}
