package simulator_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// reader reads a range as a careful client: it evaluates every answer, halves ranges
// that hold too many orders, and restarts windows when required.
type reader struct {
	t     *testing.T
	s     *simulator.Server
	token string
	found map[string]bool
	calls int
}

// read reads [from, to], whose ends the API may exclude.
func (r *reader) read(from, to int64, size int) {
	key, pages := "", 0
	for {
		if r.calls++; r.calls > 100000 {
			r.t.Fatal("no progress")
		}
		if r.token == "" {
			r.token = stable(r.t, r.s, false).Token
			continue
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), 700*time.Millisecond)
		target := listPath + "?access_token=" + r.token
		got := do(r.t, r.s, httptest.NewRequestWithContext(ctx, "POST", target, strings.NewReader(created(from, to, size, key))))
		cancel()
		switch {
		case got.http != 200, got.aborted, got.notJSON, got.Errcode == -1, got.Errcode == 987654:
		case got.Errcode == 40001, got.Errcode == 42001:
			r.token = ""
		case got.Errcode == 45011:
			time.Sleep(time.Minute)
		case got.Errcode == 606006 && pages > 0 && r.calls%3 > 0:
		case got.Errcode == 606006, got.Errcode == 0 && got.HasMore && (got.next() == "" || got.next() == key), got.Errcode == 31042:
			if to-from > 1 {
				middle := (from + to) / 2
				r.read(from, middle, size)
				r.read(middle, to, size)
				return
			}
			key, pages = "", 0
		case got.Errcode != 0:
			r.t.Fatalf("%s", got.raw)
		default:
			for _, id := range got.ids(r.t) {
				r.found[id] = true
			}
			if !got.HasMore {
				return
			}
			key, pages = got.next(), pages+1
		}
	}
}

// Under Chaos a careful client gets every order, in pages small and large, and meets
// every fault often.
func TestChaosLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{Orders: 50000, From: epoch - 86400, To: epoch - 1, Bursts: 5, BurstSize: 500},
			simulator.Live{}, simulator.AllFaults())
		time.Sleep(10 * time.Second)
		for i, size := range []int{100, 30} {
			r := &reader{t: t, s: s, found: map[string]bool{}}
			for from := int64(epoch - 86400); from < epoch; from += 3600 {
				r.read(from, from+3600, size)
			}
			if got, want := len(r.found), len(s.Orders(appID, timeless)); got != want {
				t.Errorf("pages of %d: %d of %d orders", size, got, want)
			}
			stats := s.Stats()
			for _, name := range []string{
				"random_606006_rate", "empty_page_rate", "missing_next_key_rate", "repeated_next_key_rate", "unknown_errcode_rate",
				"system_busy_rate", "random_40001_rate", "http_5xx_rate", "reset_rate", "timeout_rate", "slow_rate",
				"empty_200_rate", "html_200_rate", "truncated_json_rate", "max_orders_per_request",
			} {
				if stats.Faults[name] < 3*(i+1) {
					t.Errorf("pages of %d: %s only %d times in %d calls", size, name, stats.Faults[name], r.calls)
				}
			}
			if len(stats.Violations) != 0 {
				t.Errorf("violations: %v", stats.Violations)
			}
		}
	})
}

func TestNoChaosIsNoFaults(t *testing.T) {
	if simulator.Chaos(0) != (simulator.Faults{}) || simulator.Chaos(7) != simulator.AllFaults() {
		t.Error("levels")
	}
	set, err := simulator.ParseFault("chaos=0.5")
	if err != nil {
		t.Fatal(err)
	}
	var f simulator.Faults
	if set(&f); f != simulator.Chaos(0.5) {
		t.Errorf("%+v", f)
	}
}

// Many concurrent clients, over connections, while orders and faults change.
func TestConcurrentUse(t *testing.T) {
	now := time.Now().Unix()
	s := shop(simulator.Backlog{Orders: 2000, From: now - 3600, To: now - 1}, simulator.Live{Rate: 100, Changes: 2}, simulator.Faults{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				switch {
				case i == 0:
					s.SetFaults(simulator.Faults{ResetRate: float64(n%3) / 10, Order: "unstable", SingleUseKey: true})
				case i == 1:
					if err := s.Add(appID, simulator.Order{ID: fmt.Sprint(1000 + n)}); err != nil {
						t.Error(err)
					}
					s.Stats()
				case i == 2:
					s.Orders(appID, timeless)
					s.Changes(appID, timeless, timeless)
				case i == 3:
					stable(t, s, n%2 == 0)
				default:
					res, err := srv.Client().Post(srv.URL+listPath+"?access_token="+token, "", strings.NewReader(created(now-3600, now, 100, "")))
					if err == nil {
						_ = res.Body.Close()
					}
				}
			}
		})
	}
	all.Wait()
	s.SetFaults(simulator.Faults{})
	got := walk(t, s, "create_time_range", now-3600, now-1, 100)
	wantSame(t, got, truth(s, func(o simulator.Order) bool { return o.Created < now }))
	if slices.Contains(got, "") || s.Stats().Shops[appID].ListCalls < 200 {
		t.Errorf("stats: %+v", s.Stats())
	}
}
