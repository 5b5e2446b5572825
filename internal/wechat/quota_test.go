package wechat

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestQuotaAtTheWire(t *testing.T) {
	inBubble(t, &api{}, Config{}, func(t *testing.T, w *fixture) {
		for body, want := range map[string]Allowance{
			`{"errcode":0,"errmsg":"ok","quota":{"daily_limit":5000,"used":20,"remain":4980},"rate_limit":{"call_count":5,"refresh_second":3},"component_rate_limit":{"call_count":7,"refresh_second":60}}`: {Limit: 5000, Used: 20, Remain: 4980, Rate: Rate{5, 3 * time.Second}, PlatformRate: Rate{7, time.Minute}},
			`{"quota":{"daily_limit":"5000","used":0,"remain":"5000"},"rate_limit":null}`:                                                                                                                   {Limit: 5000, Remain: 5000},
			`{"errcode":0,"quota":{}}`: {},
			`{"errcode":0,"quota":{"daily_limit":5000,"used":20,"remain":null}}`:                                    {},
			`{"errcode":0,"quota":{"daily_limit":5000,"used":20},"rate_limit":{"call_count":5,"refresh_second":3}}`: {Rate: Rate{5, 3 * time.Second}},
			`{"errcode":0,"quota":{"daily_limit":5000,"used":5000,"remain":0}}`:                                     {Limit: 5000, Used: 5000},
		} {
			w.api.others = []reply{{body: body}}
			got, err := w.Quota(t.Context())
			want.At = got.At
			if err != nil || got != want || got.At.IsZero() {
				t.Errorf("%s:\ngot  %+v, %v\nwant %+v", body, got, err, want)
			}
			// A bubble's clock starts at 08:00 in Shanghai.
			if left := got.Left(); left > 16*time.Hour || left < 15*time.Hour {
				t.Errorf("%v left of the day at %v", left, got.At)
			}
		}
		calls := w.api.seen()
		equal(t, "calls", len(calls), 1+6)
		equal(t, "path", calls[1].path, "/cgi-bin/openapi/quota/get")
		equal(t, "token", calls[1].token, tokenName(1))
		equal(t, "body", calls[1].body, `{"cgi_path":"/channels/ec/order/list/get"}`)
		equal(t, "list calls told of", len(w.results), 0)
		equal(t, "list calls counted", w.Calls(), int64(0))
	})
}

func TestQuotaTriesAFewTimes(t *testing.T) {
	const fine = `{"quota":{"daily_limit":1,"used":0,"remain":1}}`
	for name, bad := range map[string]reply{
		"busy": code(-1), "502": {status: 502}, "html": {body: "<html>"}, "reset": {reset: true}, "no quota": {body: `{"errcode":0}`},
		"quota of another type": {body: `{"quota":[1]}`}, "a fraction": {body: `{"quota":{"used":1.5}}`}, "refused token": code(40001),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &api{others: []reply{bad, bad, {body: fine}}}, Config{}, func(t *testing.T, w *fixture) {
				if got, err := w.Quota(t.Context()); err != nil || got.Remain != 1 {
					t.Errorf("%+v, %v", got, err)
				}
			})
			inBubble(t, &api{others: []reply{bad, bad, bad}}, Config{}, func(t *testing.T, w *fixture) {
				_, err := w.Quota(t.Context())
				var v *Error
				if !errors.As(err, &v) || v.Op != quotaOp {
					t.Errorf("error %v", err)
				}
				equal(t, "calls", w.api.count(quotaPath), 3)
			})
		})
	}
	for n, class := range map[int]Class{45009: Quota, 45011: Throttled, 76022: Stop, 61004: Wait} {
		inBubble(t, &api{others: []reply{code(n)}}, Config{}, func(t *testing.T, w *fixture) {
			_, err := w.Quota(t.Context())
			wantClass(t, err, class, n)
			// The quota call counts against its own quota.
			state, _, _ := w.State()
			equal(t, "state", state, "")
			w.page(t)
		})
	}
	inBubble(t, &api{others: []reply{{hang: true}}}, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Quota(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestNoQuotaByCloudCall(t *testing.T) {
	token := func() (string, error) { return "T", nil }
	for _, cfg := range []Config{{Auth: AuthCloudFile, Token: token}, {Auth: AuthCloudOpen, Host: &Host{}}} {
		inBubble(t, &api{}, cfg, func(t *testing.T, w *fixture) {
			if _, err := w.Quota(t.Context()); !errors.Is(err, ErrNoQuota) {
				t.Error(err)
			}
			equal(t, "calls", len(w.api.seen()), 0)
		})
	}
}
