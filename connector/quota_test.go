package connector

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// TestAUsedUpDayPausesTheShop until 00:00 in Shanghai: no call is made, and status,
// metric and log report it, the log once. Then the walk continues until everything is
// read.
func TestAUsedUpDayPausesTheShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize = 10
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 41, Shops: []simulator.Shop{sh}, Faults: simulator.Faults{PerDayLimit: 150}, Latency: 50 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p, rate: 50})
		time.Sleep(2 * time.Second)
		run.expectGauge("paused", "wx1", 0, 0)
		run.expectGauge("remaining", "wx1", 1, 120)
		a.until("the day's calls are used up", func() bool { return run.statusOf("wx1").State == StateExhausted })
		time.Sleep(time.Minute)
		calls := len(a.listed())
		s := run.statusOf("wx1")
		for _, want := range []string{"45009", "until 2000-01-02 00:00 Asia/Shanghai"} {
			if !strings.Contains(s.Reason, want) {
				t.Errorf("the reason does not say %q: %s", want, s.Reason)
			}
		}
		run.expectGauge("paused", "wx1", 1, 1)
		run.expectGauge("remaining", "wx1", 0, 0)
		run.expectGauge("backfill_held", "wx1", 0, 0)
		run.expectLogged("daily quota used up", 1)

		time.Sleep(midnight() - time.Minute)
		if n := len(a.listed()); n != calls {
			t.Errorf("%d list calls while the quota was used up", n-calls)
		}
		if s := run.statusOf("wx1"); s.State != StateExhausted {
			t.Errorf("a minute before midnight: %+v", s)
		}
		time.Sleep(2 * time.Minute)
		if n := len(a.listed()); n < calls+100 {
			t.Errorf("%d list calls in the minute after midnight", n-calls)
		}
		run.expectGauge("paused", "wx1", 1, 1) // the next day is used up, too
		time.Sleep(time.Minute)
		run.expectLogged("daily quota used up", 2)
		<-run.ended
		if run.err != nil {
			t.Fatal(run.err)
		}
		a.eachOnce("wx1", p.Start, p.End)
		run.expectGauge("paused", "wx1", 0, 0)
	})
}

// oldAndNew is one app ID with one quota: "old" reads its history by creation time,
// under the policy returned, and "new" follows it by update time.
func (a *testbed) oldAndNew(seed uint64, orders, perDay int, liveShare float64) (*process, window.Policy) {
	start := time.Now().Unix()
	a.heartbeat, a.liveShare = time.Minute, liveShare
	a.simulate(simulator.Config{Seed: seed, Faults: simulator.Faults{PerDayLimit: perDay}, Latency: 50 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
		Backlog: simulator.Backlog{Orders: orders, From: start - 30*86400, To: start - 86400},
		Live:    simulator.Live{Rate: 0.01, Since: start}}}})
	old := testPolicy()
	old.Start, old.End, old.PageSize = start-30*86400, start-86400, 10
	now := testPolicy()
	now.Range, now.PollInterval = wechat.UpdateTime, 5*time.Minute
	return a.start(shop{appID: "wx1", name: "old", policy: old, rate: 50}, shop{appID: "wx1", name: "new", policy: now, rate: 50}), old
}

// TestBackfillLeavesTheLiveWalkItsShare of the day's calls: the history of a shop is
// read by creation time, and the shop is followed by update time, on one quota. The
// backfill stops at its part, reports it, and resumes the next day. The live walk never
// has to stop.
func TestBackfillLeavesTheLiveWalkItsShare(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		run, old := a.oldAndNew(42, 60000, 5000, 0.2)

		time.Sleep(30 * time.Second)
		run.expectGauge("remaining", "old", 3400, 4000)
		run.expectGauge("remaining", "new", 3400, 4000)
		// At 50 calls a second the rest would be used up within two minutes.
		run.expectGauge("exhausted_timestamp_seconds", "old", float64(start+90), float64(start+120))
		a.until("the backfill waits", func() bool { return run.statusOf("old").Held })
		if n := len(a.listed()); n > 4000+5 || n < 4000-20 { // includes calls of the live walk, and calls counted twice
			t.Errorf("backfill waits after %d list calls, want 4000", n)
		}
		s := run.statusOf("old")
		for _, want := range []string{"reserved for the live walk", "of the day's 5000 list calls are left", "until 2000-01-02 00:00 Asia/Shanghai"} {
			if s.State != StateBackfill || !strings.Contains(s.Reason, want) {
				t.Errorf("the line of the shop does not say %q: %+v", want, s)
			}
		}
		run.expectGauge("backfill_held", "old", 1, 1)
		run.expectGauge("backfill_held", "new", 0, 0)
		run.expectGauge("paused", "old", 0, 0)

		time.Sleep(time.Second) // until everything read is committed
		published := run.statusOf("old").Published
		for midnight() > time.Hour {
			time.Sleep(time.Hour)
			if s := run.statusOf("new"); s.State != StateLive || s.Lag(time.Now()) > 10*time.Minute {
				t.Fatalf("the live walk stands: %+v", s)
			}
			if s := run.statusOf("old"); !s.Held || s.Published != published {
				t.Fatalf("the backfill goes on: %+v", s)
			}
		}
		run.expectGauge("exhausted_timestamp_seconds", "old", 0, 0)
		run.expectLogged("backfill waits", 1)
		if n := a.answered(quotaPath, ""); n < 15 || n > 18 {
			t.Errorf("what is left was asked %d times in 16 hours", n)
		}
		time.Sleep(midnight())
		a.until("all is read", func() bool { return run.statusOf("old").State == StateDone })
		run.expectLogged("backfill resumes", 1)
		run.expectGauge("backfill_held", "old", 0, 0)
		if n := a.answered(listPath, "45009"); n > 0 {
			t.Errorf("%d calls too many", n)
		}
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		a.createdOnce("wx1", old.Start, old.End)
	})
}

// TestALiveWalkThatFellBehindIsNoBackfill: the API does not answer for hours. The live
// walk's catching up is not held back afterwards, although the backfill is.
func TestALiveWalkThatFellBehindIsNoBackfill(t *testing.T) {
	inBubble(t, func(a *testbed) {
		run, _ := a.oldAndNew(43, 30000, 1000, 0.5)
		a.until("the backfill waits", func() bool { return run.statusOf("old").Held })
		faults := a.api.Faults()
		faults.HTTP5xxRate = 1
		a.api.SetFaults(faults)
		time.Sleep(3 * time.Hour)
		if s := run.statusOf("new"); s.Lag(time.Now()) < 2*time.Hour {
			t.Fatalf("the live walk is not behind: %+v", s)
		}
		faults.HTTP5xxRate = 0
		a.api.SetFaults(faults)
		time.Sleep(10 * time.Minute)
		if s := run.statusOf("new"); s.State != StateLive || s.Lag(time.Now()) > 10*time.Minute {
			t.Errorf("the live walk has not caught up: %+v", s)
		}
		if s := run.statusOf("old"); !s.Held {
			t.Errorf("the backfill does not wait: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestNoOrderWaitsForTheQuota: a vendor that never answers the quota call delays no
// order, is logged once, and is asked again an hour later.
func TestNoOrderWaitsForTheQuota(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 2*3600
		a.heartbeat, a.liveShare = time.Minute, 0.2
		var asked, sick atomic.Int32
		sick.Store(1)
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != quotaPath {
				return false
			}
			asked.Add(1)
			if sick.Load() == 0 {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body) // the server notices a closed connection only after this
			<-r.Context().Done()
			return true
		}
		a.simulate(simulator.Config{Seed: 44, Faults: simulator.Faults{PerDayLimit: 1_000_000}, Latency: 20 * time.Millisecond,
			Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.1, Since: start}}}})
		p := testPolicy()
		p.Start, p.PollInterval = start, time.Minute
		u := p
		u.Range = wechat.UpdateTime
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx1", name: "changes", policy: u})
		a.until("the first order is out", func() bool { return run.statusOf("wx1").Published > 0 })
		if n := asked.Load(); n > 0 {
			t.Error("the vendor was asked before the first order was out")
		}
		a.until("both are live", func() bool { return count(run, StateLive) == 2 })
		time.Sleep(5*time.Hour + 30*time.Minute)
		if n := asked.Load(); n < 6 || n > 3*7 {
			t.Errorf("asked %d times in five hours and a half", n)
		}
		run.expectLogged("cannot read the remaining list calls", 1)
		if v, there := run.gauge("remaining", "wx1"); there {
			t.Errorf("%v calls are reported as remaining, want no report", v)
		}
		sick.Store(0)
		time.Sleep(time.Hour)
		run.expectGauge("remaining", "wx1", 900_000, 1_000_000)
		run.expectGauge("remaining", "changes", 900_000, 1_000_000)
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestWorkersShareTheDaysCalls: two workers read the history of a shop's two ranges.
// Each has half of the backfill's calls, and together they leave the live walk's share.
func TestWorkersShareTheDaysCalls(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat, a.liveShare = time.Minute, 0.4
		a.simulate(simulator.Config{Seed: 45, Faults: simulator.Faults{PerDayLimit: 5000}, Latency: 50 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
			Backlog: simulator.Backlog{Orders: 60000, From: start - 30*86400, To: start - 86400}}}})
		p := testPolicy()
		p.Start, p.End, p.PageSize = start-30*86400, start-86400, 10
		u := p
		u.Range = wechat.UpdateTime
		shops := []shop{{appID: "wx1", name: "created", policy: p, rate: 50}, {appID: "wx1", name: "updated", policy: u, rate: 50}}
		one, two := a.start(shops...), a.start(shops...)
		held := func(p *process) (n int) {
			for _, s := range p.Status() {
				if s.Held {
					n++
				}
			}
			return n
		}
		for begun := time.Now(); held(one) != 1 || held(two) != 1; time.Sleep(time.Second) {
			if time.Since(begun) > 10*time.Minute {
				t.Fatalf("they do not wait, after %d list calls: %+v %+v", len(a.listed()), one.Status(), two.Status())
			}
		}
		// A worker that has just started makes calls for a second before it knows the
		// quota.
		if n := len(a.listed()); n > 3000+50 || n < 2800 {
			t.Errorf("both wait after %d list calls, want 3000", n)
		}
		// Calls that one worker could not use, because the other began later, are known
		// after the next quota call.
		time.Sleep(2 * time.Hour)
		if n := len(a.listed()); n > 3000+50 || n < 2950 {
			t.Errorf("after two hours there were %d list calls, want 3000", n)
		}
		for _, run := range []*process{one, two} {
			if err := run.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestTheRateHalvesAndRecovers: a limit per minute costs a few refusals each minute.
// Once it is lifted, the full rate returns within ten minutes.
func TestTheRateHalvesAndRecovers(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 46, Faults: simulator.Faults{PerMinuteLimit: 240}, Latency: 20 * time.Millisecond, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
			Backlog: simulator.Backlog{Orders: 30000, From: start - 30*86400, To: start - 86400}}}})
		p := testPolicy()
		p.Start, p.End, p.PageSize = start-30*86400, start-86400, 2
		run := a.start(shop{appID: "wx1", policy: p, rate: 20})
		const minutes = 12
		time.Sleep(minutes * time.Minute)
		served, refused := a.answered(listPath, "0"), a.answered(listPath, "45011")
		if refused == 0 || refused > minutes*p.Concurrency/2 {
			t.Errorf("%d calls were refused in %d minutes", refused, minutes)
		}
		if served < minutes*240/2 {
			t.Errorf("%d calls were served in %d minutes", served, minutes)
		}
		if !strings.Contains(run.logged(), "throttled by the API; continuing at a lower rate") {
			t.Error("the log does not say that it goes on slower")
		}
		a.api.SetFaults(simulator.Faults{})
		time.Sleep(10 * time.Minute)
		before := a.answered(listPath, "0")
		time.Sleep(time.Minute)
		if n := a.answered(listPath, "0") - before; n < 60*19 {
			t.Errorf("%d calls in a minute, ten minutes after the limit was lifted", n)
		}
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		if n := a.answered(listPath, "45011"); n != refused {
			t.Errorf("%d more calls were refused", n-refused)
		}
		covered(a, "wx1", p.Start)
	})
}
