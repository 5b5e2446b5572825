package simulator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

const aboutList = `{"cgi_path":"` + listPath + `"}`

func openapi(t *testing.T, s *simulator.Server, path, body string) reply {
	t.Helper()
	return call(t, s, "POST", path+"?access_token="+token, body)
}

func TestQuotaGet(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		const path = "/cgi-bin/openapi/quota/get"
		if r := openapi(t, s, path, aboutList); r.Quota.Limit < 1000 || r.Quota.Used != 0 || r.Quota.Remain != r.Quota.Limit {
			t.Errorf("%s", r.raw)
		}
		on(t, s, "per_day_limit=10", "per_minute_limit=4")
		for range 6 {
			list(t, s, created(1, 2, 10, "")) // the second one exceeds the minute's limit
		}
		r := openapi(t, s, path, aboutList)
		if r.Quota.Limit != 10 || r.Quota.Used != 4 || r.Quota.Remain != 6 ||
			!strings.Contains(r.raw, `"rate_limit":{"call_count":4,"refresh_second":60}`) {
			t.Errorf("%s", r.raw)
		}
		wantCode(t, openapi(t, s, path, `{"cgi_path":"channels"}`), 76003)
		wantCode(t, openapi(t, s, path, `{"cgi_path":"/channels/ec/no"}`), 76021)
		wantCode(t, openapi(t, s, path, `{`), 47001)
		wantCode(t, call(t, s, "POST", path, aboutList), 41001)
		time.Sleep(24 * time.Hour)
		if r := openapi(t, s, path, aboutList); r.Quota.Used != 0 {
			t.Errorf("the next day: %s", r.raw)
		}
	})
}

func TestQuotaClear(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		const path = "/cgi-bin/openapi/quota/clear"
		on(t, s, "per_day_limit=1")
		for range 50 {
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
			wantCode(t, list(t, s, created(1, 2, 10, "")), 45009)
			wantCode(t, openapi(t, s, path, aboutList), 0)
		}
		wantCode(t, openapi(t, s, path, aboutList), 48006)
		wantCode(t, openapi(t, s, path, `{"cgi_path":"/cgi-bin/token"}`), 76003)
		time.Sleep(24 * time.Hour)
		wantCode(t, openapi(t, s, path, aboutList), 0)
	})
}

// The two general calls share ten a month.
func TestClearQuota(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		const v1, v2 = "/cgi-bin/clear_quota", "/cgi-bin/clear_quota/v2"
		withSecret := `{"appid":"` + appID + `","appsecret":"` + secret + `"}`
		on(t, s, "per_day_limit=1")
		for range 5 {
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
			wantCode(t, openapi(t, s, v1, `{"appid":"`+appID+`"}`), 0)
			wantCode(t, list(t, s, created(1, 2, 10, "")), 0)
			wantCode(t, call(t, s, "POST", v2, withSecret), 0)
		}
		wantCode(t, call(t, s, "POST", v2, withSecret), 48006)
		wantCode(t, openapi(t, s, v1, `{"appid":"`+appID+`"}`), 48006)
		wantCode(t, openapi(t, s, v1, `{"appid":"wx9"}`), 40013)
		wantCode(t, call(t, s, "POST", v2, `{"appid":"wx9","appsecret":"x"}`), 40013)
		wantCode(t, call(t, s, "POST", v2, `{"appid":"`+appID+`","appsecret":"x"}`), 40125)
		time.Sleep(31*24*time.Hour - 8*time.Hour) // February, in Shanghai
		wantCode(t, call(t, s, "POST", v2, withSecret), 0)
	})
}

// A failed call can be looked up by its rid; the access token cannot.
func TestRID(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		failed := list(t, s, `{"page_size":10}`)
		_, rid, _ := strings.Cut(failed.Errmsg, "rid: ")
		r := openapi(t, s, "/cgi-bin/openapi/rid/get", `{"rid":"`+rid+`"}`)
		var found struct {
			Request struct {
				InvokeTime int64  `json:"invoke_time"`
				Body       string `json:"request_body"`
				Response   string `json:"response_body"`
			} `json:"request"`
		}
		if err := json.Unmarshal([]byte(r.raw), &found); err != nil {
			t.Fatal(err)
		}
		if q := found.Request; q.InvokeTime != epoch || q.Body != `{"page_size":10}` || q.Response != failed.raw {
			t.Errorf("%s", r.raw)
		}
		if !strings.HasPrefix(rid, "386d4380-") { // the epoch, in hex
			t.Errorf("rid %s", rid)
		}
		if strings.Contains(r.raw, token) {
			t.Errorf("the token is in %s", r.raw)
		}
		wantCode(t, openapi(t, s, "/cgi-bin/openapi/rid/get", `{"rid":"x"}`), 76002)
		wantCode(t, openapi(t, s, "/cgi-bin/openapi/rid/get", `{"rid":"1-2-3"}`), 76001)
		for range 300 {
			list(t, s, `{}`)
		}
		wantCode(t, openapi(t, s, "/cgi-bin/openapi/rid/get", `{"rid":"`+rid+`"}`), 76001)
	})
}

// The busiest second is found wherever it begins.
func TestStatsFindTheFastestSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		for range 100 {
			list(t, s, created(1, 2, 10, ""))
			time.Sleep(20 * time.Millisecond)
		}
		if got := s.Stats().Shops[appID].MaxListCallsInOneSecond; got != 50 {
			t.Errorf("50 calls a second: counted %d", got)
		}
		time.Sleep(700 * time.Millisecond)
		for range 60 {
			list(t, s, created(1, 2, 10, ""))
		}
		if got := s.Stats().Shops[appID]; got.MaxListCallsInOneSecond != 60+14 || got.ListCalls != 160 {
			t.Errorf("60 calls after 14 within the second: %+v", got)
		}
	})
}
