package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// switchTests has one entry for each switch: what it does, and that it does
// not when it is off. Each runs in a bubble of its own.
var switchTests = map[string]func(t *testing.T, s *simulator.Server){
	"null_range": func(t *testing.T, s *simulator.Server) {
		body := strings.Replace(created(epoch-3600, epoch, 10, ""), "{", `{"update_time_range":null,`, 1)
		wantCode(t, list(t, s, body), 0)
		on(t, s, "null_range=reject")
		wantCode(t, list(t, s, body), 40097)
		if s.Stats().Violations["null_range"] != 2 {
			t.Error("not counted")
		}
	},
	"both_ranges": func(t *testing.T, s *simulator.Server) {
		id := s.Orders(appID, timeless)[50].ID
		if err := s.Update(appID, id, epoch-1, 30); err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"create_time_range":{"start_time":%d,"end_time":%d},"update_time_range":{"start_time":%d,"end_time":%d},"page_size":100}`,
			epoch-3600, epoch-2, epoch-1, epoch)
		if got := list(t, s, body).ids(t); !slices.Equal(got, []string{id}) {
			t.Errorf("and: %v", got)
		}
		on(t, s, "both_ranges=empty")
		if r := list(t, s, body); len(r.ids(t)) != 0 || r.Errcode != 0 || r.HasMore {
			t.Errorf("empty: %s", r.raw)
		}
		on(t, s, "both_ranges=40097")
		wantCode(t, list(t, s, body), 40097)
	},
	"end_exclusive": func(t *testing.T, s *simulator.Server) {
		orders := s.Orders(appID, timeless)
		last := orders[len(orders)-1]
		body := created(last.Created, last.Created, 10, "")
		if got := list(t, s, body).ids(t); !slices.Contains(got, last.ID) {
			t.Errorf("inclusive: %v", got)
		}
		on(t, s, "end_exclusive")
		if got := list(t, s, body).ids(t); len(got) != 0 {
			t.Errorf("exclusive: %v", got)
		}
		if got := list(t, s, created(last.Created, last.Created+1, 10, "")).ids(t); !slices.Contains(got, last.ID) {
			t.Errorf("exclusive, a second later: %v", got)
		}
	},
	"max_span_exact": func(t *testing.T, s *simulator.Server) {
		wantCode(t, list(t, s, created(epoch-604800, epoch, 10, "")), 0)
		on(t, s, "max_span_exact=deny")
		wantCode(t, list(t, s, created(epoch-604800, epoch, 10, "")), 40097)
		wantCode(t, list(t, s, created(epoch-604799, epoch, 10, "")), 0)
	},
	"key_ttl": func(t *testing.T, s *simulator.Server) {
		on(t, s, "key_ttl=1m")
		key := list(t, s, created(epoch-3600, epoch, 10, "")).next()
		time.Sleep(time.Minute)
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, key)), 0)
		time.Sleep(time.Second)
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, key)), 606006)
		wantTook(t, s, "key_ttl", 1)
	},
	"single_use_key": func(t *testing.T, s *simulator.Server) {
		key := list(t, s, created(epoch-3600, epoch, 10, "")).next()
		on(t, s, "single_use_key")
		r := list(t, s, created(epoch-3600, epoch, 10, key))
		wantCode(t, r, 0)
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, key)), 606006)
		wantCode(t, list(t, s, created(epoch-3600, epoch, 10, r.next())), 0)
		wantTook(t, s, "single_use_key", 1)
	},
	"random_606006_rate": func(t *testing.T, s *simulator.Server) {
		key := list(t, s, created(epoch-3600, epoch, 10, "")).next()
		on(t, s, "random_606006_rate=0.9")
		refused := 0
		for range 200 {
			wantCode(t, list(t, s, created(epoch-3600, epoch, 10, "")), 0)
			if list(t, s, created(epoch-3600, epoch, 10, key)).Errcode == 606006 {
				refused++
			}
		}
		wantTook(t, s, "random_606006_rate", refused)
		wantShare(t, refused, 200, 0.9)
	},
	"empty_page_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "empty_page_rate=0.5")
		empty, all := 0, pages(t, s, "create_time_range", epoch-3600, epoch, 1)
		for _, p := range all {
			if len(p) == 0 {
				empty++
			}
		}
		wantShare(t, empty, len(all), 0.5)
		wantSame(t, slices.Concat(all...), truth(s, func(simulator.Order) bool { return true }))
	},
	"key_on_last_page": func(t *testing.T, s *simulator.Server) {
		body := created(epoch-3600, epoch, 100, "")
		if r := list(t, s, body); r.Next == nil || *r.Next != "" || r.HasMore {
			t.Errorf("empty: %s", r.raw)
		}
		on(t, s, "key_on_last_page=absent")
		if r := list(t, s, body); r.Next != nil || r.HasMore {
			t.Errorf("absent: %s", r.raw)
		}
		on(t, s, "key_on_last_page=non-empty")
		r := list(t, s, body)
		if r.next() == "" || r.HasMore {
			t.Errorf("non-empty: %s", r.raw)
		}
		if after := list(t, s, created(epoch-3600, epoch, 100, r.next())); len(after.ids(t)) != 0 || after.Errcode != 0 {
			t.Errorf("after the last page: %s", after.raw)
		}
	},
	"order_id_list": func(t *testing.T, s *simulator.Server) {
		body := created(5, 6, 100, "")
		if r := list(t, s, body); string(r.List) != "[]" {
			t.Errorf("empty: %s", r.raw)
		}
		on(t, s, "order_id_list=null")
		if r := list(t, s, body); !strings.Contains(r.raw, `"order_id_list":null`) {
			t.Errorf("null: %s", r.raw)
		}
		on(t, s, "order_id_list=absent")
		if r := list(t, s, body); r.List != nil || r.Errcode != 0 {
			t.Errorf("absent: %s", r.raw)
		}
		if r := list(t, s, created(epoch-3600, epoch, 10, "")); len(r.ids(t)) != 10 {
			t.Errorf("a page with orders: %s", r.raw)
		}
	},
	"ids_as_number": func(t *testing.T, s *simulator.Server) {
		body := created(epoch-3600, epoch, 10, "")
		text := list(t, s, body)
		on(t, s, "ids_as_number")
		number := list(t, s, body)
		if strings.Contains(string(number.List), `"`) || !strings.Contains(string(text.List), `"`) {
			t.Errorf("%s and %s", text.List, number.List)
		}
		wantSame(t, number.ids(t), text.ids(t))
	},
	"order": func(t *testing.T, s *simulator.Server) {
		want := truth(s, func(simulator.Order) bool { return true })
		if got := walk(t, s, "create_time_range", epoch-3600, epoch, 9); !slices.Equal(got, want) {
			t.Error("asc: not by creation")
		}
		on(t, s, "order=desc")
		slices.Reverse(want)
		if got := walk(t, s, "create_time_range", epoch-3600, epoch, 9); !slices.Equal(got, want) {
			t.Error("desc: not by creation, backwards")
		}
		on(t, s, "order=unstable")
		seen := map[string]bool{}
		for range 10 {
			got := walk(t, s, "create_time_range", epoch-3600, epoch, 9)
			wantSame(t, got, want)
			seen[fmt.Sprint(got)] = true
		}
		if len(seen) < 5 {
			t.Errorf("unstable: ten walks in %d orders", len(seen))
		}
	},
	"repeat_id_across_pages": func(t *testing.T, s *simulator.Server) {
		on(t, s, "repeat_id_across_pages")
		all := pages(t, s, "create_time_range", epoch-3600, epoch, 10)
		for i := 1; i < len(all); i++ {
			if all[i][0] != all[i-1][len(all[i-1])-1] || len(all[i]) > 10 {
				t.Fatalf("page %d: %v after %v", i, all[i], all[i-1])
			}
		}
		if got := walk(t, s, "create_time_range", epoch-3600, epoch, 1); len(got) != 100 {
			t.Errorf("pages of one list %d orders", len(got))
		}
	},
	"missing_next_key_rate": func(t *testing.T, s *simulator.Server) {
		on(t, s, "missing_next_key_rate=0.5")
		missing := 0
		for range 200 {
			r := list(t, s, created(epoch-3600, epoch, 10, ""))
			if !r.HasMore {
				t.Fatal(r.raw)
			}
			if r.Next == nil {
				missing++
			}
		}
		wantShare(t, missing, 200, 0.5)
		if r := list(t, s, created(epoch-3600, epoch, 100, "")); r.Next == nil {
			t.Errorf("a last page: %s", r.raw)
		}
	},
	"repeated_next_key_rate": func(t *testing.T, s *simulator.Server) {
		first := list(t, s, created(epoch-3600, epoch, 10, ""))
		on(t, s, "repeated_next_key_rate=0.5")
		repeated := 0
		for range 200 {
			if r := list(t, s, created(epoch-3600, epoch, 10, first.next())); r.next() == first.next() {
				repeated++
			}
		}
		wantShare(t, repeated, 200, 0.5)
	},
	"offset_keys": func(t *testing.T, s *simulator.Server) {
		page := func(offset bool) (second reply, moved, expected string) {
			s.SetFaults(simulator.Faults{OffsetKeys: offset})
			orders := byUpdate(s)
			first := list(t, s, ask("update_time_range", epoch-3600, epoch-1, 10, ""))
			if err := s.Update(appID, first.ids(t)[0], epoch, 30); err != nil { // leaves the range
				t.Fatal(err)
			}
			return list(t, s, ask("update_time_range", epoch-3600, epoch-1, 10, first.next())), orders[10], orders[11]
		}
		if r, eleventh, _ := page(false); r.ids(t)[0] != eleventh {
			t.Errorf("off: the second page is not what followed the first")
		}
		if r, _, twelfth := page(true); r.ids(t)[0] != twelfth {
			t.Errorf("on: the second page has not moved up by one")
		}
	},
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
		srv := httptest.NewServer(s) // what net/http adds can only be seen behind it
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
		// A client that goes is not waited for.
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
		secure := httptest.NewRequest("POST", "https://x"+listPath+"?access_token="+token, strings.NewReader(created(1, 2, 10, "")))
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
		// The bubble begins at 08:00 in Shanghai.
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

func TestEverySwitch(t *testing.T) {
	for _, name := range simulator.FaultNames() {
		if switchTests[name.Name] == nil {
			t.Errorf("no test for %s", name.Name)
		}
	}
	for name, test := range switchTests {
		t.Run(name, func(t *testing.T) {
			if name == "date_absent" || name == "reset_rate" { // about connections, not about time
				test(t, shop(hundred, simulator.Live{}, simulator.Faults{}))
				return
			}
			synctest.Test(t, func(t *testing.T) { test(t, shop(hundred, simulator.Live{}, simulator.Faults{})) })
		})
	}
}

// on switches these faults on and all others off.
func on(t *testing.T, s *simulator.Server, texts ...string) {
	t.Helper()
	var f simulator.Faults
	for _, text := range texts {
		set, err := simulator.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		set(&f)
	}
	s.SetFaults(f)
}

func wantTook(t *testing.T, s *simulator.Server, name string, n int) {
	t.Helper()
	if got := s.Stats().Faults[name]; got != n {
		t.Errorf("%s took effect %d times, want %d", name, got, n)
	}
}

// wantShare wants n of total to be about a share.
func wantShare(t *testing.T, n, total int, share float64) {
	t.Helper()
	if got := float64(n) / float64(total); got < share-0.1 || got > share+0.1 {
		t.Errorf("%d of %d, want a share of %g", n, total, share)
	}
}

// wantRaw wants about half of all list calls to match, and the fault to say so.
func wantRaw(t *testing.T, s *simulator.Server, name string, match func(reply) bool) {
	t.Helper()
	wantRawShare(t, s, name, 0.5, match)
}

func wantRawShare(t *testing.T, s *simulator.Server, name string, share float64, match func(reply) bool) {
	t.Helper()
	matching := 0
	for range 200 {
		r := list(t, s, created(1, 2, 10, ""))
		if match(r) {
			matching++
		} else {
			wantCode(t, r, 0)
		}
	}
	wantTook(t, s, name, matching)
	wantShare(t, matching, 200, share)
}

// wantHeld wants a share of list calls to take as long as this, to the
// nanosecond of a bubble, and the others no time.
func wantHeld(t *testing.T, s *simulator.Server, name string, share float64, hold time.Duration) {
	t.Helper()
	held := 0
	for range 200 {
		began := time.Now()
		wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
		switch time.Since(began) {
		case hold:
			held++
		case 0:
		default:
			t.Fatalf("a call took %s", time.Since(began))
		}
	}
	wantTook(t, s, name, held)
	wantShare(t, held, 200, share)
}

// byUpdate is the order of lists by update time.
func byUpdate(s *simulator.Server) []string {
	orders := s.Orders(appID, timeless)
	slices.SortStableFunc(orders, func(a, b simulator.Order) int { return int(a.Updated - b.Updated) })
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

// Faults that make no sense are not passed over.
func TestFaultsThatMakeNoSense(t *testing.T) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{Order: "random", ResetRate: 2})
	r := list(t, s, created(1, 2, 10, ""))
	if r.http != 500 || !strings.Contains(r.raw, "fault order: want asc|desc|unstable") || !strings.Contains(r.raw, "reset_rate") {
		t.Errorf("HTTP %d %s", r.http, r.raw)
	}
	for _, text := range []string{
		"", "=", "nothing=1", "order=random", "reset_rate=1.1", "reset_rate=-1", "reset_rate=NaN", "reset_rate",
		"key_ttl=5", "key_ttl=-1s", "http_403=maybe", "per_day_limit=many", "whitelist=1", "chaos=2", "chaos=NaN",
	} {
		if _, err := simulator.ParseFault(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Text, JSON and Go values of all switches say the same.
func TestFaultsAsTextAndJSON(t *testing.T) {
	for _, f := range []simulator.Faults{{}, simulator.Chaos(0.5), simulator.AllFaults()} {
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back, fromText simulator.Faults
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if err := json.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		for name, value := range values {
			set, err := simulator.ParseFault(fmt.Sprintf("%s=%v", name, value))
			if err != nil {
				t.Fatal(err)
			}
			set(&fromText)
		}
		if !reflect.DeepEqual(back, f) || !reflect.DeepEqual(fromText, f) {
			t.Errorf("%+v\nas JSON %+v\nas text %+v", f, back, fromText)
		}
	}
	for _, name := range simulator.FaultNames() {
		if name.Meaning == "" || name.Type == "" || strings.ToLower(name.Name) != name.Name {
			t.Errorf("%+v", name)
		}
	}
	var f simulator.Faults
	for _, bad := range []string{`{"nothing":1}`, `{"reset_rate":2}`, `{"order":["asc"]}`, `[]`, `{"http_403":null}`} {
		if json.Unmarshal([]byte(bad), &f) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if f != (simulator.Faults{}) {
		t.Errorf("what was refused has left %+v", f)
	}
}
