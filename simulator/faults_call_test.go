package simulator_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// callSwitches has a test for each switch about limits, refusals, time and transport.
var callSwitches = map[string]func(t *testing.T, s *simulator.Server){
	"max_orders_per_request": func(t *testing.T, s *simulator.Server) {
		on(t, s, "max_orders_per_request=99")
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, "")), 31042)
		wantTook(t, s, "max_orders_per_request", 1)
		on(t, s, "max_orders_per_request=100")
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, "")), 0)
	},
	"visibility_lag": func(t *testing.T, s *simulator.Server) {
		on(t, s, "visibility_lag=1m")
		for i := range 50 {
			if err := s.Add(appID, simulator.Order{ID: fmt.Sprint(9000 + i), Created: epoch}); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		var counts []int
		for range 7 {
			for _, rangeName := range []string{"create_time_range", "update_time_range"} {
				n := 0
				for _, id := range walk(t, s, rangeName, epoch, epoch, 100) {
					seen[id], n = true, n+1
				}
				counts = append(counts, n)
			}
			time.Sleep(10 * time.Second)
		}
		if len(seen) != 50 || counts[0] > 5 || !slices.IsSorted(counts) || counts[6] < 5 || counts[6] > 45 {
			t.Errorf("orders seen, every ten seconds by each range: %v", counts)
		}
		if got := len(s.Orders(appID, timeless)); got != 150 {
			t.Errorf("the truth has %d orders", got)
		}
	},
	"clock_skew": func(t *testing.T, s *simulator.Server) {
		on(t, s, "clock_skew=-90s")
		r := list(t, s, created(epoch-3600, epoch, 10, ""))
		if want := time.Now().Add(-90 * time.Second).UTC().Format(http.TimeFormat); r.header.Get("Date") != want {
			t.Errorf("Date: %q, want %q", r.header.Get("Date"), want)
		}
		on(t, s, "clock_skew=1h")
		if err := s.Add(appID, simulator.Order{ID: "77"}); err != nil {
			t.Fatal(err)
		}
		if got := walk(t, s, "create_time_range", epoch+3600, epoch+3600, 10); !slices.Equal(got, []string{"77"}) {
			t.Errorf("an order of now is not listed an hour ahead: %v", got)
		}
	},
	"date_absent": func(t *testing.T, s *simulator.Server) {
		srv := httptest.NewServer(s) // headers that net/http adds need a real server
		defer srv.Close()
		date := func() []string {
			res, err := srv.Client().Get(srv.URL + "/")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			return res.Header["Date"]
		}
		if got := date(); len(got) != 1 {
			t.Errorf("off: %v", got)
		}
		on(t, s, "date_absent")
		if got := date(); len(got) != 0 {
			t.Errorf("on: %v", got)
		}
	},
	"http_403": func(t *testing.T, s *simulator.Server) {
		on(t, s, "http_403")
		if r := list(t, s, created(1, 2, 10, "")); r.http != 403 {
			t.Errorf("HTTP %d", r.http)
		}
		wantTook(t, s, "http_403", 1)
	},
	"http_5xx_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "http_5xx_rate=0.5")
		codes := map[int]int{}
		for range 400 {
			codes[list(t, s, created(1, 2, 10, "")).http]++
		}
		wantShare(t, codes[200], 400, 0.5)
		for _, code := range []int{500, 502, 503, 504} {
			if codes[code] == 0 {
				t.Errorf("never HTTP %d", code)
			}
		}
	},
	"reset_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "reset_rate=0.5")
		broken := 0
		for range 200 {
			if list(t, s, created(1, 2, 10, "")).aborted {
				broken++
			}
		}
		wantShare(t, broken, 200, 0.5)
		on(t, s, "reset_rate=1")
		srv := httptest.NewServer(s)
		defer srv.Close()
		res, err := http.Post(srv.URL+listPath+"?access_token="+token, "", strings.NewReader(created(1, 2, 10, "")))
		if err == nil {
			t.Errorf("over a connection: HTTP %d", res.StatusCode)
			_ = res.Body.Close()
		}
	},
	"timeout_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "timeout_rate=0.5")
		wantHeld(t, s, "timeout_rate", 0.5, time.Minute)
	},
	"timeout_hold": func(t *testing.T, s *simulator.Server) {
		on(t, s, "timeout_rate=1", "timeout_hold=5s")
		wantHeld(t, s, "timeout_rate", 1, 5*time.Second)
		// The server does not wait for a client that has disconnected.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, "POST", listPath+"?access_token="+token, strings.NewReader(created(1, 2, 10, "")))
		began := time.Now()
		if r := do(t, s, req); r.raw != "" || time.Since(began) != 2*time.Second {
			t.Errorf("after %s: %s", time.Since(began), r.raw)
		}
		if s.Stats().Calls[listPath]["gone"] != 1 {
			t.Errorf("calls: %v", s.Stats().Calls)
		}
	},
	"slow_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "slow_rate=0.5")
		wantHeld(t, s, "slow_rate", 0.5, time.Second)
	},
	"slow_hold": func(t *testing.T, s *simulator.Server) {
		on(t, s, "slow_rate=1", "slow_hold=3s")
		wantHeld(t, s, "slow_rate", 1, 3*time.Second)
	},
	"empty_200_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "empty_200_rate=0.5")
		wantRaw(t, s, "empty_200_rate", func(r reply) bool { return r.http == 200 && r.raw == "" })
	},
	"html_200_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "html_200_rate=0.5")
		wantRaw(t, s, "html_200_rate", func(r reply) bool {
			return r.http == 200 && strings.HasPrefix(r.raw, "<html>") && strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		})
	},
	"truncated_json_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "truncated_json_rate=0.5")
		wantRaw(t, s, "truncated_json_rate", func(r reply) bool { return r.http == 200 && r.raw[0] == '{' && r.notJSON })
	},
	"text_plain": func(t *testing.T, s *simulator.Server) {
		on(t, s, "text_plain")
		if r := list(t, s, created(1, 2, 10, "")); r.header.Get("Content-Type") != "text/plain" || r.notJSON {
			t.Errorf("%v", r.header)
		}
	},
	"system_busy_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "system_busy_rate=0.5")
		wantRaw(t, s, "system_busy_rate", func(r reply) bool { return r.Errcode == -1 })
		busy := 0
		for range 200 {
			if stable(t, s, false).Errcode == -1 {
				busy++
			}
		}
		wantShare(t, busy, 200, 0.5)
	},
	"random_40001_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "random_40001_rate=0.5")
		wantRaw(t, s, "random_40001_rate", func(r reply) bool { return r.Errcode == 40001 })
	},
	"token_error": func(t *testing.T, s *simulator.Server) {
		for _, code := range []int{40125, 40013, 40164} {
			on(t, s, fmt.Sprintf("token_error=%d", code))
			wantCode(t, plain(t, s), code)
			wantCode(t, stable(t, s, false), code)
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		}
	},
	"whitelist": func(t *testing.T, s *simulator.Server) {
		on(t, s, "whitelist=40164")
		r := stable(t, s, false)
		wantCode(t, r, 40164)
		if !strings.Contains(r.Errmsg, "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist") {
			t.Errorf("errmsg %q", r.Errmsg)
		}
		wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		for _, code := range []int{45035, 61004} {
			on(t, s, fmt.Sprintf("whitelist=%d", code))
			wantCode(t, stable(t, s, false), 0)
			wantCode(t, list(t, s, created(1, 2, 10, "")), code)
		}
	},
	"unauthorised": func(t *testing.T, s *simulator.Server) {
		on(t, s, "unauthorised")
		wantCode(t, list(t, s, created(1, 2, 10, "")), 48001)
		wantCode(t, call(t, s, "POST", "/cgi-bin/openapi/quota/get?access_token="+token, `{"cgi_path":"`+listPath+`"}`), 0)
	},
	"require_https": func(t *testing.T, s *simulator.Server) {
		on(t, s, "require_https")
		wantCode(t, list(t, s, created(1, 2, 10, "")), 43003)
		secure := httptest.NewRequest(http.MethodPost, "https://x"+listPath+"?access_token="+token, strings.NewReader(created(1, 2, 10, "")))
		wantCode(t, do(t, s, secure), 0)
	},
	"per_minute_limit": func(t *testing.T, s *simulator.Server) {
		on(t, s, "per_minute_limit=3")
		for range 3 {
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		}
		wantCode(t, list(t, s, created(1, 2, 10, "")), 45011)
		time.Sleep(time.Minute)
		wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
	},
	"per_day_limit": func(t *testing.T, s *simulator.Server) {
		on(t, s, "per_day_limit=2")
		for range 2 {
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		}
		wantCode(t, list(t, s, created(1, 2, 10, "")), 45009)
		// The bubble's clock starts at 08:00 in Shanghai.
		time.Sleep(16*time.Hour - time.Second)
		wantCode(t, list(t, s, created(1, 2, 10, "")), 45009)
		time.Sleep(time.Second)
		wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
	},
	"token_ttl": func(t *testing.T, s *simulator.Server) {
		if got := plain(t, s).ExpiresIn; got != 7200 {
			t.Errorf("off: %d s", got)
		}
		on(t, s, "token_ttl=10m")
		r := plain(t, s)
		if r.ExpiresIn != 600 {
			t.Errorf("on: %d s", r.ExpiresIn)
		}
		time.Sleep(10*time.Minute - time.Second)
		wantCode(t, listWith(t, s, r.Token), 0)
		time.Sleep(time.Second)
		wantCode(t, listWith(t, s, r.Token), 42001)
	},
	"unknown_errcode": func(t *testing.T, s *simulator.Server) {
		on(t, s, "unknown_errcode=987654")
		wantRawShare(t, s, "unknown_errcode", 1, func(r reply) bool { return r.Errcode == 987654 })
	},
	"unknown_errcode_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "unknown_errcode=987654", "unknown_errcode_rate=0.5")
		wantRaw(t, s, "unknown_errcode_rate", func(r reply) bool { return r.Errcode == 987654 })
	},
}
