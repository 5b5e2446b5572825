package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

const (
	componentTokenPath  = "/cgi-bin/component/api_component_token"
	queryAuthPath       = "/cgi-bin/component/api_query_auth"
	authorizerTokenPath = "/cgi-bin/component/api_authorizer_token"
	authorizersPath     = "/cgi-bin/component/api_get_authorizer_list"
	startTicketsPath    = "/cgi-bin/component/api_start_push_ticket"

	thePlatform, theirSecret = "wx000000000platform", "platform-secret"
	firstRefresh             = "refresh-from-the-start"
)

// platformReply is an answer as the platform sees it.
type platformReply struct {
	reply
	platformAnswer
	got granted
}

type platformAnswer struct {
	Component string `json:"component_access_token"`
	Info      struct {
		AppID string `json:"authorizer_appid"`
		granted
		Sets []struct {
			Category struct{ ID int } `json:"funcscope_category"`
		} `json:"func_info"`
	} `json:"authorization_info"`
	Total int `json:"total_count"`
	Shops []struct {
		AppID   string `json:"authorizer_appid"`
		Refresh string `json:"refresh_token"`
		At      int64  `json:"auth_time"`
	} `json:"list"`
}

type granted struct {
	Access   string `json:"authorizer_access_token"`
	Lifetime int    `json:"expires_in"`
	Refresh  string `json:"authorizer_refresh_token"`
}

// platformCall makes a call of the platform.
func platformCall(t testing.TB, s http.Handler, path, componentToken string, body map[string]any) platformReply {
	t.Helper()
	if body["component_appid"] == nil {
		body["component_appid"] = thePlatform
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := platformReply{reply: call(t, s, "POST", path+"?component_access_token="+componentToken, string(text))}
	for _, part := range []any{&r.got, &r.platformAnswer} {
		if err := json.Unmarshal([]byte(r.raw), part); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// componentToken gets a component token with the current ticket.
func componentToken(t testing.TB, s *simulator.Server) string {
	t.Helper()
	r := platformCall(t, s, componentTokenPath, "", map[string]any{
		"component_appsecret": theirSecret, "component_verify_ticket": s.VerifyTicket(time.Now())})
	if r.Component == "" {
		t.Fatal(r.raw)
	}
	return r.Component
}

func authorizerToken(t testing.TB, s *simulator.Server, refresh string) platformReply {
	t.Helper()
	return platformCall(t, s, authorizerTokenPath, componentToken(t, s), map[string]any{
		"authorizer_appid": appID, "authorizer_refresh_token": refresh})
}

// withPlatform returns a server with a platform, one shop that has authorised it and
// two that have not.
func withPlatform(told func(simulator.Authorization)) *simulator.Server {
	return simulator.New(simulator.Config{
		Seed: 42,
		Shops: []simulator.Shop{
			{AppID: appID, Secret: secret, Token: token, Backlog: hundred, RefreshToken: firstRefresh},
			{AppID: "wx2"}, {AppID: "wx3"},
		},
		Platform:        simulator.Platform{AppID: thePlatform, Secret: theirSecret},
		OnAuthorization: told,
	})
}

func onPlatform(t *testing.T, test func(*testing.T, *simulator.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, withPlatform(nil)) })
}

func TestVerifyTickets(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		ask := func(ticket string) platformReply {
			t.Helper()
			return platformCall(t, s, componentTokenPath, "", map[string]any{"component_appsecret": theirSecret, "component_verify_ticket": ticket})
		}
		first := s.VerifyTicket(time.Now())
		time.Sleep(10*time.Minute - time.Nanosecond)
		if s.VerifyTicket(time.Now()) != first {
			t.Error("another ticket within ten minutes")
		}
		time.Sleep(time.Nanosecond)
		if s.VerifyTicket(time.Now()) == first {
			t.Error("the same ticket after ten minutes")
		}
		time.Sleep(11*time.Hour + 50*time.Minute - time.Nanosecond)
		if r := ask(first); r.Component == "" || r.ExpiresIn != 7200 {
			t.Error(r.raw)
		}
		time.Sleep(time.Nanosecond)
		wantCode(t, ask(first).reply, 61005)
		for _, bad := range []string{"", "ticket", "ticket@@@", "ticket@@@!!", "ticket@@@aaaaaaaaaaaa", first + "A", s.VerifyTicket(time.Now().Add(time.Hour))} {
			wantCode(t, ask(bad).reply, 61006)
		}
		if got := s.Stats().Violations["verify_ticket"]; got != 8 {
			t.Errorf("%d wrong tickets", got)
		}
	})
}

// Component tokens are valid for two hours side by side, and only for the platform's
// calls.
func TestComponentTokens(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		list := func(token string) reply {
			t.Helper()
			return platformCall(t, s, authorizersPath, token, map[string]any{"offset": 0, "count": 10}).reply
		}
		first := componentToken(t, s)
		time.Sleep(time.Hour)
		second := componentToken(t, s)
		if first == second {
			t.Error("the same token again")
		}
		wantCode(t, list(first), 0)
		wantCode(t, call(t, s, "POST", authorizersPath+"?access_token="+first, `{"component_appid":"`+thePlatform+`","count":1}`), 0)
		time.Sleep(time.Hour)
		wantCode(t, list(first), 42001)
		wantCode(t, list(second), 0)
		wantCode(t, list("no-token"), 40001)
		wantCode(t, list(""), 41001)
		wantCode(t, list(token), 61014)
		wantCode(t, listWith(t, s, second), 61015)
	})
}

func TestPlatformRefusals(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		ticket := s.VerifyTicket(time.Now())
		for name, test := range map[string]struct {
			path string
			body map[string]any
			code int
		}{
			"another platform": {componentTokenPath, map[string]any{"component_appid": "wx9"}, 40013},
			"no platform":      {componentTokenPath, map[string]any{"component_appid": ""}, 41002},
			"no secret":        {componentTokenPath, map[string]any{"component_verify_ticket": ticket}, 41004},
			"a guess":          {componentTokenPath, map[string]any{"component_verify_ticket": ticket, "component_appsecret": "a-guess"}, 40125},
			"tickets, a guess": {startTicketsPath, map[string]any{"component_secret": "a-guess"}, 40125},
			"tickets":          {startTicketsPath, map[string]any{"component_secret": theirSecret}, 0},
			"wrong type":       {startTicketsPath, map[string]any{"component_secret": 7}, 47001},
			"no code":          {queryAuthPath, map[string]any{"authorization_code": "queryauthcode@@@x"}, 61009},
			"no such shop":     {authorizerTokenPath, map[string]any{"authorizer_appid": "wx9", "authorizer_refresh_token": firstRefresh}, 40013},
			"not authorised":   {authorizerTokenPath, map[string]any{"authorizer_appid": "wx2", "authorizer_refresh_token": firstRefresh}, 61003},
			"wrong token":      {authorizerTokenPath, map[string]any{"authorizer_appid": appID, "authorizer_refresh_token": "x"}, 61023},
			"no refresh token": {authorizerTokenPath, map[string]any{"authorizer_appid": appID}, 61023},
			"no page":          {authorizersPath, map[string]any{"offset": 0}, 40097},
			"too long a page":  {authorizersPath, map[string]any{"offset": 0, "count": 501}, 40097},
			"before the first": {authorizersPath, map[string]any{"offset": -1, "count": 1}, 40097},
		} {
			r := platformCall(t, s, test.path, componentToken(t, s), test.body)
			if r.Errcode != test.code {
				t.Errorf("%s: %s, want %d", name, r.raw, test.code)
			}
		}
		none := shop(hundred, simulator.Live{}, simulator.Faults{})
		wantCode(t, platformCall(t, none, startTicketsPath, "", map[string]any{"component_secret": ""}).reply, 40013)
		if _, err := none.Authorize(appID); err == nil {
			t.Error("a platform that does not exist was authorised")
		}
		if _, err := s.Authorize("wx9"); err == nil {
			t.Error("a shop that does not exist has authorised")
		}
		if s.Revoke("wx2") == nil {
			t.Error("what was not given was taken back")
		}
	})
}

// A code is valid once and for an hour.
func TestAuthorizationCodes(t *testing.T) {
	var told []simulator.Authorization
	synctest.Test(t, func(t *testing.T) {
		s := withPlatform(func(a simulator.Authorization) { told = append(told, a) })
		exchange := func(code string) platformReply {
			t.Helper()
			return platformCall(t, s, queryAuthPath, componentToken(t, s), map[string]any{"authorization_code": code})
		}
		a, err := s.Authorize("wx2")
		if err != nil || a.Expires.Sub(a.At) != time.Hour {
			t.Fatalf("%+v, %v", a, err)
		}
		r := exchange(a.Code)
		var sets []int
		for _, set := range r.Info.Sets {
			sets = append(sets, set.Category.ID)
		}
		if r.Info.AppID != "wx2" || r.Info.Access == "" || r.Info.Lifetime != 7200 || r.Info.Refresh == "" || !slices.Contains(sets, 131) {
			t.Error(r.raw)
		}
		wantCode(t, listWith(t, s, r.Info.Access), 0)
		wantCode(t, exchange(a.Code).reply, 61010)
		a, _ = s.Authorize("wx3")
		time.Sleep(time.Hour)
		wantCode(t, exchange(a.Code).reply, 61010)
		a, _ = s.Authorize("wx3")
		if err := s.Revoke("wx3"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, exchange(a.Code).reply, 61003)
	})
	var types []string
	for _, a := range told {
		types = append(types, a.AppID+" "+a.InfoType)
		if a.Platform != thePlatform || a.At.IsZero() || (a.Code == "") != (a.InfoType == "unauthorized") {
			t.Errorf("%+v", a)
		}
	}
	if want := []string{"wx2 authorized", "wx3 authorized", "wx3 updateauthorized", "wx3 unauthorized"}; !slices.Equal(types, want) {
		t.Errorf("reported %q", types)
	}
}

// A new access token leaves the previous one five minutes; a change by the shop's
// owner ends tokens at once.
func TestAuthorizerTokens(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		first := authorizerToken(t, s, firstRefresh)
		if first.got.Access == "" || first.got.Lifetime != 7200 || first.got.Refresh != firstRefresh {
			t.Fatal(first.raw)
		}
		time.Sleep(time.Hour)
		second := authorizerToken(t, s, firstRefresh)
		time.Sleep(300*time.Second - time.Nanosecond)
		wantCode(t, listWith(t, s, first.got.Access), 0)
		time.Sleep(time.Nanosecond)
		wantCode(t, listWith(t, s, first.got.Access), 40001)
		wantCode(t, listWith(t, s, second.got.Access), 0)
		time.Sleep(2 * time.Hour)
		wantCode(t, listWith(t, s, second.got.Access), 42001)

		third := authorizerToken(t, s, firstRefresh)
		a, err := s.Authorize(appID)
		if err != nil || a.InfoType != "updateauthorized" {
			t.Fatal(a, err)
		}
		wantCode(t, listWith(t, s, third.got.Access), 40001)
		wantCode(t, authorizerToken(t, s, firstRefresh).reply, 61023)
		refresh := s.Authorizers()[0].RefreshToken
		fourth := authorizerToken(t, s, refresh)
		wantCode(t, listWith(t, s, fourth.got.Access), 0)
		if err := s.Revoke(appID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, listWith(t, s, fourth.got.Access), 61003)
		wantCode(t, authorizerToken(t, s, refresh).reply, 61023)
		if n := len(s.Authorizers()); n != 0 {
			t.Errorf("%d authorizers", n)
		}
		if a, _ := s.Authorize(appID); a.InfoType != "authorized" {
			t.Errorf("authorized again: %+v", a)
		}
		wantCode(t, listWith(t, s, fourth.got.Access), 40001)
		// The shop's own tokens are not affected.
		wantCode(t, listWith(t, s, token), 0)
	})
}

func TestAuthorizerList(t *testing.T) {
	var shops []simulator.Shop
	for i := range 700 {
		shops = append(shops, simulator.Shop{AppID: fmt.Sprintf("wx%03d", i), RefreshToken: fmt.Sprint("r", i)})
	}
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Config{Shops: shops, Platform: simulator.Platform{AppID: thePlatform, Secret: theirSecret}})
		if err := s.Revoke("wx001"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, page := range []struct{ offset, shops int }{{0, 500}, {500, 199}, {699, 0}, {5000, 0}} {
			r := platformCall(t, s, authorizersPath, componentToken(t, s), map[string]any{"offset": page.offset, "count": 500})
			if r.Total != 699 || len(r.Shops) != page.shops {
				t.Errorf("at %d: %d of %d", page.offset, len(r.Shops), r.Total)
			}
			for _, shop := range r.Shops {
				got = append(got, shop.AppID+shop.Refresh)
			}
		}
		if len(got) != 699 || got[0] != "wx000r0" || got[1] != "wx002r2" || got[698] != "wx699r699" {
			t.Errorf("%d shops: %v…", len(got), got[:3])
		}
	})
}

// The platform's list calls count against the shop's own quota.
func TestPlatformUsesTheShopsQuota(t *testing.T) {
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		on(t, s, "per_day_limit=2", "per_minute_limit=7")
		access := authorizerToken(t, s, firstRefresh).got.Access
		wantCode(t, listWith(t, s, access), 0)
		wantCode(t, listWith(t, s, token), 0)
		wantCode(t, listWith(t, s, access), 45009)
		r := call(t, s, "POST", "/cgi-bin/openapi/quota/get?access_token="+access, aboutList)
		var limits struct {
			Platform struct {
				Calls int `json:"call_count"`
			} `json:"component_rate_limit"`
		}
		if err := json.Unmarshal([]byte(r.raw), &limits); err != nil || r.Quota.Used != 2 || limits.Platform.Calls != 7 {
			t.Errorf("%s, %v", r.raw, err)
		}
	})
}
