package simulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// pageSwitches has a test for each switch about requests and paging: its effect when
// on, and no effect when off. Each runs in its own bubble.
var pageSwitches = map[string]func(t *testing.T, s *simulator.Server){
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
	"start_exclusive": func(t *testing.T, s *simulator.Server) {
		first := s.Orders(appID, timeless)[0]
		body := created(first.Created, first.Created+1, 10, "")
		if got := list(t, s, body).ids(t); !slices.Contains(got, first.ID) {
			t.Errorf("inclusive: %v", got)
		}
		on(t, s, "start_exclusive")
		if got := list(t, s, body).ids(t); slices.Contains(got, first.ID) {
			t.Errorf("exclusive: %v", got)
		}
		if got := list(t, s, created(first.Created-1, first.Created+1, 10, "")).ids(t); !slices.Contains(got, first.ID) {
			t.Errorf("exclusive, a second earlier: %v", got)
		}
	},
	"point_range": func(t *testing.T, s *simulator.Server) {
		last := s.Orders(appID, timeless)[0]
		body := created(last.Created, last.Created, 10, "")
		if got := list(t, s, body).ids(t); !slices.Contains(got, last.ID) {
			t.Errorf("allowed: %v", got)
		}
		on(t, s, "point_range=empty")
		if got := list(t, s, body).ids(t); len(got) != 0 {
			t.Errorf("empty: %v", got)
		}
		on(t, s, "point_range=40097")
		wantCode(t, list(t, s, body), 40097)
		wantCode(t, list(t, s, created(last.Created-1, last.Created, 10, "")), 0)
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
	"has_more": func(t *testing.T, s *simulator.Server) {
		first, last := created(epoch-3600, epoch, 10, ""), created(5, 6, 10, "")
		for form, want := range map[string][2]string{
			"bool": {`"has_more":true}`, `"has_more":false}`}, "number": {`"has_more":1}`, `"has_more":0}`},
			"text": {`"has_more":"true"}`, `"has_more":"false"}`}, "absent": {`"has_more":true}`, `"next_key":""}`},
		} {
			on(t, s, "has_more="+form)
			for i, body := range []string{first, last} {
				if raw := list(t, s, body).raw; !strings.HasSuffix(raw, want[i]) {
					t.Errorf("%s: %s", form, raw)
				}
			}
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
}
