package simulator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// pushSwitches has a test for each switch of a Pusher: its effect when on, and no
// effect when off. Each runs in its own bubble.
var pushSwitches = map[string]func(t *testing.T, s *simulator.Server){
	"push_order_id": func(t *testing.T, s *simulator.Server) {
		for value, want := range map[string]string{"": `1 "1" 1 "1" "1" 1`, "push_order_id=number": "1 1 1 1 1 1", "push_order_id=string": `"1" "1" "1" "1" "1" "1"`} {
			fresh := shop(hundred, simulator.Live{}, simulator.Faults{})
			if value != "" {
				on(t, fresh, value)
			}
			in, _, stop := pushing(t, fresh, nil)
			var got []string
			if err := fresh.Add(appID, simulator.Order{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			for _, status := range []int{250, 30, 190, 200, 77} { // one event each
				time.Sleep(2 * time.Second)
				if err := fresh.Update(appID, "1", 0, status); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * time.Second)
			stop()
			for _, m := range in.came() {
				got = append(got, string(m.Info.ID))
			}
			if fmt.Sprint(got) != "["+want+"]" {
				t.Errorf("%q: %v, want %s", value, got, want)
			}
		}
	},
	"push_retry": func(t *testing.T, s *simulator.Server) {
		for value, want := range map[string]int{"anew": 20, "same": 2} {
			fresh := shop(hundred, simulator.Live{}, simulator.Faults{})
			on(t, fresh, "push_retry="+value)
			in, _, stop := pushing(t, fresh, nil)
			in.status = func(mail) int { return 500 }
			twoOrders(t, fresh)
			stop()
			different := map[string]bool{}
			for _, m := range in.came() {
				different[m.query.Encode()+m.body] = true
			}
			if n := len(in.came()); n != 20 || len(different) != want {
				t.Errorf("%s: %d tries, %d different ones", value, n, len(different))
			}
		}
	},
	"push_delay": func(t *testing.T, s *simulator.Server) {
		for _, delay := range []int64{0, 90} {
			fresh := shop(hundred, simulator.Live{}, simulator.Faults{})
			on(t, fresh, fmt.Sprintf("push_delay=%ds", delay))
			in, _, stop := pushing(t, fresh, nil)
			twoOrders(t, fresh)
			stop()
			for _, m := range in.came() {
				if late := m.at.Unix() - m.CreateTime; late < delay || late > delay+1 {
					t.Errorf("%d s late, want %d", late, delay)
				}
			}
		}
	},
	"push_drop_rate": func(t *testing.T, s *simulator.Server) {
		came, told := half(t, s, "push_drop_rate")
		dropped := 0
		for _, push := range told {
			if push.Try == 0 {
				dropped++
			}
		}
		wantTook(t, s, "push_drop_rate", dropped)
		wantShare(t, dropped, 200, 0.5)
		if len(came) != 200-dropped {
			t.Errorf("%d came", len(came))
		}
	},
	"push_duplicate_rate": func(t *testing.T, s *simulator.Server) {
		came, told := half(t, s, "push_duplicate_rate")
		again := 0
		for _, push := range told {
			if push.Again && push.Arrived() {
				again++
			}
		}
		wantTook(t, s, "push_duplicate_rate", again)
		wantShare(t, again, 200, 0.5)
		if len(came) != 200+again {
			t.Errorf("%d came", len(came))
		}
	},
	"push_reorder_rate": func(t *testing.T, s *simulator.Server) {
		came, _ := half(t, s, "push_reorder_rate")
		held := 0
		for _, m := range came {
			if late := m.at.Unix() - m.CreateTime; late > 1 {
				held++
			}
		}
		wantShare(t, held, s.Stats().Faults["push_reorder_rate"], 1)
		wantShare(t, held, 200, 0.5)
		overtaken := 0
		for i := range came[1:] {
			if came[i+1].CreateTime < came[i].CreateTime {
				overtaken++
			}
		}
		if overtaken < 20 || len(came) != 200 {
			t.Errorf("%d of %d were overtaken", overtaken, len(came))
		}
	},
	"push_reorder_hold": func(t *testing.T, s *simulator.Server) {
		came, _ := half(t, s, "push_reorder_rate", "push_reorder_hold=1h")
		longest := int64(0)
		for _, m := range came {
			longest = max(longest, m.at.Unix()-m.CreateTime)
		}
		if longest < 3000 || longest > 3600 {
			t.Errorf("held for %d s", longest)
		}
	},
	"push_lost_rate": func(t *testing.T, s *simulator.Server) {
		came, told := half(t, s, "push_lost_rate")
		lost := 0
		for _, push := range told {
			if push.Lost {
				lost++
				if push.Arrived() || push.Status != 200 {
					t.Errorf("%+v", push)
				}
			}
		}
		wantTook(t, s, "push_lost_rate", lost)
		if len(came) != 200+lost || lost < 150 || lost > 250 { // half, a quarter, an eighth and so on
			t.Errorf("%d came, %d lost", len(came), lost)
		}
	},
	"push_other_rate": func(t *testing.T, s *simulator.Server) {
		came, _ := half(t, s, "push_other_rate")
		others := 0
		for _, m := range came {
			if !m.signed {
				t.Errorf("%+v", m)
			}
			if m.Event == "channels_ec_aftersale_update" {
				others++
			}
		}
		wantTook(t, s, "push_other_rate", others)
		wantShare(t, others, 200, 0.5)
		if len(came) != 200+others {
			t.Errorf("%d came", len(came))
		}
	},
	"push_forged_rate": func(t *testing.T, s *simulator.Server) {
		came, told := half(t, s, "push_forged_rate")
		kinds := map[string]int{}
		forged := 0
		for _, push := range told {
			if push.Forged != "" {
				kinds[push.Forged]++
				forged++
			}
		}
		wantTook(t, s, "push_forged_rate", forged)
		wantShare(t, forged, 200, 0.5)
		if len(kinds) != 10 || len(came) != 200+forged {
			t.Errorf("%d came, forged %v", len(came), kinds)
		}
		wrong := 0
		for _, m := range came {
			signedAt := m.query.Get("timestamp")
			switch {
			case !m.signed, m.appID != appID, m.url != shopURL, len(m.body) > 64<<10, signedAt != fmt.Sprint(m.at.Unix()):
				wrong++
			}
		}
		if wrong != forged {
			t.Errorf("%d of %d forged ones are wrong", wrong, forged)
		}
	},
	"push_no_tickets": func(t *testing.T, s *simulator.Server) {
		in, _, stop := pushing(t, s, toPlatform)
		time.Sleep(time.Hour + time.Second) // between two tickets
		if n := len(in.came()); n != 7 {
			t.Errorf("%d tickets", n)
		}
		on(t, s, "push_no_tickets")
		time.Sleep(time.Hour)
		stop()
		if n := len(in.came()); n != 7 {
			t.Errorf("%d tickets", n)
		}
		wantTook(t, s, "push_no_tickets", 6)
	},
	"push_encrypted_echo": func(t *testing.T, s *simulator.Server) {
		_, p, stop := pushing(t, s, func(cfg *simulator.PushConfig) {
			shops := cfg.Shops
			toPlatform(cfg)
			cfg.Shops = shops
		})
		defer stop()
		for _, switches := range [][]string{nil, {"push_encrypted_echo"}} {
			on(t, s, switches...)
			if err := p.Check(context.Background()); err != nil {
				t.Error(err)
			}
			wantTook(t, s, "push_encrypted_echo", 3*len(switches))
		}
		if err := p.SetKey(appID, "another", pushAES); err != nil {
			t.Fatal(err)
		}
		if err := p.Check(context.Background()); err == nil || !strings.Contains(err.Error(), appID) {
			t.Errorf("an address that does not decrypt: %v", err)
		}
		if p.SetKey("wx9", "t", pushAES) == nil || p.SetKey(appID, "t", "short") == nil {
			t.Error("something impossible was done")
		}
	},
}

func twoOrders(t *testing.T, s *simulator.Server) {
	t.Helper()
	for _, id := range []string{"1", "2"} {
		if err := s.Add(appID, simulator.Order{ID: id}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(5 * time.Hour)
}

// half applies a fault to half of 200 orders and returns the pushes.
func half(t *testing.T, s *simulator.Server, name string, more ...string) ([]mail, []simulator.Push) {
	t.Helper()
	on(t, s, append(more, name+"=0.5")...)
	in, _, stop := pushing(t, s, nil)
	for i := range 200 {
		if err := s.Add(appID, simulator.Order{ID: fmt.Sprint(1000 + i)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(5 * time.Hour)
	stop()
	synctest.Wait()
	return in.came(), in.told
}

// The same seed gives the same pushes, in whatever order answers come.
func TestPushesOfASeed(t *testing.T) {
	run := func() (all []string) {
		synctest.Test(t, func(t *testing.T) {
			s := shop(simulator.Backlog{}, simulator.Live{Rate: 0.05, Changes: 1, Until: epoch + 3600}, simulator.AllFaults())
			in, _, stop := pushing(t, s, toPlatform)
			time.Sleep(10*time.Hour + 500*time.Millisecond) // between two tickets
			stop()
			for _, m := range in.came() {
				all = append(all, m.at.String()+m.url+m.query.Encode()+m.body)
			}
		})
		return all
	}
	first, second := sorted(run()), sorted(run())
	if len(first) < 300 || fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%d pushes, then %d others", len(first), len(second))
	}
}
