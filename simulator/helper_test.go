package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"orderwalk/simulator"
)

const (
	listPath = "/channels/ec/order/list/get"
	appID    = "wx0000000000000001"
	secret   = "not-so-secret"
	token    = "static-token"
	// epoch is the start of a synctest bubble's clock.
	epoch = 946684800
)

// reply is an answer as a client sees it.
type reply struct {
	http    int
	header  http.Header
	raw     string
	aborted bool // the connection broke

	Errcode   int             `json:"errcode"`
	Errmsg    string          `json:"errmsg"`
	List      json.RawMessage `json:"order_id_list"`
	Next      *string         `json:"next_key"`
	HasMore   bool            `json:"has_more"`
	Token     string          `json:"access_token"`
	ExpiresIn int             `json:"expires_in"`
	Quota     struct {
		Limit  int `json:"daily_limit"`
		Used   int `json:"used"`
		Remain int `json:"remain"`
	} `json:"quota"`
	notJSON bool
}

// ids decodes order_id_list in any of its forms.
func (r reply) ids(t testing.TB) []string {
	t.Helper()
	var raw []json.RawMessage
	if r.List != nil {
		if err := json.Unmarshal(r.List, &raw); err != nil {
			t.Fatalf("order_id_list %s: %v", r.List, err)
		}
	}
	var ids []string
	for _, id := range raw {
		ids = append(ids, strings.Trim(string(id), `"`))
	}
	return ids
}

func (r reply) next() string {
	if r.Next == nil {
		return ""
	}
	return *r.Next
}

// call makes one call without a network.
func call(t testing.TB, s http.Handler, method, target, body string) (r reply) {
	t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return do(t, s, req)
}

func do(t testing.TB, s http.Handler, req *http.Request) (r reply) {
	t.Helper()
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					panic(p)
				}
				r.aborted = true
			}
		}()
		s.ServeHTTP(w, req)
	}()
	r.http, r.header, r.raw = w.Code, w.Header(), w.Body.String()
	r.notJSON = json.Unmarshal(w.Body.Bytes(), &r) != nil
	return r
}

func list(t testing.TB, s http.Handler, body string) reply {
	t.Helper()
	return call(t, s, "POST", listPath+"?access_token="+token, body)
}

// ask returns a list call's body.
func ask(rangeName string, from, to int64, size int, nextKey string) string {
	return fmt.Sprintf(`{%q:{"start_time":%d,"end_time":%d},"page_size":%d,"next_key":%q}`, rangeName, from, to, size, nextKey)
}

func created(from, to int64, size int, nextKey string) string {
	return ask("create_time_range", from, to, size, nextKey)
}

// pages reads a range to its end; any error fails the test.
func pages(t testing.TB, s http.Handler, rangeName string, from, to int64, size int) [][]string {
	t.Helper()
	var all [][]string
	key := ""
	for range 100000 {
		r := list(t, s, ask(rangeName, from, to, size, key))
		if r.Errcode != 0 || r.notJSON {
			t.Fatalf("list %s %d-%d: %s", rangeName, from, to, r.raw)
		}
		all = append(all, r.ids(t))
		if !r.HasMore {
			return all
		}
		key = r.next()
	}
	t.Fatal("the pages have no end")
	return nil
}

func walk(t testing.TB, s http.Handler, rangeName string, from, to int64, size int) []string {
	t.Helper()
	return slices.Concat(pages(t, s, rangeName, from, to, size)...)
}

// shop returns a server with one shop, with this backlog and these faults.
func shop(backlog simulator.Backlog, live simulator.Live, faults simulator.Faults) *simulator.Server {
	return simulator.New(simulator.Config{
		Seed:   42,
		Shops:  []simulator.Shop{{AppID: appID, Secret: secret, Token: token, Backlog: backlog, Live: live}},
		Faults: faults,
	})
}

// hundred is a backlog of 100 orders in the hour before a bubble begins.
var hundred = simulator.Backlog{Orders: 100, From: epoch - 3600, To: epoch - 1}

func wantCode(t testing.TB, r reply, code int) {
	t.Helper()
	if r.Errcode != code || r.notJSON || r.http != 200 {
		t.Errorf("got HTTP %d %s, want errcode %d", r.http, r.raw, code)
	}
}

func sorted(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids
}

func wantSame(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("got %d IDs, want %d others", len(got), len(want))
	}
}

// truth returns the IDs of the orders for which a condition holds.
func truth(s *simulator.Server, holds func(simulator.Order) bool) []string {
	var ids []string
	for _, o := range s.Orders(appID, timeless) {
		if holds(o) {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
