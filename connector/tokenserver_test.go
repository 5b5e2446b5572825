package connector

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// lender is a company's token server: it gives the token that is current. It shares the
// API's host in these stories, at lenderPath.
type lender struct {
	mu     sync.Mutex
	tokens []string // the latest last
	asked  []string // the token that each request got
}

const lenderPath = "/tokens/wx1"

// serve answers requests for the token; see testbed.gateway.
func (l *lender) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != lenderPath {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer secret-of-the-lender" {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	token := l.tokens[len(l.tokens)-1]
	l.asked = append(l.asked, token)
	fmt.Fprintf(w, `{"data":{"access_token":%q,"until":%d}}`, token, time.Now().Unix()+7200)
	return true
}

// rotate makes another token the current one.
func (l *lender) rotate(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, token)
}

func (l *lender) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// lent is a story with one app ID whose two ranges are walked with the lender's tokens.
func (a *testbed) lent(p window.Policy, secret func() (string, error)) []shop {
	server := &wechat.TokenServer{URL: a.apiURL + lenderPath + "?key=hush-in-the-query", Secret: secret, Token: "/data/access_token", Expiry: "/data/until"}
	a.leaks.Hide("a token server's secret", "secret-of-the-lender", "hush-in-the-query")
	u := p
	u.Range = wechat.UpdateTime
	return []shop{{appID: "wx1", policy: p, server: server}, {appID: "wx1", name: "changes", topic: a.name + ".changes", policy: u, server: server}}
}

// TestAWalkGoesOnWithTheTokensOfAServer: the token is rotated again and again, and the
// API refuses the old one. The walk of both ranges goes on, with one request for each
// rotation, and each order is published once.
func TestAWalkGoesOnWithTheTokensOfAServer(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 71, Shops: []simulator.Shop{{AppID: "wx1", Token: "token-number-0", Live: simulator.Live{Rate: 0.5, Since: start}}}})
		l := &lender{tokens: []string{"token-number-0"}}
		var mu sync.Mutex
		current := "token-number-0"
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if l.serve(w, r) {
				return true
			}
			mu.Lock()
			defer mu.Unlock()
			query := r.URL.Query()
			if query.Get("access_token") != current {
				_, _ = w.Write([]byte(`{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest"}`))
				return true
			}
			query.Set("access_token", "token-number-0") // the only one that the simulator knows
			r.URL.RawQuery = query.Encode()
			return false
		}
		p := a.policy()
		p.Start = start
		run := a.start(a.lent(p, func() (string, error) { return "secret-of-the-lender\n", nil })...)
		want := []string{"token-number-0"}
		for n := 1; n <= 6; n++ {
			time.Sleep(10 * time.Minute)
			token := fmt.Sprintf("token-number-%d", n)
			want = append(want, token)
			l.rotate(token)
			mu.Lock()
			current = token
			mu.Unlock()
		}
		time.Sleep(time.Minute)
		for _, s := range run.Status() {
			if s.State != StateLive {
				t.Errorf("%+v", s)
			}
		}
		end := time.Now().Unix() - 10
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		if got := l.requests(); !slices.Equal(got, want) {
			t.Errorf("the server was asked for %q", got)
		}
		a.eachOnce("wx1", start, end)
		if got := run.logged(); strings.Contains(got, "level=WARN") || strings.Contains(got, "level=ERROR") {
			t.Errorf("log:\n%s", got)
		}
	})
}

// TestAShopWaitsForTheSecretOfItsTokenServer: wrong credentials make the shop wait with
// the reason, and it continues within seconds when the file holds the right ones.
func TestAShopWaitsForTheSecretOfItsTokenServer(t *testing.T) {
	inBubble(t, func(a *testbed) {
		sh, p := backlog("wx1", 100)
		sh.Secret, sh.Token = "", "token-number-0"
		p.End = 0
		a.simulate(simulator.Config{Seed: 72, Shops: []simulator.Shop{sh}})
		l := &lender{tokens: []string{"token-number-0"}}
		a.gateway = l.serve
		var mu sync.Mutex
		secret := "an-old-secret-of-it"
		run := a.start(a.lent(p, func() (string, error) {
			mu.Lock()
			defer mu.Unlock()
			return secret, nil
		})[:1]...)
		a.until("it waits", func() bool { return run.statusOf("wx1").State == StateWaiting })
		for _, part := range []string{"get access token from ", "HTTP 401 the server refuses the credentials", "check the user name and the secret"} {
			if reason := run.statusOf("wx1").Reason; !strings.Contains(reason, part) {
				t.Errorf("reason: %s", reason)
			}
		}
		mu.Lock()
		secret = "secret-of-the-lender"
		mu.Unlock()
		time.Sleep(5 * time.Second)
		if s := run.statusOf("wx1"); s.Pages == 0 || s.State == StateWaiting {
			t.Errorf("5 s after the file has changed: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
