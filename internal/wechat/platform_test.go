package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	platformSecret = "hush-0+/secret="
	ticket         = "hush-1@@@ticket+1="
	authCode       = "hush-2@@@code+2="
	refreshToken   = "hush-3@@@refresh+3="
	platformToken  = "hush-4+/component="
)

// onPlatform runs story with a platform whose API gives these answers.
func onPlatform(t *testing.T, answers []reply, story func(t *testing.T, p *Platform, w *fixture)) {
	t.Helper()
	inBubble(t, &api{others: answers}, Config{}, func(t *testing.T, w *fixture) {
		secret := func() (string, error) { return platformSecret + "\n", nil }
		story(t, &Platform{Host: w.host, AppID: "wxplatform", Secret: secret}, w)
	})
}

func TestPlatformCallsAtTheWire(t *testing.T) {
	type request struct{ path, query, body string }
	withToken := "component_access_token=" + url.QueryEscape(platformToken)
	const authorization = `"authorizer_access_token":"AT ","expires_in":7200,"authorizer_refresh_token":" RT"`
	for name, test := range map[string]struct {
		call   func(t *testing.T, p *Platform) (any, error)
		answer string
		want   request
		got    any
	}{
		"component token": {
			func(t *testing.T, p *Platform) (any, error) { return p.ComponentToken(t.Context(), ticket) },
			`{"component_access_token":"CT","expires_in":7200}`,
			request{"/cgi-bin/component/api_component_token", "", `{"component_appid":"wxplatform","component_appsecret":"` + platformSecret + `","component_verify_ticket":"` + ticket + `"}`},
			ComponentToken{"CT", 2 * time.Hour}},
		"authorization code": {
			func(t *testing.T, p *Platform) (any, error) {
				return p.QueryAuth(t.Context(), platformToken, authCode)
			},
			`{"authorization_info":{"authorizer_appid":"wx1",` + authorization + `,"func_info":[{"funcscope_category":{"id":131}},{"funcscope_category":{"id":"7"},"confirm_info":{}}]}}`,
			request{"/cgi-bin/component/api_query_auth", withToken, `{"authorization_code":"` + authCode + `","component_appid":"wxplatform"}`},
			Authorization{"wx1", "AT", 2 * time.Hour, "RT", []int{131, 7}}},
		"authorization of nothing": {
			func(t *testing.T, p *Platform) (any, error) {
				return p.QueryAuth(t.Context(), platformToken, authCode)
			},
			`{"authorization_info":{"authorizer_appid":"wx1","func_info":null}}`,
			request{"/cgi-bin/component/api_query_auth", withToken, `{"authorization_code":"` + authCode + `","component_appid":"wxplatform"}`},
			Authorization{"wx1", "", unknownLife, "", nil}},
		"authorizer token": {
			func(t *testing.T, p *Platform) (any, error) {
				return p.AuthorizerToken(t.Context(), platformToken, "wx1", refreshToken)
			},
			`{` + authorization + `}`,
			request{"/cgi-bin/component/api_authorizer_token", withToken, `{"authorizer_appid":"wx1","authorizer_refresh_token":"` + refreshToken + `","component_appid":"wxplatform"}`},
			Authorization{"wx1", "AT", 2 * time.Hour, "RT", nil}},
		"authorizer token without another refresh token": {
			func(t *testing.T, p *Platform) (any, error) {
				return p.AuthorizerToken(t.Context(), platformToken, "wx1", refreshToken)
			},
			`{"authorizer_access_token":"AT","expires_in":"600"}`,
			request{"/cgi-bin/component/api_authorizer_token", withToken, `{"authorizer_appid":"wx1","authorizer_refresh_token":"` + refreshToken + `","component_appid":"wxplatform"}`},
			Authorization{"wx1", "AT", 10 * time.Minute, refreshToken, nil}},
		"tickets": {
			func(t *testing.T, p *Platform) (any, error) { return nil, p.StartTicketPush(t.Context()) },
			`{"errcode":0,"errmsg":"ok"}`,
			request{"/cgi-bin/component/api_start_push_ticket", "", `{"component_appid":"wxplatform","component_secret":"` + platformSecret + `"}`},
			nil},
		"authorizers": {
			func(t *testing.T, p *Platform) (any, error) { return p.Authorizers(t.Context(), platformToken) },
			`{"total_count":2,"list":[{"authorizer_appid":"wx1","refresh_token":"RT1","auth_time":1558000607},{"authorizer_appid":"wx2","refresh_token":"RT2"}]}`,
			request{"/cgi-bin/component/api_get_authorizer_list", withToken, `{"component_appid":"wxplatform","count":500,"offset":0}`},
			[]Authorizer{{"wx1", "RT1", time.Unix(1558000607, 0)}, {"wx2", "RT2", time.Time{}}}},
		"no authorizers": {
			func(t *testing.T, p *Platform) (any, error) { return p.Authorizers(t.Context(), platformToken) },
			`{"total_count":0,"list":[]}`,
			request{"/cgi-bin/component/api_get_authorizer_list", withToken, `{"component_appid":"wxplatform","count":500,"offset":0}`},
			[]Authorizer(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			onPlatform(t, []reply{{body: test.answer}}, func(t *testing.T, p *Platform, w *fixture) {
				got, err := test.call(t, p)
				if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.got) {
					t.Errorf("got %+v, %v\nwant %+v", got, err, test.got)
				}
				calls := w.api.seen()
				if len(calls) != 1 {
					t.Fatalf("%d calls", len(calls))
				}
				equal(t, "request", request{calls[0].path, calls[0].query, calls[0].body}, test.want)
			})
		})
	}
}

// An answer with a token is taken whatever it has for a lifetime: it may have replaced the
// refresh token, and refusing it would ask for another one again and again.
func TestPlatformTokensWithoutALifetime(t *testing.T) {
	for _, life := range []string{``, `,"expires_in":null`, `,"expires_in":"soon"`, `,"expires_in":7200.5`, `,"expires_in":{}`, `,"expires_in":0`, `,"expires_in":-1`, `,"expires_in":1e30`} {
		t.Run(life, func(t *testing.T) {
			onPlatform(t, []reply{
				{body: `{"component_access_token":"CT"` + life + `}`},
				{body: `{"authorizer_access_token":"AT","authorizer_refresh_token":"RT"` + life + `}`},
				{body: `{"authorization_info":{"authorizer_appid":"wx1","authorizer_access_token":"AT","authorizer_refresh_token":"RT"` + life + `}}`},
			}, func(t *testing.T, p *Platform, _ *fixture) {
				own, err := p.ComponentToken(t.Context(), ticket)
				if err != nil || own != (ComponentToken{"CT", unknownLife}) {
					t.Errorf("%+v, %v", own, err)
				}
				renewed, err := p.AuthorizerToken(t.Context(), platformToken, "wx1", refreshToken)
				if err != nil || renewed.RefreshToken != "RT" || renewed.Life != unknownLife {
					t.Errorf("%+v, %v", renewed, err)
				}
				first, err := p.QueryAuth(t.Context(), platformToken, authCode)
				if err != nil || first.RefreshToken != "RT" || first.Life != unknownLife {
					t.Errorf("%+v, %v", first, err)
				}
			})
		})
	}
}

// The list comes in pages, and shops that leave meanwhile shift the others.
func TestAuthorizersOfManyPages(t *testing.T) {
	page := func(total, from, to int) reply {
		type shop struct {
			AppID string `json:"authorizer_appid"`
			Token string `json:"refresh_token"`
		}
		list := []shop{}
		for i := from; i < to; i++ {
			list = append(list, shop{fmt.Sprint("wx", i), fmt.Sprint("RT", i)})
		}
		text, _ := json.Marshal(map[string]any{"total_count": total, "list": list})
		return reply{body: string(text)}
	}
	onPlatform(t, []reply{page(1200, 0, 500), page(1200, 499, 999), page(1199, 999, 1200)}, func(t *testing.T, p *Platform, w *fixture) {
		got, err := p.Authorizers(t.Context(), platformToken)
		if err != nil || len(got) != 1200 || got[1199] != (Authorizer{AppID: "wx1199", RefreshToken: "RT1199"}) {
			t.Fatalf("%d authorizers, %v", len(got), err)
		}
		for i, c := range w.api.seen() {
			equal(t, "body", c.body, fmt.Sprintf(`{"component_appid":"wxplatform","count":500,"offset":%d}`, i*499))
		}
	})
	// An API that gives one shop a page is read, too.
	onPlatform(t, []reply{page(3, 0, 1), page(3, 1, 2), page(3, 2, 3)}, func(t *testing.T, p *Platform, _ *fixture) {
		if all, whole, err := p.AuthorizersWhole(t.Context(), platformToken); err != nil || len(all) != 3 || whole {
			t.Errorf("%d shops, whole %v, %v", len(all), whole, err)
		}
	})
	// A list whose pages only repeat is not read to its end.
	onPlatform(t, []reply{page(600, 0, 100), page(600, 100, 200), page(600, 0, 200), page(600, 0, 200)}, func(t *testing.T, p *Platform, w *fixture) {
		_, err := p.Authorizers(t.Context(), platformToken)
		wantClass(t, err, Retry, 0)
		equal(t, "calls", len(w.api.seen()), 3)
	})
	// An empty page although there is more does not end the list, nor does a page that
	// has lost most shops or lacks fields.
	for _, second := range []reply{page(600, 0, 0), page(0, 0, 0), page(0, 500, 510), {body: `{"total_count":500}`}, {body: `{"errcode":0,"errmsg":"ok"}`},
		{body: `{"total_count":500,"list":null}`}, {body: `{"total_count":501,"list":[{"authorizer_appid":"wx500"}]}`}, {body: `{"total_count":501,"list":[{"refresh_token":"RT"}]}`}} {
		onPlatform(t, []reply{page(600, 0, 500), second}, func(t *testing.T, p *Platform, w *fixture) {
			all, err := p.Authorizers(t.Context(), platformToken)
			if err == nil {
				t.Errorf("%s: %d shops", second.body, len(all))
			}
			wantClass(t, err, Retry, 0)
		})
	}
}

// platformCalls lists all calls of a platform, and whether they send its secret.
var platformCalls = map[string]struct {
	bySecret bool
	call     func(t *testing.T, p *Platform) error
}{
	"component token": {true, func(t *testing.T, p *Platform) error {
		_, err := p.ComponentToken(t.Context(), ticket)
		return err
	}},
	"tickets": {true, func(t *testing.T, p *Platform) error { return p.StartTicketPush(t.Context()) }},
	"authorization code": {false, func(t *testing.T, p *Platform) error {
		_, err := p.QueryAuth(t.Context(), platformToken, authCode)
		return err
	}},
	"authorizer token": {false, func(t *testing.T, p *Platform) error {
		_, err := p.AuthorizerToken(t.Context(), platformToken, "wx1", refreshToken)
		return err
	}},
	"authorizers": {false, func(t *testing.T, p *Platform) error {
		_, err := p.Authorizers(t.Context(), platformToken)
		return err
	}},
}

// Each call makes one attempt, and its error says what to do.
func TestErrorsOfPlatformCalls(t *testing.T) {
	for name, c := range platformCalls {
		t.Run(name, func(t *testing.T) {
			for n, want := range map[int]Class{
				-1: Retry, 40013: Stop, 40125: Stop, 41002: Stop, 45009: Quota, 45011: Throttled, 40164: Wait, 48001: Wait,
				61003: Wait, 61004: Wait, 61005: Wait, 61006: Wait, 61007: Wait, 61009: Wait, 61010: Wait, 61011: Stop, 61016: Wait,
				61023: Wait, 40001: Token, 40014: Token, 42001: Token, 31042: Stop, 606006: Stop, 10020050: Stop,
			} {
				if want == Token && c.bySecret {
					want = Stop
				}
				onPlatform(t, []reply{code(n)}, func(t *testing.T, p *Platform, w *fixture) {
					err := c.call(t, p)
					wantClass(t, err, want, n)
					equal(t, "calls", len(w.api.seen()), 1)
					if hint := err.(*Error).Hint; strings.Contains(hint, "of this shop") || strings.Contains(hint, "the shop's whitelist") {
						t.Errorf("errcode %d: the hint is about a shop: %v", n, err)
					}
				})
			}
			for text, bad := range map[string]reply{
				"bad_body": {body: "<html>"}, "http_502": {status: 502, body: "{"}, "reset": {reset: true}, "timeout": {hang: true}, "http_403": {status: 403},
			} {
				onPlatform(t, []reply{bad}, func(t *testing.T, p *Platform, w *fixture) {
					equal(t, "result", Result(c.call(t, p)), text)
					equal(t, "calls", len(w.api.seen()), 1)
				})
			}
			for _, body := range []string{`{"errcode":{}}`, `{"errmsg":7}`, `[]`, `""`, ``} {
				onPlatform(t, []reply{{status: 200, body: body}}, func(t *testing.T, p *Platform, w *fixture) {
					wantClass(t, c.call(t, p), Retry, 0)
				})
			}
			if name == "tickets" {
				return
			}
			for _, body := range []string{`{}`, `{"errcode":0}`, `{"authorization_info":[],"component_access_token":{},"authorizer_access_token":[],"list":7}`, `{"total_count":3,"list":null}`} {
				onPlatform(t, []reply{{body: body}}, func(t *testing.T, p *Platform, w *fixture) {
					wantClass(t, c.call(t, p), Retry, 0)
				})
			}
		})
	}
	equal(t, "no error", Result(nil), "ok")
	equal(t, "another error", Result(errors.New("x")), "error")
}

func TestPlatformThatCannotWork(t *testing.T) {
	fine := func() (string, error) { return "s", nil }
	for name, p := range map[string]*Platform{
		"no host":   {AppID: "wx1", Secret: fine},
		"bad host":  {AppID: "wx1", Secret: fine, Host: &Host{URL: "api"}},
		"no app ID": {Secret: fine, Host: &Host{}},
		"no secret": {AppID: "wx1", Host: &Host{}},
	} {
		t.Run(name, func(t *testing.T) {
			wantClass(t, p.StartTicketPush(t.Context()), Stop, 0)
		})
	}
	wantClass(t, platformCalls["authorizers"].call(t, &Platform{}), Stop, 0)
	for _, bad := range []error{nil, &fs.PathError{Op: "open", Path: "/secret", Err: fs.ErrNotExist}} {
		p := &Platform{Host: &Host{}, AppID: "wx1", Secret: func() (string, error) { return " ", bad }}
		_, err := p.ComponentToken(t.Context(), "T")
		wantClass(t, err, Wait, 0)
	}
}
