package wechat

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lender is a company's token server in a test: it gives the token that is current.
type lender struct {
	mu     sync.Mutex
	value  string
	life   int // seconds; "expires_in"
	asked  []time.Time
	script []http.HandlerFunc // of the next requests
	auth   []string           // the requests' Authorization
}

func (l *lender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked, l.auth = append(l.asked, time.Now()), append(l.auth, r.Header.Get("Authorization"))
	value, life, next := l.value, l.life, http.HandlerFunc(nil)
	if len(l.script) > 0 {
		next, l.script = l.script[0], l.script[1:]
	}
	l.mu.Unlock()
	if next != nil {
		next(w, r)
		return
	}
	fmt.Fprintf(w, `{"access_token":%[1]q,"expires_in":%[2]d,"data":{"token":%[1]q,"until":%[2]d}}`, value, life)
}

// plan sets the answers to the next requests.
func (l *lender) plan(script ...http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.script = script
}

func (l *lender) give(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = value
}

func (l *lender) times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

const (
	lenderSecret = "hush-hush+secret/of=lender"
	lenderQuery  = "key=hush-key-in-the-query&app=" + testAppID
)

// withLender plays a story with a client whose token the lender gives. Both servers
// are on one network; the lender's has its own host name.
func withLender(t *testing.T, a *api, l *lender, server TokenServer, story func(t *testing.T, w *fixture)) {
	t.Helper()
	if server.URL == "" {
		server.URL = "http://tokens.test/token?" + lenderQuery
	}
	if server.User == "nobody" {
		server.User = ""
	} else if server.Secret == nil {
		server.Secret = func() (string, error) { return lenderSecret + "\n", nil }
	}
	a.others, a.beside = nil, map[string]http.Handler{"tokens.test": l}
	inBubble(t, a, Config{Auth: AuthStatic, Server: &server, RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		w.leaks.Hide("a token server's secret", lenderSecret, "hush-key-in-the-query", base64.StdEncoding.EncodeToString([]byte("orders:"+lenderSecret)))
		story(t, w)
	})
}

func TestTokenOfAServerIsKept(t *testing.T) {
	l := &lender{value: tokenName(1), life: 7200}
	withLender(t, &api{}, l, TokenServer{}, func(t *testing.T, w *fixture) {
		w.pages(t, 20)
		w.page(t)
		equal(t, "requests", len(l.times()), 1)
		equal(t, "authorization", l.auth[0], "Bearer "+lenderSecret)
		equal(t, "token", w.api.seen()[0].token, tokenName(1))
		if !slices.Equal(w.renewed, []string{"ok"}) {
			t.Errorf("refreshes %q", w.renewed)
		}
	})
	withLender(t, &api{}, l, TokenServer{User: "orders"}, func(t *testing.T, w *fixture) {
		w.page(t)
		equal(t, "authorization", l.auth[len(l.auth)-1], "Basic "+base64.StdEncoding.EncodeToString([]byte("orders:"+lenderSecret)))
	})
	l.plan(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "\ufeff"+`{"access_token":%q,"expires_in":7200}`, tokenName(1)) // with a byte order mark
	})
	withLender(t, &api{}, l, TokenServer{}, func(t *testing.T, w *fixture) { w.page(t) })
}

// An expiry that is null is as one that is missing.
func TestTokenOfAServerWithoutAnExpiry(t *testing.T) {
	for _, answer := range []string{`{"access_token":%q}`, `{"access_token":%q,"expires_in":null}`} {
		l := &lender{}
		withLender(t, &api{}, l, TokenServer{}, func(t *testing.T, w *fixture) {
			l.plan(slices.Repeat([]http.HandlerFunc{func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintf(rw, answer, tokenName(1)) }}, 9)...)
			w.page(t)
			time.Sleep(unknownLife)
			w.page(t)
			equal(t, answer, len(l.times()), 2)
		})
	}
}

// The server rotates its token before the old one ends: no call is refused, and each
// token is asked for once.
func TestTokenOfAServerIsRenewedEarly(t *testing.T) {
	l := &lender{value: tokenName(1), life: 3600}
	a := &api{}
	withLender(t, a, l, TokenServer{}, func(t *testing.T, w *fixture) {
		for n := 1; n <= 5; n++ {
			l.give(tokenName(n))
			a.alive = func(token string) bool { return token == tokenName(n) || token == tokenName(n-1) }
			for end := time.Now().Add(3600*time.Second - renewAhead); time.Now().Before(end); time.Sleep(10 * time.Second) {
				w.page(t)
			}
		}
		equal(t, "requests", len(l.times()), 5)
		for _, r := range w.results {
			if r != "ok" {
				t.Fatalf("results %q", w.results)
			}
		}
	})
}

// The API refuses the old token at a rotation: one request for all callers.
func TestTokenOfAServerIsAskedForOnceOnARefusal(t *testing.T) {
	l := &lender{value: tokenName(1), life: 7200}
	a := &api{}
	withLender(t, a, l, TokenServer{}, func(t *testing.T, w *fixture) {
		w.page(t)
		for n := 2; n <= 6; n++ {
			l.give(tokenName(n))
			a.alive = func(token string) bool { return token == tokenName(n) }
			began := time.Now()
			w.pages(t, 20)
			if took := time.Since(began); took > time.Second {
				t.Errorf("a rotation cost %v", took)
			}
			equal(t, "requests", len(l.times()), n)
		}
		equal(t, "warnings", w.lines("level=WARN"), 0)
	})
}

// A server that keeps giving the refused token is asked about once a minute, whether
// the API always refuses it or accepts it in between.
func TestRefusedTokenOfAServerIsNotAskedForInALoop(t *testing.T) {
	for name, refuses := range map[string]func(n int) bool{
		"always":            func(int) bool { return true },
		"every second call": func(n int) bool { return n%2 == 0 },
		"nine of ten calls": func(n int) bool { return n%10 > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l, a, n := &lender{value: tokenName(1), life: 7200}, &api{}, 0
			a.alive = func(string) bool { n++; return !refuses(n) }
			withLender(t, a, l, TokenServer{}, func(t *testing.T, w *fixture) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
				defer cancel()
				var callers sync.WaitGroup
				for range 8 {
					callers.Go(func() {
						for ctx.Err() == nil {
							if _, err := w.List(ctx, anyQuery); err != nil && !errors.Is(err, context.DeadlineExceeded) {
								t.Errorf("error %v", err)
								return
							}
							time.Sleep(2 * time.Second)
						}
					})
				}
				callers.Wait()
				if asked := len(l.times()); asked < 3 || asked > 60 {
					t.Errorf("%d requests in half an hour", asked)
				}
				// Another token ends it.
				l.give(tokenName(2))
				a.alive = func(token string) bool { return token == tokenName(2) }
				began := time.Now()
				w.page(t)
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("the next token was found after %v", took)
				}
			})
		})
	}
}

// Different tokens that are all refused are not fetched in a loop either.
func TestRefusedTokensOfAServer(t *testing.T) {
	l, a := &lender{life: 7200}, &api{alive: func(string) bool { return false }}
	withLender(t, a, l, TokenServer{}, func(t *testing.T, w *fixture) {
		var script []http.HandlerFunc
		for i := range 1000 {
			script = append(script, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"access_token":%q,"expires_in":7200}`, tokenName(i))
			})
		}
		l.plan(script...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := w.List(ctx, anyQuery)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), hintLent) {
			t.Error(err)
		}
		if n := len(l.times()); n < 30 || n > 100 {
			t.Errorf("%d requests in an hour", n)
		}
	})
}

// A failed early renewal does not end calls with the token that is still valid.
func TestServerThatIsDownWhileItsTokenLives(t *testing.T) {
	l := &lender{value: tokenName(1), life: 600}
	withLender(t, &api{}, l, TokenServer{}, func(t *testing.T, w *fixture) {
		w.page(t)
		down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		l.plan(slices.Repeat([]http.HandlerFunc{down}, 4)...)
		for range 59 {
			time.Sleep(10 * time.Second)
			w.page(t)
		}
		equal(t, "requests", len(l.times()), 6)
	})
}

func TestHearWithAServer(t *testing.T) {
	l := &lender{value: tokenName(1), life: 7200}
	withLender(t, &api{}, l, TokenServer{}, func(t *testing.T, w *fixture) {
		if err := w.Hear(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The token server's clock is not the API's.
		equal(t, "list calls", w.api.count(listPath), 1)
	})
}

func TestServerThatCannotBeUsed(t *testing.T) {
	for _, address := range []string{"ftp://tokens.test/", "http://", "http://user:hush-hush@tokens.test/", "http://tokens.test/#hush-hush", "http://tokens.test/%zz-hush-hush", "tokens"} {
		c := New(Config{AppID: testAppID, Auth: AuthStatic, Server: &TokenServer{URL: address}})
		_, err := c.List(t.Context(), anyQuery)
		wantClass(t, err, Stop, 0)
		if strings.Contains(err.Error(), "hush") {
			t.Error(err)
		}
	}
}

// Over TLS with a certificate that this machine does not trust, nothing is sent.
func TestServerWithAnUnknownCertificate(t *testing.T) {
	l := &lender{value: tokenName(1), life: 7200}
	server := httptest.NewUnstartedServer(l)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	host := &Host{URL: "http://127.0.0.1:1"}
	defer host.Close()
	c := New(Config{Host: host, AppID: testAppID, Auth: AuthStatic, Server: &TokenServer{URL: server.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	c.onTokenRefresh = func(string) { cancel() }
	_, err := c.List(ctx, anyQuery)
	var waited *Interrupted
	if !errors.As(err, &waited) || len(l.times()) > 0 {
		t.Errorf("%v, %d requests", err, len(l.times()))
	}
}
