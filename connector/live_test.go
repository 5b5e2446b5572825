package connector

import (
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestAWeekOfPolling: every order of a live shop is published once, with late orders,
// an API that fails now and then, and a restart every day.
func TestAWeekOfPolling(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 21, Faults: simulator.Faults{VisibilityLag: 20 * time.Minute, HTTP5xxRate: 0.01, ResetRate: 0.01, Random606006Rate: 0.01},
			Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.02, Since: start}}}})
		p := a.policy()
		p.PollInterval, p.SettleDelay, p.Lookback = 10*time.Minute, time.Minute, 30*time.Minute
		p.PageSize = 10
		late := int64(0)
		var end int64
		for day := range 7 {
			run := a.start(shop{appID: "wx1", policy: p})
			time.Sleep(24 * time.Hour)
			s := run.Status()[0]
			late += s.Late
			end = s.Watermark
			if s.State != StateLive || s.Lag(time.Now()) > 15*time.Minute {
				t.Fatalf("day %d: %+v", day, s)
			}
			if day%2 == 0 {
				run.kill()
			} else if err := run.stop(); err != nil {
				t.Fatal(err)
			}
		}
		if late == 0 {
			t.Error("no order was late")
		}
		// The second pass has read everything older than the lookback.
		a.eachOnce("wx1", start+1, end-int64((p.Lookback+p.PollInterval)/time.Second))
	})
}

// TestAnIdleShopCostsFewCalls: one call per poll, and second passes that read many
// empty windows at once.
func TestAnIdleShopCostsFewCalls(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 22, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		p := testPolicy()
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(2 * time.Hour)
		polls := int(2 * time.Hour / p.PollInterval)
		if n := len(a.listed()); n > polls+polls/8 {
			t.Errorf("%d list calls in two hours of %d polls", n, polls)
		}
		if n := len(a.topic(a.name + ".offsets")); n > polls*4 {
			t.Errorf("%d records on the offsets topic", n)
		}
		c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]
		if n := len(c.Windows); n > 8 {
			t.Errorf("%d windows are tracked", n)
		}
		if lag := time.Since(time.Unix(c.Watermark, 0)); lag > p.SettleDelay+p.PollInterval+2*flushInterval {
			t.Errorf("the committed watermark is %v behind", lag)
		}
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestStartNowDoesNotMove: a shop without a start time begins at the moment it was
// first walked, also when the process dies right after.
func TestStartNowDoesNotMove(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 23, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 1, Since: start}}}})
		p := testPolicy()
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Second)
		run.kill()
		c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]
		if c == nil || c.Watermark < start || c.Watermark > start+1 {
			t.Fatalf("after a second the checkpoint is %+v, want one that begins at %d", c, start)
		}
		time.Sleep(time.Hour)
		p.End = time.Now().Unix() - 1200
		if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("wx1", start+1, p.End)
	})
}

// TestTwoRangesOfOneShop: the two ranges have a checkpoint each and share one client.
func TestTwoRangesOfOneShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 300)
		a.simulate(simulator.Config{Seed: 24, Shops: []simulator.Shop{sh}})
		u := p
		u.Range = wechat.UpdateTime
		if err := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx1", name: "wx1-updates", policy: u}).wait(); err != nil {
			t.Fatal(err)
		}
		n := make(map[string]int)
		for _, r := range a.published() {
			n[decodeOrder(t, r).TimeRange]++
			if len(r.Headers) != 2 || string(r.Headers[0].Value) != "wx1" || string(r.Headers[1].Value) != decodeOrder(t, r).TimeRange {
				t.Fatalf("headers are %v", r.Headers)
			}
		}
		if n["create_time"] != n["update_time"] || n["create_time"] < 300 {
			t.Errorf("published %v", n)
		}
	})
}

// TestAnOrderlyStopKeepsWhatWasRead: the pages read before the stop are committed, and
// the next process does not request them again.
func TestAnOrderlyStopKeepsWhatWasRead(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 2000)
		p.PageSize = 10
		a.simulate(simulator.Config{Seed: 25, Shops: []simulator.Shop{sh}, Latency: 100 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(1050 * time.Millisecond)
		begun := time.Now()
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("stopping took %v of virtual time", took)
		}
		given := make(map[string]bool)
		for _, c := range a.listed() {
			if c.Outcome == "0" {
				for _, id := range c.OrderIDs {
					given[id] = true
				}
			}
		}
		if got := len(a.published()); got < len(given)-p.Concurrency*p.PageSize || got == 0 {
			t.Errorf("%d orders are published of the %d that had been given", got, len(given))
		}
		covered(a, "wx1", p.Start)
	})
}
