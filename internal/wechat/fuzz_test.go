package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// oneAnswer is a transport that gives the same answer to every call.
type oneAnswer struct {
	status int
	body   string
}

func (a oneAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"application/json"}, "Date": {"Sat, 01 Jan 2000 00:00:00 GMT"}}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body))}, nil
}

// statusOf turns any number into an HTTP status.
func statusOf(n uint16) int { return 200 + int(n%400) }

// FuzzTokenAnswer: any answer of the token call yields a token, an errcode or an
// error.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(`{"access_token":"AT","expires_in":7200}`)
	f.Add(`{"errcode":40125,"errmsg":"invalid appsecret rid: 1-2-3"}`)
	f.Add(`{"errcode":"0","access_token":7,"expires_in":"soon"}`)
	f.Add("\ufeff{\"access_token\":\"\\ud800\",\"expires_in\":-1}")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseTokenResponse(body)
		switch {
		case err != nil && got != (tokenResponse{}):
			t.Fatalf("%q: %+v beside %v", body, got, err)
		case err == nil && (got.code == 0) == (strings.TrimSpace(got.token) == ""):
			t.Fatalf("%q: %+v", body, got)
		case err == nil && !json.Valid(bytes.TrimPrefix([]byte(body), []byte("\ufeff"))):
			t.Fatalf("%q was taken", body)
		}
	})
}

// FuzzQuotaAnswer: any answer of the quota call yields the allowance it contains, or
// an error.
func FuzzQuotaAnswer(f *testing.F) {
	f.Add(`{"errcode":0,"errmsg":"ok","quota":{"daily_limit":1000,"used":5,"remain":995},"rate_limit":{"call_count":3000,"refresh_second":60}}`, uint16(0))
	f.Add(`{"errcode":0,"quota":{"daily_limit":"1000","used":null,"remain":null},"component_rate_limit":{"call_count":-1,"refresh_second":9223372036854775807}}`, uint16(0))
	f.Add(`{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 1-2-3"}`, uint16(0))
	f.Add(`<html>`, uint16(302))
	f.Fuzz(func(t *testing.T, body string, status uint16) {
		c := New(Config{Host: &Host{URL: "http://localhost", Transport: oneAnswer{statusOf(status), body}, Timeout: time.Second}, AppID: "wx1", Auth: AuthStatic, Token: func() (string, error) { return "a token of ours", nil }})
		got, v := c.quota(context.Background(), token{param: "access_token", value: "a token of ours"})
		switch {
		case v == nil && (!strings.Contains(body, "quota") && !strings.Contains(body, `\u`) && !strings.ContainsAny(body, "QUOTA") || statusOf(status) > 299):
			t.Fatalf("HTTP %d %q: %+v", statusOf(status), body, got)
		case v != nil && (v.Error() == "" || got != (Allowance{})):
			t.Fatalf("HTTP %d %q: %+v, %v", statusOf(status), body, got, v)
		case v != nil && v.Class == Token && v.Code == 0:
			t.Fatalf("HTTP %d %q: %v asks for another token", statusOf(status), body, v)
		}
	})
}

// FuzzPlatformAnswer: any answer of the platform's calls yields a complete value or an
// error.
func FuzzPlatformAnswer(f *testing.F) {
	f.Add(`{"component_access_token":"CT","expires_in":7200}`, uint16(0))
	f.Add(`{"authorization_info":{"authorizer_appid":"wx1","authorizer_access_token":"AT","expires_in":7200,"authorizer_refresh_token":"RT","func_info":[{"funcscope_category":{"id":131}}]}}`, uint16(0))
	f.Add(`{"component_access_token":" ","authorizer_access_token":"\t","expires_in":7200}`, uint16(0))
	f.Add(`{"authorizer_access_token":"AT","expires_in":"7200","authorizer_refresh_token":"RT"}`, uint16(0))
	f.Add(`{"total_count":2,"list":[{"authorizer_appid":"wx1","refresh_token":"RT","auth_time":1658505600},{"authorizer_appid":"wx2"}]}`, uint16(0))
	f.Add(`{"total_count":9223372036854775807,"list":[{}]}`, uint16(0))
	f.Add(`{"errcode":61004,"errmsg":"access clientip is not registered"}`, uint16(0))
	f.Fuzz(func(t *testing.T, body string, status uint16) {
		host := &Host{URL: "http://localhost", Transport: oneAnswer{statusOf(status), body}, Timeout: time.Second}
		p := &Platform{Host: host, AppID: "wxplatform", Secret: func() (string, error) { return platformSecret, nil }}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		check := func(call string, whole bool, err error) {
			var v *Error
			switch {
			case err == nil && (!whole || statusOf(status) > 299):
				t.Fatalf("%s took HTTP %d %q", call, statusOf(status), body)
			case err != nil && !errors.As(err, &v):
				t.Fatalf("%s of HTTP %d %q: %v", call, statusOf(status), body, err)
			}
		}
		component, err := p.ComponentToken(ctx, ticket)
		check("ComponentToken", strings.TrimSpace(component.Value) != "" && component.Life > 0, err)
		got, err := p.QueryAuth(ctx, platformToken, authCode)
		check("QueryAuth", got.AppID != "", err)
		got, err = p.AuthorizerToken(ctx, platformToken, "wx1", refreshToken)
		check("AuthorizerToken", got.AppID == "wx1" && got.AccessToken != "" && got.Life > 0, err)
		shops, err := p.Authorizers(ctx, platformToken)
		seen := make(map[string]bool)
		for _, shop := range shops {
			if seen[shop.AppID] || shop.AppID == "" {
				t.Fatalf("Authorizers of %q: %+v", body, shops)
			}
			seen[shop.AppID] = true
		}
		check("Authorizers", true, err)
	})
}
