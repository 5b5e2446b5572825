package connector

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAShopThatOnlyTriesWaitsStill: a shop that waits for the vendor shows no other
// state until a call has succeeded, however long its tries take, also when the day's
// calls run out in the meantime.
func TestAShopThatOnlyTriesWaitsStill(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 61, Latency: time.Second, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.1, Since: start}}}})
		run := a.start(shop{appID: "wx1", policy: a.policy()})
		time.Sleep(10 * time.Minute)
		if s := run.statusOf("wx1"); s.State != StateLive {
			t.Fatalf("before: %+v", s)
		}
		a.api.SetFaults(simulator.Faults{Unauthorised: true})
		a.until("it waits", func() bool { return run.statusOf("wx1").State == StateWaiting })
		before := len(a.listed())
		for range 40 * 60 * 5 {
			time.Sleep(200 * time.Millisecond)
			if s := run.statusOf("wx1"); s.State != StateWaiting || s.Reason == "" {
				t.Fatalf("while it tries: %+v", s)
			}
		}
		if n := len(a.listed()) - before; n < 3 {
			t.Fatalf("it has tried %d times", n)
		}
		a.api.SetFaults(simulator.Faults{PerDayLimit: 1})
		a.until("it has tried", func() bool { time.Sleep(10 * time.Second); return run.statusOf("wx1").State != StateWaiting })
		if s := run.statusOf("wx1"); s.State != StateExhausted {
			t.Errorf("when the day is used up: %+v", s)
		}
		a.api.SetFaults(simulator.Faults{})
		a.until("it is live", func() bool { time.Sleep(10 * time.Minute); return run.statusOf("wx1").State == StateLive })
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestATokenThatChangesWhileItIsRefusedIsTriedAtOnce: the file was rewritten after the
// refused call was sent, and before the shop began to wait.
func TestATokenThatChangesWhileItIsRefusedIsTriedAtOnce(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 3600
		a.simulate(simulator.Config{Seed: 62, Shops: []simulator.Shop{{AppID: "wx1", Token: "fresh", Live: simulator.Live{Rate: 0.1, Since: start}}}})
		p := a.policy()
		p.Start = start
		var token atomic.Value
		token.Store("dead")
		var faults atomic.Bool
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != listPath || !faults.CompareAndSwap(false, true) {
				return false
			}
			token.Store("fresh")
			_, _ = w.Write([]byte(`{"errcode":40164,"errmsg":"not in whitelist"}`))
			return true
		}
		run := a.start(shop{appID: "wx1", policy: p, static: func() (string, error) { return token.Load().(string), nil }})
		time.Sleep(10 * time.Second)
		if s := run.statusOf("wx1"); s.State != StateBackfill && s.State != StateLive {
			t.Errorf("10 s later: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAWrongSecretInAFileIsWaitedFor: the shop continues within seconds of the file's
// change, without a restart. A bounded run with nothing else to do ends and says why.
func TestAWrongSecretInAFileIsWaitedFor(t *testing.T) {
	inBubble(t, func(a *testbed) {
		var secret atomic.Value
		secret.Store("reset-since")
		file := func() (string, error) { return secret.Load().(string), nil }
		sh, p := backlog("wx1", 100)
		other, _ := backlog("wx2", 100)
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 63, Shops: []simulator.Shop{sh, other}})
		if err := a.start(shop{appID: "wx1", policy: p, file: file}, shop{appID: "wx2", policy: p}).wait(); err == nil ||
			!strings.Contains(err.Error(), "shop wx1: waiting: get access token: errcode 40125") || strings.Contains(err.Error(), "wx2") {
			t.Errorf("a bounded run ended with %v", err)
		}
		a.eachOnce("wx2", p.Start, p.End)

		p.End = 0
		run := a.start(shop{appID: "wx1", policy: p, file: file})
		time.Sleep(time.Hour)
		if s := run.statusOf("wx1"); s.State != StateWaiting || !strings.Contains(s.Reason, "40125") {
			t.Errorf("after an hour: %+v", s)
		}
		if n := a.answered("/cgi-bin/stable_token", "40125"); n > 12 {
			t.Errorf("%d tries", n)
		}
		secret.Store("secret-wx1")
		time.Sleep(5 * time.Second)
		if s := run.statusOf("wx1"); s.Pages == 0 || s.State == StateWaiting {
			t.Errorf("5 s after the file has changed: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestARefusalWithATimeIsWaitedFor: a shop rests as long as the vendor documents for
// the errcode, makes no list call in the meantime, shows why, and continues by itself.
func TestARefusalWithATimeIsWaitedFor(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 100)
		p.End = 0
		a.simulate(simulator.Config{Seed: 64, Shops: []simulator.Shop{sh}})
		var refused atomic.Bool
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != listPath || !refused.CompareAndSwap(false, true) {
				return false
			}
			_, _ = w.Write([]byte(`{"errcode":89507,"errmsg":"refused"}`))
			return true
		}
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(59 * time.Minute)
		if s := run.statusOf("wx1"); s.State != StateWaiting || !strings.Contains(s.Reason, "89507") {
			t.Errorf("after 59 minutes: %+v", s)
		}
		if n := len(a.listed()); n != 0 {
			t.Errorf("%d list calls while the shop waits", n)
		}
		time.Sleep(2 * time.Minute)
		if s := run.statusOf("wx1"); s.State == StateWaiting || s.Pages == 0 {
			t.Errorf("after 61 minutes: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
