package simulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// waySwitches has a test for each switch of the ways to authorise. They create their
// own servers, with platforms and hostings.
var waySwitches = map[string]func(t *testing.T, s *simulator.Server){
	"rotate_refresh_token": func(t *testing.T, _ *simulator.Server) {
		s := withPlatform(nil)
		if r := authorizerToken(t, s, firstRefresh); r.got.Refresh != firstRefresh {
			t.Error(r.raw)
		}
		on(t, s, "rotate_refresh_token=on")
		first := authorizerToken(t, s, firstRefresh)
		if first.got.Refresh == firstRefresh || s.Authorizers()[0].RefreshToken != first.got.Refresh {
			t.Error(first.raw)
		}
		wantCode(t, listWith(t, s, first.got.Access), 0)
		time.Sleep(299 * time.Second)
		second := authorizerToken(t, s, firstRefresh)
		time.Sleep(time.Second)
		wantCode(t, authorizerToken(t, s, firstRefresh).reply, 61023)
		wantCode(t, authorizerToken(t, s, first.got.Refresh).reply, 0)
		wantCode(t, authorizerToken(t, s, second.got.Refresh).reply, 0)

		// The old one stays valid until the new access token is used, however long
		// that takes.
		on(t, s, "rotate_refresh_token=at_use")
		start := s.Authorizers()[0].RefreshToken
		lost := authorizerToken(t, s, start)
		time.Sleep(time.Hour)
		kept := authorizerToken(t, s, start)
		wantCode(t, authorizerToken(t, s, start).reply, 0)
		wantCode(t, listWith(t, s, kept.got.Access), 0)
		wantCode(t, authorizerToken(t, s, start).reply, 61023)
		wantCode(t, authorizerToken(t, s, lost.got.Refresh).reply, 61023)
		wantCode(t, authorizerToken(t, s, kept.got.Refresh).reply, 0)
	},
	"platform_error": func(t *testing.T, _ *simulator.Server) {
		s := withPlatform(nil)
		token := componentToken(t, s)
		on(t, s, "platform_error=61011")
		wantCode(t, platformCall(t, s, componentTokenPath, "", map[string]any{}).reply, 61011)
		wantCode(t, platformCall(t, s, authorizersPath, token, map[string]any{}).reply, 61011)
		wantTook(t, s, "platform_error", 2)
		on(t, s, "whitelist=61004")
		wantCode(t, platformCall(t, s, authorizersPath, token, map[string]any{}).reply, 61004)
	},
	"authorizers_short_rate": func(t *testing.T, _ *simulator.Server) {
		s := withPlatform(nil)
		token, whole := componentToken(t, s), len(s.Authorizers())
		on(t, s, "authorizers_short_rate=1")
		if r := platformCall(t, s, authorizersPath, token, map[string]any{"offset": 0, "count": 10}); r.Total != whole-1 || len(r.Shops) != whole-1 {
			t.Errorf("of %d shops: %s", whole, r.raw)
		}
		wantTook(t, s, "authorizers_short_rate", 1)
	},
	"missing_set_131": func(t *testing.T, _ *simulator.Server) {
		s := withPlatform(nil)
		access := authorizerToken(t, s, firstRefresh).got.Access
		on(t, s, "missing_set_131")
		wantCode(t, listWith(t, s, access), 61007)
		wantCode(t, listWith(t, s, token), 0)
		wantTook(t, s, "missing_set_131", 1)
		a, err := s.Authorize("wx2")
		if err != nil {
			t.Fatal(err)
		}
		r := platformCall(t, s, queryAuthPath, componentToken(t, s), map[string]any{"authorization_code": a.Code})
		if len(r.Info.Sets) != 1 || r.Info.Sets[0].Category.ID == 131 {
			t.Error(r.raw)
		}
	},
	"cloud_unlisted": func(t *testing.T, _ *simulator.Server) {
		s := withCloud(true)
		wantCode(t, listByCloud(t, s, cloudToken(t, s)), 0)
		on(t, s, "cloud_unlisted")
		wantCode(t, listByCloud(t, s, cloudToken(t, s)), 48001)
		wantCode(t, listWith(t, s, ""), 48001)
		wantTook(t, s, "cloud_unlisted", 2)
	},
	"relay_delay": func(t *testing.T, _ *simulator.Server) {
		s := withCloud(true)
		on(t, s, "relay_delay=1m")
		time.Sleep(time.Minute - time.Nanosecond)
		wantCode(t, listWith(t, s, ""), 41001)
		wantTook(t, s, "relay_delay", 1)
		time.Sleep(time.Nanosecond)
		wantCode(t, listWith(t, s, ""), 0)
	},
	"seqid_absent": func(t *testing.T, _ *simulator.Server) {
		s := withCloud(true)
		if r := listWith(t, s, ""); r.header.Get("x-openapi-seqid") == "" {
			t.Errorf("headers %v", r.header)
		}
		if r := listWith(t, s, token); r.header.Get("x-openapi-seqid") != "" {
			t.Errorf("headers of another call %v", r.header)
		}
		on(t, s, "unauthorised")
		if r := listWith(t, s, ""); r.header.Get("x-openapi-seqid") != "" {
			t.Errorf("headers of a failure %v", r.header)
		}
		on(t, s, "seqid_absent")
		if r := listWith(t, s, ""); r.header.Get("x-openapi-seqid") != "" {
			t.Errorf("headers %v", r.header)
		}
		wantTook(t, s, "seqid_absent", 1)
	},
}

// Chaos rotates refresh tokens too, and loses none.
func TestChaosOfPlatforms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withPlatform(nil)
		f := simulator.Chaos(0.5)
		s.SetFaults(simulator.Faults{WayFaults: f.WayFaults})
		refresh := firstRefresh
		for range 50 {
			r := authorizerToken(t, s, refresh)
			if r.got.Refresh == refresh || r.got.Refresh == "" {
				t.Fatal(r.raw)
			}
			refresh = r.got.Refresh
			time.Sleep(time.Hour)
		}
	})
}
