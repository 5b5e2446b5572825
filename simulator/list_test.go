package simulator_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

var timeless time.Time

// Valid parameters of a list call, and the errcode for invalid ones.
func TestListValidation(t *testing.T) {
	const good = `"create_time_range":{"start_time":946681200,"end_time":946684799}`
	cases := []struct {
		name, body string
		code       int
		violation  string
	}{
		{"smallest", `{` + good + `}`, 0, ""},
		{"empty key", `{` + good + `,"next_key":""}`, 0, ""},
		{"all filters", `{` + good + `,"status":20,"openid":"o1","page_size":100}`, 0, ""},
		{"nulls", `{` + good + `,"status":null,"openid":null,"page_size":null,"next_key":null}`, 0, ""},
		{"unknown field", `{` + good + `,"x":[1]}`, 0, ""},
		{"update range", `{"update_time_range":{"start_time":1,"end_time":1}}`, 0, ""},
		{"seven days", `{"create_time_range":{"start_time":0,"end_time":604800}}`, 0, ""},
		{"nothing", ``, 44002, ""},
		{"no JSON", `{`, 47001, "not_json"},
		{"array", `[]`, 47001, "not_json"},
		{"null", `null`, 47001, "not_json"},
		{"trailing", `{} {}`, 47001, "not_json"},
		{"form", `page_size=1`, 47001, "not_json"},
		{"range is text", `{"create_time_range":"today"}`, 47001, "wrong_type"},
		{"range is list", `{"create_time_range":[1,2]}`, 47001, "wrong_type"},
		{"start is text", `{"create_time_range":{"start_time":"1","end_time":2}}`, 47001, "wrong_type"},
		{"start is a fraction", `{"create_time_range":{"start_time":1.5,"end_time":2}}`, 47001, "wrong_type"},
		{"start is huge", `{"create_time_range":{"start_time":99999999999999999999,"end_time":2}}`, 47001, "wrong_type"},
		{"status is text", `{` + good + `,"status":"20"}`, 47001, "wrong_type"},
		{"openid is a number", `{` + good + `,"openid":1}`, 47001, "wrong_type"},
		{"page_size is text", `{` + good + `,"page_size":"10"}`, 47001, "wrong_type"},
		{"next_key is a number", `{` + good + `,"next_key":10}`, 47001, "wrong_type"},
		{"type goes before value", `{"create_time_range":{"start_time":1},"status":"20"}`, 47001, "wrong_type"},
		{"no range", `{"page_size":10}`, 40097, "no_range"},
		{"names are exact", `{"Create_Time_Range":{"start_time":1,"end_time":2}}`, 40097, "no_range"},
		{"half a range", `{"create_time_range":{"start_time":1}}`, 40097, "half_range"},
		{"null end", `{"create_time_range":{"start_time":1,"end_time":null}}`, 40097, "half_range"},
		{"backwards", `{"create_time_range":{"start_time":2,"end_time":1}}`, 40097, "range_order"},
		{"negative", `{"create_time_range":{"start_time":-2,"end_time":1}}`, 40097, "range_order"},
		{"overflow", `{"create_time_range":{"start_time":-9223372036854775808,"end_time":9223372036854775807}}`, 40097, "range_order"},
		{"too long", `{"create_time_range":{"start_time":0,"end_time":604801}}`, 40097, "span"},
		{"too long both", `{` + good + `,"update_time_range":{"start_time":0,"end_time":604801}}`, 40097, "span"},
		{"page of 0", `{` + good + `,"page_size":0}`, 40097, "page_size"},
		{"page of 101", `{` + good + `,"page_size":101}`, 40097, "page_size"},
		{"made-up key", `{` + good + `,"next_key":"10"}`, 606006, "next_key_unknown"},
		{"too large", `{` + good + `,"x":"` + strings.Repeat("x", 1<<20) + `"}`, 45002, ""},
	}
	rid := regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := shop(hundred, simulator.Live{}, simulator.Faults{})
			r := list(t, s, c.body)
			wantCode(t, r, c.code)
			if got := r.header.Get("Content-Type"); got != "application/json; encoding=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if c.code == 0 && r.Errmsg != "ok" || c.code != 0 && !rid.MatchString(r.Errmsg) {
				t.Errorf("errmsg %q", r.Errmsg)
			}
			if got := s.Stats().Violations[c.violation]; c.violation != "" && got != 1 {
				t.Errorf("violations: %v", s.Stats().Violations)
			}
		})
	}
}

func TestCallsThatAreNoListCalls(t *testing.T) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{})
	body := created(1, 2, 10, "")
	wantCode(t, call(t, s, "GET", listPath+"?access_token="+token, ""), 43002)
	wantCode(t, call(t, s, "POST", listPath, body), 41001)
	wantCode(t, call(t, s, "POST", listPath+"?access_token=nobodys", body), 40001)
	wantCode(t, call(t, s, "POST", "/channels/ec/order/list/got?access_token="+token, body), 40066)
	wantCode(t, call(t, s, "GET", "/", ""), 40066)
	want := map[string]int{"43002": 1, "41001": 1, "40001": 1}
	if got := s.Stats().Calls[listPath]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("calls: %v, want %v", got, want)
	}
	if got := s.Stats().Calls["other"]; got["40066"] != 2 {
		t.Errorf("other calls: %v", got)
	}
}

// The gateway requires a Content-Length, which only a real connection can lack.
func TestContentLengthIsNeeded(t *testing.T) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	target := srv.URL + listPath + "?access_token=" + token
	post := func(body io.Reader) (int, string) {
		res, err := http.Post(target, "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, _ := post(io.MultiReader(strings.NewReader(created(1, 2, 10, "")))); status != 412 {
		t.Errorf("a chunked body: HTTP %d, want 412", status)
	}
	if status, text := post(strings.NewReader(created(1, 2, 10, ""))); status != 200 || !strings.Contains(text, `"errcode":0`) {
		t.Errorf("a body of known length: HTTP %d %s", status, text)
	}
	if status, text := post(http.NoBody); status != 200 || !strings.Contains(text, `"errcode":44002`) {
		t.Errorf("no body, Content-Length 0: HTTP %d %s", status, text)
	}
	if s.Stats().Violations["content_length"] != 1 {
		t.Errorf("violations: %v", s.Stats().Violations)
	}
}

// A next_key is bound to all other parameters of its call.
func TestNextKeyIsBoundToItsParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		from, to := hundred.From, hundred.To
		first := list(t, s, created(from, to, 10, ""))
		key := first.next()
		for _, other := range []string{
			created(from, to-1, 10, key),
			created(from+1, to, 10, key),
			created(from, to, 11, key),
			ask("update_time_range", from, to, 10, key),
			strings.Replace(created(from, to, 10, key), "{", `{"status":20,`, 1),
			strings.Replace(created(from, to, 10, key), "{", `{"openid":"o1",`, 1),
			created(from, to, 10, key[:len(key)-1]),
			created(from, to, 10, "A"+key[1:]),
		} {
			r := list(t, s, other)
			wantCode(t, r, 606006)
			if !strings.HasPrefix(r.Errmsg, ", next_key") {
				t.Errorf("errmsg %q", r.Errmsg)
			}
		}
		if got := s.Stats().Violations; got["next_key_parameters"] != 6 || got["next_key_unknown"] != 2 {
			t.Errorf("violations: %v", got)
		}
		// A default value given explicitly is the same parameter.
		again := list(t, s, fmt.Sprintf(`{"create_time_range":{"start_time":%d,"end_time":%d},"next_key":%q}`, from, to, key))
		wantCode(t, again, 0)
		if slices.Equal(again.ids(t), first.ids(t)) || len(again.ids(t)) != 10 {
			t.Errorf("second page: %v", again.ids(t))
		}
	})
}

// All pages together list every order once, for any window, page size and order,
// whether ends are included or not.
func TestPagesAreComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(5, 6))
		backlog := simulator.Backlog{
			Orders: 3000, From: epoch - 86400, To: epoch - 1, Bursts: 3, BurstSize: 150,
			Changes: 1.5, ChangeWithin: 6 * time.Hour,
		}
		s := shop(backlog, simulator.Live{}, simulator.Faults{})
		orders := s.Orders(appID, timeless)
		for i := range 200 {
			f := simulator.Faults{
				EndExclusive:        i%2 == 0,
				StartExclusive:      i%4/2 == 0,
				Order:               []string{"asc", "desc", "unstable"}[i%3],
				OffsetKeys:          i%5 == 0,
				RepeatIDAcrossPages: i%7 == 0,
				EmptyPageRate:       []float64{0, 0.3}[i%4/2],
				IDsAsNumber:         i%11 == 0,
				KeyOnLastPage:       []string{"", "absent", "non-empty"}[i/3%3],
				OrderIDList:         []string{"", "null", "absent"}[i/5%3],
			}
			s.SetFaults(f)
			from := backlog.From + rnd.Int64N(86400)
			to := from + rnd.Int64N(7200)*int64(i%10)/9
			size := 1 + rnd.IntN(100)
			rangeName := []string{"create_time_range", "update_time_range"}[rnd.IntN(2)]
			got := walk(t, s, rangeName, from, to, size)
			if f.RepeatIDAcrossPages {
				slices.Sort(got)
				got = slices.Compact(got)
			}
			var want []string
			for _, o := range orders {
				at := o.Created
				if rangeName == "update_time_range" {
					at = o.Updated
				}
				if at >= from && at <= to && !(f.EndExclusive && at == to) && !(f.StartExclusive && at == from) {
					want = append(want, o.ID)
				}
			}
			wantSame(t, got, want)
			if t.Failed() {
				t.Fatalf("round %d: %s %d-%d, pages of %d, %+v", i, rangeName, from, to, size, f)
			}
		}
	})
}

// Filters select orders, and pages of a filtered list are full.
func TestFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{Orders: 2000, From: epoch - 3600, To: epoch - 1}, simulator.Live{}, simulator.Faults{})
		buyer := s.Orders(appID, timeless)[7].OpenID
		if err := s.Add(appID, simulator.Order{ID: "1234567890123456789", Created: epoch - 10, OpenID: "o-mine", Status: 31}); err != nil {
			t.Fatal(err)
		}
		for filter, holds := range map[string]func(simulator.Order) bool{
			`"status":20`:                     func(o simulator.Order) bool { return o.Status == 20 },
			`"status":31`:                     func(o simulator.Order) bool { return o.Status == 31 },
			`"status":999`:                    func(o simulator.Order) bool { return false },
			`"openid":"` + buyer + `"`:        func(o simulator.Order) bool { return o.OpenID == buyer },
			`"openid":"o-mine","status":31`:   func(o simulator.Order) bool { return o.OpenID == "o-mine" },
			`"openid":"o-nobody"`:             func(o simulator.Order) bool { return false },
			`"openid":"` + buyer + `x"`:       func(o simulator.Order) bool { return false },
			`"openid":"","status":null,"x":1`: func(o simulator.Order) bool { return true },
		} {
			var got []string
			for key, more := "", true; more; {
				body := strings.Replace(created(epoch-3600, epoch-1, 7, key), "{", "{"+filter+",", 1)
				r := list(t, s, body)
				wantCode(t, r, 0)
				if r.HasMore && len(r.ids(t)) != 7 {
					t.Errorf("%s: a page of %d in the middle", filter, len(r.ids(t)))
				}
				got = append(got, r.ids(t)...)
				key, more = r.next(), r.HasMore
			}
			wantSame(t, got, truth(s, holds))
		}
	})
}

func TestDefaultPageSizeIsTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		r := list(t, s, fmt.Sprintf(`{"create_time_range":{"start_time":%d,"end_time":%d}}`, hundred.From, hundred.To))
		if got := len(r.ids(t)); got != 10 || !r.HasMore {
			t.Errorf("a page of %d, has_more %v", got, r.HasMore)
		}
	})
}

// The same seed and the same calls give the same answers, byte for byte, and a
// next_key outlives the server that issued it.
func TestSameSeedSameAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := simulator.Chaos(1)
		f.ResetRate, f.TimeoutRate, f.SlowRate = 0, 0, 0 // a delay of the first server would make the second later
		live := simulator.Live{Rate: 3, Since: epoch - 1000, Changes: 2, ChangeWithin: 5 * time.Minute}
		backlog := hundred
		backlog.Changes = 2
		first, second := shop(backlog, live, f), shop(backlog, live, f)
		keys, other := "", false
		for i := range 400 {
			body := created(epoch-3600, epoch+int64(i), 10, "")
			if i%2 == 1 {
				body = created(epoch-3600, epoch+int64(i)-1, 10, keys)
			}
			a, b := list(t, first, body), list(t, second, body)
			if a.raw != b.raw || a.http != b.http {
				t.Fatalf("call %d: %s\nand %s", i, a.raw, b.raw)
			}
			keys = a.next()
			time.Sleep(time.Second)
		}
		first.SetFaults(simulator.Faults{})
		third := shop(backlog, live, simulator.Faults{})
		key := list(t, first, created(epoch-3600, epoch+300, 10, "")).next()
		a, b := list(t, first, created(epoch-3600, epoch+300, 10, key)), list(t, third, created(epoch-3600, epoch+300, 10, key))
		wantCode(t, b, 0)
		if !slices.Equal(a.ids(t), b.ids(t)) {
			t.Errorf("a shop built again lists other orders: %v and %v", a.ids(t), b.ids(t))
		}
		fourth := simulator.New(simulator.Config{Seed: 43, Shops: []simulator.Shop{{AppID: appID, Token: token, Backlog: hundred}}})
		wantCode(t, list(t, fourth, created(epoch-3600, epoch+300, 10, key)), 606006)
		for i, o := range fourth.Orders(appID, timeless) {
			other = other || o.ID != first.Orders(appID, timeless)[i].ID
		}
		if !other {
			t.Error("another seed gives the same orders")
		}
	})
}

// OnList gets the request and the result.
func TestOnList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []simulator.ListCall
		s := simulator.New(simulator.Config{
			Shops:  []simulator.Shop{{AppID: appID, Token: token, Backlog: hundred}},
			OnList: func(c simulator.ListCall) { calls = append(calls, c) },
		})
		r := list(t, s, created(hundred.From, hundred.To, 7, ""))
		list(t, s, ask("update_time_range", 5, 4, 100, "x"))
		call(t, s, "POST", listPath, "{}")
		s.SetFaults(simulator.Faults{HTTP403: true})
		list(t, s, "{}")
		if len(calls) != 4 {
			t.Fatalf("%d calls reported, want 4", len(calls))
		}
		if c := calls[0]; c.AppID != appID || c.Outcome != "0" || *c.Create != (simulator.Range{Start: hundred.From, End: hundred.To}) ||
			c.Update != nil || c.PageSize != 7 || !c.HasMore || c.Next != r.next() || !slices.Equal(c.OrderIDs, r.ids(t)) {
			t.Errorf("first call: %+v", c)
		}
		if c := calls[1]; c.Outcome != "40097" || c.Update == nil || c.NextKey != "x" || c.PageSize != 100 {
			t.Errorf("second call: %+v", c)
		}
		if c := calls[2]; c.Outcome != "41001" || c.AppID != "" {
			t.Errorf("third call: %+v", c)
		}
		if c := calls[3]; c.Outcome != "http 403" || c.AppID != appID {
			t.Errorf("fourth call: %+v", c)
		}
	})
}
