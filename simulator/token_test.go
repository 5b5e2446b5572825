package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

const (
	plainPath  = "/cgi-bin/token"
	stablePath = "/cgi-bin/stable_token"
)

func plain(t testing.TB, s http.Handler) reply {
	t.Helper()
	return call(t, s, "GET", plainPath+"?grant_type=client_credential&appid="+appID+"&secret="+secret, "")
}

func stable(t testing.TB, s http.Handler, force bool) reply {
	t.Helper()
	return call(t, s, "POST", stablePath, fmt.Sprintf(
		`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%v}`, appID, secret, force))
}

func listWith(t testing.TB, s http.Handler, accessToken string) reply {
	t.Helper()
	return call(t, s, "POST", listPath+"?access_token="+accessToken, created(1, 2, 10, ""))
}

// inBubble runs a test in a bubble, with a shop without orders.
func inBubble(t *testing.T, test func(*testing.T, *simulator.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, shop(simulator.Backlog{}, simulator.Live{}, simulator.Faults{})) })
}

// Each plain token ends the previous one five minutes later.
func TestPlainTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		first := plain(t, s)
		if first.Token == "" || first.ExpiresIn != 7200 || strings.Contains(first.raw, "errcode") {
			t.Fatalf("%s", first.raw)
		}
		time.Sleep(time.Hour)
		second := plain(t, s)
		if second.Token == first.Token {
			t.Fatal("the same token again")
		}
		time.Sleep(300*time.Second - time.Nanosecond)
		wantCode(t, listWith(t, s, first.Token), 0)
		time.Sleep(time.Nanosecond)
		wantCode(t, listWith(t, s, first.Token), 40001)
		wantCode(t, listWith(t, s, second.Token), 0)
		time.Sleep(2 * time.Hour)
		wantCode(t, listWith(t, s, second.Token), 42001)
		for range 1998 {
			plain(t, s)
		}
		wantCode(t, plain(t, s), 45009)
		if got := s.Stats().Shops[appID].TokenRefreshes; got != 2000 {
			t.Errorf("%d tokens issued", got)
		}
		time.Sleep(24 * time.Hour)
		if plain(t, s).Token == "" {
			t.Error("no token the next day")
		}
	})
}

// A stable token stays the same until its last five minutes.
func TestStableTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		first := stable(t, s, false)
		time.Sleep(6900 * time.Second)
		same := stable(t, s, false)
		if same.Token != first.Token || first.ExpiresIn != 7200 || same.ExpiresIn != 300 {
			t.Fatalf("%s and %s", first.raw, same.raw)
		}
		time.Sleep(time.Second)
		second := stable(t, s, false)
		if second.Token == first.Token || second.ExpiresIn != 7200 {
			t.Fatalf("%s", second.raw)
		}
		time.Sleep(298 * time.Second)
		wantCode(t, listWith(t, s, first.Token), 0)
		time.Sleep(time.Second)
		wantCode(t, listWith(t, s, first.Token), 42001)
		wantCode(t, listWith(t, s, second.Token), 0)
	})
}

// A forced refresh ends the token at once, but is ignored within 30 s and after 20 in
// a day.
func TestForcedRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		last := stable(t, s, false).Token
		for range 20 {
			next := stable(t, s, true).Token
			if next == last {
				t.Fatal("not refreshed")
			}
			wantCode(t, listWith(t, s, last), 40001)
			time.Sleep(29 * time.Second)
			if stable(t, s, true).Token != next {
				t.Fatal("refreshed too soon")
			}
			time.Sleep(time.Second)
			last = next
		}
		if stable(t, s, true).Token != last {
			t.Error("refreshed 21 times a day")
		}
		time.Sleep(16 * time.Hour)
		if stable(t, s, true).Token == last {
			t.Error("not refreshed the next day")
		}
	})
}

// The two kinds of tokens are independent.
func TestTokensAreSeparate(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		a, b := plain(t, s), stable(t, s, false)
		plain(t, s)
		stable(t, s, true)
		time.Sleep(200 * time.Second)
		wantCode(t, listWith(t, s, a.Token), 0)
		wantCode(t, listWith(t, s, b.Token), 40001)
		c := stable(t, s, false)
		for range 5 {
			plain(t, s)
		}
		time.Sleep(301 * time.Second)
		wantCode(t, listWith(t, s, c.Token), 0)
		wantCode(t, listWith(t, s, token), 0)
	})
}

func TestTokenRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T, s *simulator.Server) {
		for query, code := range map[string]int{
			"grant_type=x&appid=" + appID + "&secret=" + secret:                40002,
			"grant_type=client_credential&secret=" + secret:                    41002,
			"grant_type=client_credential&appid=" + appID:                      41004,
			"grant_type=client_credential&appid=wx9&secret=" + secret:          40013,
			"grant_type=client_credential&appid=" + appID + "&secret=a-guess":  40125,
			"grant_type=client_credential&appid=" + appID + "&secret=&x=a%zz&": 41004,
		} {
			r := call(t, s, "GET", plainPath+"?"+query, "")
			wantCode(t, r, code)
			if strings.Contains(r.raw, secret) {
				t.Errorf("the secret is in %s", r.raw)
			}
		}
		wantCode(t, call(t, s, "POST", plainPath, "{}"), 43001)
		wantCode(t, call(t, s, "GET", stablePath, ""), 43002)
		wantCode(t, call(t, s, "POST", stablePath, ""), 44002)
		wantCode(t, call(t, s, "POST", stablePath, "x"), 47001)
		wantCode(t, call(t, s, "POST", stablePath, `{"force_refresh":1}`), 47001)
		wantCode(t, call(t, s, "POST", stablePath, `{}`), 40002)
		for range 10000 {
			wantCode(t, stable(t, s, false), 0)
		}
		wantCode(t, stable(t, s, false), 45011)
	})
}

// A shop without a secret issues no tokens, not even for an empty one.
func TestNoSecretNoToken(t *testing.T) {
	s := simulator.New(simulator.Config{Shops: []simulator.Shop{{AppID: appID}}})
	wantCode(t, stable(t, s, false), 40125)
	wantCode(t, call(t, s, "POST", listPath+"?access_token=", created(1, 2, 10, "")), 41001)
}
