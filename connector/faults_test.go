package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/record"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// TestEverySwitchLosesAndRepeatsNothing reads a whole backlog under each fault of the
// simulator that lets data through.
func TestEverySwitchLosesAndRepeatsNothing(t *testing.T) {
	// Faults that no walker can get past, and the test that covers each.
	elsewhere := map[string]string{
		"offset_keys":     "hides orders where some leave a window: TestAnOrderThatLeavesAWindowHidesNoOther",
		"require_https":   "TestWhatStopsAShop",
		"http_403":        "TestWhatOnlyTheVendorCanChangeIsWaitedFor",
		"unauthorised":    "TestWhatOnlyTheVendorCanChangeIsWaitedFor",
		"whitelist":       "TestWhatOnlyTheVendorCanChangeIsWaitedFor",
		"token_error":     "TestWhatStopsAShop",
		"unknown_errcode": "TestWhatStopsAShop",
		"null_range":      "the walker never sends one; the simulator's own tests use it",
		"point_range":     "the walker never sends one, nor does judge: TestJudge",
		"both_ranges":     "the walker never sends both; the simulator's own tests use it",
		"timeout_hold":    "goes with timeout_rate", "slow_hold": "goes with slow_rate",
	}
	for _, name := range []string{"rotate_refresh_token", "platform_error", "missing_set_131", "cloud_unlisted", "relay_delay", "seqid_absent"} {
		elsewhere[name] = "not about a shop's own token: the stories of internal/wechat"
	}
	value := map[string]string{
		"max_span_exact": "deny", "key_on_last_page": "non-empty", "order_id_list": "absent", "order": "unstable", "has_more": "text",
		"max_orders_per_request": "40", "per_minute_limit": "60", "per_day_limit": "150", "token_ttl": "301s",
		"key_ttl": "2s", "clock_skew": "-45s", "visibility_lag": "20s", "timeout_rate": "0.05", "slow_rate": "0.1",
		"unknown_errcode_rate": "0.05",
	}
	for _, f := range simulator.FaultNames() {
		if elsewhere[f.Name] != "" || strings.HasPrefix(f.Name, "push_") { // pushes are not pages: internal/push
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				v := value[f.Name]
				if v == "" {
					v = map[string]string{"bool": "true", "rate": "0.2"}[f.Type]
				}
				set, err := simulator.ParseFault(f.Name + "=" + v)
				if err != nil {
					t.Fatal(err)
				}
				var faults simulator.Faults
				set(&faults)
				if f.Name == "unknown_errcode_rate" {
					faults.UnknownErrcode = 10020050
				}
				sh, p := backlog("wx1", 1500)
				sh.Backlog.BurstSize = 8
				p.PageSize = 10
				if f.Name == "max_span_exact" {
					p.Start -= 200 * 86400 // long and empty: windows grow to seven days
				}
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 11, Shops: []simulator.Shop{sh}, Faults: faults})
				run := a.start(shop{appID: "wx1", policy: p})
				<-run.ended
				if run.err != nil {
					t.Fatalf("%v\n%s", run.err, last(run.log.String(), 2000))
				}
				a.eachOnce("wx1", p.Start, p.End)
			})
		})
	}
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// TestWhatStopsAShop: faults that waiting cannot resolve end a bounded run with the
// shop's name and a reason.
func TestWhatStopsAShop(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults simulator.Faults
		policy func(*window.Policy)
		want   string
	}{
		{"wrong secret", simulator.Faults{TokenError: 40125}, nil, "40125"},
		{"plain http where https is wanted", simulator.Faults{RequireHTTPS: true}, nil, "43003"},
		{"an errcode nobody knows", simulator.Faults{UnknownErrcode: 12345}, nil, "12345"},
		{"too many orders in one second", simulator.Faults{MaxOrdersPerRequest: 10}, nil, "31042"},
		{"more windows than a second", simulator.Faults{MaxOrdersPerRequest: 10}, func(p *window.Policy) { p.MinWindow = time.Minute }, "31042) and it cannot be halved any more; nothing was skipped; " + tryIt},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				sh, p := backlog("wx1", 500)
				if c.policy != nil {
					c.policy(&p)
				}
				a.simulate(simulator.Config{Seed: 12, Shops: []simulator.Shop{sh}, Faults: c.faults})
				err := a.start(shop{appID: "wx1", policy: p}).wait()
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "shop wx1") {
					t.Fatalf("ended with %v; want the shop and %q", err, c.want)
				}
				if n := len(a.listed()); n > 2000 {
					t.Errorf("%d list calls to find out", n)
				}
			})
		})
	}
}

// TestWhatOnlyTheVendorCanChangeIsWaitedFor: the shop tries again at growing intervals,
// and continues once it may. A bounded run with nothing else to do ends instead.
func TestWhatOnlyTheVendorCanChangeIsWaitedFor(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"48001": {Unauthorised: true}, "45035": {Whitelist: 45035}, "40164": {Whitelist: 40164}, "HTTP 403": {HTTP403: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix() - 3600
				a.heartbeat = time.Minute
				a.simulate(simulator.Config{Seed: 13, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.1, Since: start}}}})
				p := a.policy()
				p.Start = start
				run := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(2 * time.Hour)
				s := run.Status()[0]
				if s.State != StateWaiting || !strings.Contains(s.Reason, name) {
					t.Errorf("status is %+v, want waiting for %s", s, name)
				}
				calls := 0
				for _, n := range a.api.Stats().Calls {
					for _, m := range n {
						calls += m
					}
				}
				if calls > 40 {
					t.Errorf("%d calls in two hours", calls)
				}
				a.api.SetFaults(simulator.Faults{})
				a.until("it goes on", func() bool {
					time.Sleep(time.Minute)
					s := run.Status()[0]
					return s.State == StateLive && s.Watermark > start+60
				})
				end := run.Status()[0].Watermark
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", start, end-1)

				a.api.SetFaults(faults)
				p.End = time.Now().Unix() - 10
				if err := a.start(shop{appID: "wx1", policy: p}).wait(); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("a bounded run ended with %v, want %s", err, name)
				}
			})
		})
	}
}

// TestAShopThatWaitsLooksAgainWhenItsFilesChange: two shops have been refused for an
// hour and try again every ten minutes. One gets a valid token, the other another entry
// in the shops file: both continue within seconds.
func TestAShopThatWaitsLooksAgainWhenItsFilesChange(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 3600
		a.heartbeat = time.Minute
		live := simulator.Live{Rate: 0.1, Since: start}
		a.simulate(simulator.Config{Seed: 14, Faults: simulator.Faults{Whitelist: 40164}, Shops: []simulator.Shop{
			{AppID: "wx1", Secret: "secret-wx1", Token: "fresh", Live: live}, {AppID: "wx2", Secret: "secret-wx2", Live: live}}})
		p := a.policy()
		p.Start = start
		var token atomic.Value
		token.Store("dead")
		given := shop{appID: "wx1", policy: p, static: func() (string, error) { return token.Load().(string), nil }}
		asked := shop{appID: "wx2", policy: p}
		run := a.start(given, asked)
		time.Sleep(time.Hour + 2*time.Minute)
		if n := count(run, StateWaiting); n != 2 {
			t.Fatalf("%d shops wait: %+v", n, run.Status())
		}

		token.Store("fresh")
		time.Sleep(5 * time.Second)
		if s := run.Status()[0]; s.State != StateBackfill && s.State != StateLive {
			t.Errorf("5 s after its token was changed: %+v", s)
		}
		if s := run.Status()[1]; s.State != StateWaiting {
			t.Errorf("nothing of wx2 has changed: %+v", s)
		}

		a.api.SetFaults(simulator.Faults{})
		asked.rate = 1000
		all, _, _ := a.config(run.plug, discard(), newGatherer(), asked)
		before := run.cfg.Shops[0]
		if err := run.SetShops(context.Background(), []Shop{before, all.Shops[0]}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if s := run.Status()[1]; s.State != StateBackfill && s.State != StateLive {
			t.Errorf("5 s after its entry was changed: %+v", s)
		}
		a.until("both are live", func() bool { return count(run, StateLive) == 2 })
		a.goesOn(run)
		end := run.Status()
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		for _, s := range end {
			a.eachOnce(s.AppID, start, s.Watermark-1)
		}
	})
}

// TestQuotaPausesUntilMidnightInShanghai: no call is made until midnight, then the walk
// continues.
func TestQuotaPausesUntilMidnightInShanghai(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 3000)
		p.PageSize = 10
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 14, Shops: []simulator.Shop{sh}, Faults: simulator.Faults{PerDayLimit: 120}})
		run := a.start(shop{appID: "wx1", policy: p})
		<-run.ended
		if run.err != nil {
			t.Fatal(run.err)
		}
		a.eachOnce("wx1", p.Start, p.End)
		refused := 0
		for _, c := range a.listed() {
			if c.Outcome == "45009" {
				refused++
			}
		}
		// Calls in progress at the first refusal are refused, too.
		if days := len(a.listed()) / 120; refused > (days+1)*p.Concurrency {
			t.Errorf("got %d calls with the quota exhausted on %d days", refused, days)
		}
	})
}

// TestARefusedTokenRestartsTheWindow: page tokens that expired while the process was
// down cost the window's pages, not its orders.
func TestARefusedTokenRestartsTheWindow(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 1000)
		p.PageSize = 5
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 15, Shops: []simulator.Shop{sh}, Faults: simulator.Faults{KeyTTL: time.Minute}, Latency: 200 * time.Millisecond})
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(2 * time.Second)
		run.kill()
		n := len(a.listed())
		time.Sleep(time.Hour)
		if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, c := range a.listed()[n:] {
			if c.Outcome == "606006" {
				refused++
			}
		}
		if refused == 0 {
			t.Error("no token was refused: the test does not show what it is for")
		}
		a.eachOnce("wx1", p.Start, p.End)
	})
}

// TestClocks: the earlier of the local clock and the API's holds windows back.
func TestClocks(t *testing.T) {
	for _, skew := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix() - 3600
				a.simulate(simulator.Config{Seed: 16, Faults: simulator.Faults{ClockSkew: skew}, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
				p := a.policy()
				p.Start = start
				run := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(5 * time.Minute)
				earlier := time.Now().Add(min(0, skew)).Add(-p.SettleDelay).Unix()
				w := run.Status()[0].Watermark
				if w > earlier || w < earlier-5 {
					t.Errorf("watermark is %d, want it just behind %d", w, earlier)
				}
				for _, c := range a.listed() {
					if c.Create.End > c.At.Add(min(0, skew)).Add(-p.SettleDelay).Unix()+1 {
						t.Fatalf("asked at %v for %+v", c.At, c.Create)
					}
				}
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", start, w-1)
			})
		})
	}
}

// TestAnUnusableOffsetsTopicIsRefused: nothing is read before the topic is rejected.
func TestAnUnusableOffsetsTopicIsRefused(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 10)
		a.simulate(simulator.Config{Shops: []simulator.Shop{sh}})
		if err := a.cluster.CreateTopic(a.name+".offsets", 4, map[string]string{"cleanup.policy": "delete"}); err != nil {
			t.Fatal(err)
		}
		err := a.start(shop{appID: "wx1", policy: p}).wait()
		if err == nil || !strings.Contains(err.Error(), "compact") || !strings.Contains(err.Error(), a.name+".offsets") {
			t.Errorf("ended with %v, want the topic and what is wrong with it", err)
		}
		if n := len(a.listed()); n > 0 {
			t.Errorf("got %d list calls", n)
		}
	})
}

// TestAFutureCheckpointIsNotStartedOver: a checkpoint of a newer version fails its
// shop.
func TestAFutureCheckpointIsNotStartedOver(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 10)
		a.simulate(simulator.Config{Shops: []simulator.Shop{sh}})
		if err := a.cluster.CreateTopic(a.name+".offsets", 4, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		key := offsets.Key{Partition: offsets.Partition{Shop: "wx1", Range: "create_time"}}.Bytes(a.name)
		a.produce(a.name+".offsets", record.Partition(key, 4), key, []byte(`{"v":2,"watermark":1,"shape":"new"}`))
		err := a.start(shop{appID: "wx1", policy: p}).wait()
		if err == nil || !strings.Contains(err.Error(), string(key)) || !strings.Contains(err.Error(), "newer orderwalk") {
			t.Errorf("ended with %v", err)
		}
		if n := len(a.listed()); n > 0 {
			t.Errorf("got %d list calls for a shop whose checkpoint is unknown", n)
		}
		var refusal *wechat.Error
		if errors.As(err, &refusal) {
			t.Errorf("took it for the API's error: %v", err)
		}
	})
}
