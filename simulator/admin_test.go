package simulator_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

func TestAdmin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		get := func(target string, into any) {
			t.Helper()
			r := call(t, s, "GET", "/simulator/"+target, "")
			if err := json.Unmarshal([]byte(r.raw), into); err != nil || r.http != 200 {
				t.Fatalf("%s: HTTP %d %v", target, r.http, err)
			}
		}
		change := func(method, target, body string, status int) {
			t.Helper()
			if r := call(t, s, method, "/simulator/"+target, body); r.http != status {
				t.Errorf("%s %s %s: HTTP %d %s", method, target, body, r.http, r.raw)
			}
		}
		var f simulator.Faults
		want := simulator.Faults{HTTP403: true, KeyTTL: 2 * time.Minute, Order: "desc"}
		change("PUT", "faults", `{"http_403":true,"key_ttl":"1m30s"}`, 200)
		change("PATCH", "faults", `{"key_ttl":"2m","order":"desc"}`, 200)
		if get("faults", &f); f != want || s.Faults() != want {
			t.Errorf("%+v", f)
		}
		change("PUT", "faults", `{"no_such":true}`, 400)
		change("PUT", "faults", `{"order":"random"}`, 400)
		if s.Faults() != want {
			t.Error("a refused change has changed something")
		}
		change("PUT", "faults", `{}`, 200)
		if s.Faults() != (simulator.Faults{}) {
			t.Errorf("%+v", s.Faults())
		}

		change("POST", "orders?app_id="+appID, `{"id":"123","status":20}`, 204)
		change("POST", "orders?app_id="+appID, `{"id":"123"}`, 400)
		change("POST", "orders?app_id=wx9", `{"id":"124"}`, 400)
		change("POST", "orders?app_id="+appID, `{`, 400)
		change("POST", "changes?app_id="+appID, fmt.Sprintf(`{"id":"123","at":%d,"status":30}`, epoch), 204)
		var orders []simulator.Order
		if get("orders?app_id="+appID, &orders); len(orders) != 101 || orders[100].ID != "123" || orders[100].Status != 30 {
			t.Errorf("%d orders", len(orders))
		}
		if get(fmt.Sprintf("orders?app_id=%s&until=%d", appID, epoch-1), &orders); len(orders) != 100 {
			t.Errorf("%d orders until then", len(orders))
		}
		var changes []simulator.Change
		if get(fmt.Sprintf("changes?app_id=%s&from=%d", appID, epoch), &changes); len(changes) != 2 || changes[1].Status != 30 {
			t.Errorf("changes: %+v", changes)
		}
		change("GET", "orders?app_id=wx9", "", 404)
		change("GET", "orders?app_id="+appID+"&until=noon", "", 400)
		change("GET", "nothing", "", 404)
		change("DELETE", "faults", "", 404)

		list(t, s, created(1, 2, 10, ""))
		var stats simulator.Stats
		if get("stats", &stats); stats.Calls[listPath]["0"] != 1 || stats.Shops[appID].ListCalls != 1 {
			t.Errorf("stats: %+v", stats)
		}
	})
}

// The admin calls authorise as a shop's owner would, and show what the vendor would
// push.
func TestAdminOfAuthorizations(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		ask := func(method, target string, status int, into any) {
			t.Helper()
			r := call(t, s, method, "/simulator/"+target, "")
			if r.http != status {
				t.Fatalf("%s %s: HTTP %d %s", method, target, r.http, r.raw)
			}
			if into != nil {
				if err := json.Unmarshal([]byte(r.raw), into); err != nil {
					t.Fatal(err)
				}
			}
		}
		var ticket map[string]string
		if ask("GET", "ticket", 200, &ticket); ticket["component_verify_ticket"] != s.VerifyTicket(time.Now()) {
			t.Errorf("ticket %v", ticket)
		}
		var a simulator.Authorization
		ask("POST", "authorizers?app_id=wx2", 200, &a)
		r := platformCall(t, s, queryAuthPath, componentToken(t, s), map[string]any{"authorization_code": a.Code})
		if r.Info.AppID != "wx2" || a.InfoType != "authorized" {
			t.Errorf("%+v: %s", a, r.raw)
		}
		ask("DELETE", "authorizers?app_id="+appID, 204, nil)
		ask("DELETE", "authorizers?app_id="+appID, 400, nil)
		ask("POST", "authorizers?app_id=wx9", 400, nil)
		var shops []simulator.Authorizer
		if ask("GET", "authorizers", 200, &shops); len(shops) != 1 || shops[0].AppID != "wx2" || shops[0].RefreshToken != r.Info.Refresh {
			t.Errorf("authorizers %+v", shops)
		}
	})
}
