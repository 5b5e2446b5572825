package wechat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCallersShareOneToken(t *testing.T) {
	inBubble(t, &api{}, Config{}, func(t *testing.T, w *fixture) {
		w.pages(t, 20)
		equal(t, "token calls", w.api.count(stableTokenPath), 1)
	})
}

func TestStaleTokenIsRenewedOnceForAll(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		w.page(t)
		a.alive = func(token string) bool { return token == tokenName(2) }
		w.pages(t, 20)
		equal(t, "token calls", a.count(stableTokenPath), 2)
		equal(t, "warnings", w.lines("level=WARN"), 0)
	})
}

func TestRefusalThatComesLateCostsNoRenewal(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		w.page(t)
		later := code(40001)
		later.delay = time.Minute / 10
		a.lists = []reply{slow(code(40001)), later}
		w.pages(t, 2)
		equal(t, "list calls", a.count(listPath), 1+2+2)
		equal(t, "token calls", a.count(stableTokenPath), 2)
	})
}

func TestEachTokenCodeRenews(t *testing.T) {
	for _, n := range []int{40001, 40014, 42001} {
		inBubble(t, &api{lists: []reply{code(n)}}, Config{}, func(t *testing.T, w *fixture) {
			w.page(t)
			equal(t, "token calls", w.api.count(stableTokenPath), 2)
			for _, c := range w.api.seen() {
				if c.path == stableTokenPath && c.body != `{"grant_type":"client_credential","appid":"wx0123456789abcdef","secret":"s3cret+of/the=shop","force_refresh":false}` {
					t.Errorf("token call %s", c.body)
				}
			}
		})
	}
}

func TestTokenRefusedAgainAndAgain(t *testing.T) {
	a := &api{alive: func(string) bool { return false }}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
		time.Sleep(time.Hour)
		state, _, last := w.State()
		equal(t, "state", state, StateRetrying)
		equal(t, "class of the last error", last.(*Error).Class, Token)
		callers.Wait()
		at := a.times(stableTokenPath)
		if n := len(at); n < 120*60/90 || n > 120*2+12 {
			t.Errorf("%d token calls in two hours: not one a minute", n)
		}
		if first := at[1].Sub(at[0]); first > time.Second {
			t.Errorf("first renewal after %v, want at once", first)
		}
		equal(t, "warnings", w.lines("call failed; retrying"), 1)
	})
}

func TestRefusalsThatComeAndGo(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		for range 10 {
			a.lists = []reply{code(40001)}
			began := time.Now()
			w.page(t)
			if took := time.Since(began); took > time.Second {
				t.Errorf("a single refusal cost %v", took)
			}
		}
		equal(t, "token calls", a.count(stableTokenPath), 11)
	})
}

func TestTokenIsRenewedAheadOfTime(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		time.Sleep(7200*time.Second - renewAhead - time.Second)
		w.page(t)
		equal(t, "token calls before", a.count(stableTokenPath), 1)
		time.Sleep(time.Second)
		w.page(t)
		equal(t, "token calls after", a.count(stableTokenPath), 2)
	})
}

func TestRenewalAheadOfTimeMayFail(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		for range 1000 {
			a.tokens = append(a.tokens, code(45009))
		}
		time.Sleep(7200*time.Second - renewAhead)
		for range 10 {
			w.page(t)
		}
		equal(t, "token calls", a.count(stableTokenPath), 2)
		time.Sleep(earlyRetry)
		w.page(t)
		equal(t, "token calls", a.count(stableTokenPath), 3)
		state, _, _ := w.State()
		equal(t, "state while the old token lives", state, "")

		time.Sleep(renewAhead)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		state, _, _ = w.State()
		equal(t, "state when it is dead", state, StateQuotaExhausted)
	})
}

func TestSlowRenewalAheadOfTimeHoldsBackOneCaller(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		w.page(t)
		a.tokens = []reply{{hang: true}}
		time.Sleep(7200*time.Second - renewAhead)
		began := time.Now()
		var held atomic.Int32
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				if _, err := w.List(t.Context(), anyQuery); err != nil {
					t.Error(err)
				}
				if time.Since(began) > time.Second {
					held.Add(1)
				}
			})
		}
		callers.Wait()
		equal(t, "callers held back", held.Load(), 1)
	})
}

func TestShortLivedTokens(t *testing.T) {
	for life, most := range map[int]int{300: 3 + 1, 30: 30 + 1, 1: 90 + 1, -1: 3 + 1} {
		a := &api{life: life}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			for range 600 {
				w.page(t)
				time.Sleep(time.Second)
			}
			if n := a.count(stableTokenPath); n > most || n < most/2 {
				t.Errorf("%d token calls in ten minutes of %d s tokens, want at most %d", n, life, most)
			}
		})
	}
}

// TestALifetimeThatIsNotStatedUsesUpNoCalls: token has 2000 calls a day. Whatever an answer
// has for expires_in, a day of a live shop takes fewer, and no page waits.
func TestALifetimeThatIsNotStatedUsesUpNoCalls(t *testing.T) {
	for _, auth := range []string{AuthToken, AuthStableToken} {
		for _, life := range []string{``, `,"expires_in":null`, `,"expires_in":"soon"`, `,"expires_in":1.5`, `,"expires_in":[7200]`,
			`,"expires_in":0`, `,"expires_in":-7200`, `,"expires_in":1e30`, `,"expires_in":99999999999999999999`} {
			t.Run(auth+life, func(t *testing.T) {
				t.Parallel()
				const minutes = 240
				a := &api{}
				for i := range minutes * 60 {
					a.tokens = append(a.tokens, reply{body: fmt.Sprintf(`{"access_token":%q%s}`, tokenName(i+1), life)})
				}
				inBubble(t, a, Config{Auth: auth}, func(t *testing.T, w *fixture) {
					for range minutes * 10 {
						w.page(t)
						time.Sleep(6 * time.Second)
					}
					calls := a.count(stableTokenPath) + a.count(plainTokenPath)
					if day := calls * 24 * 60 / minutes; day > 500 {
						t.Errorf("%d token calls in %d minutes, %d a day", calls, minutes, day)
					}
				})
			})
		}
	}
}

func TestErrorsOfTheTokenEndpoint(t *testing.T) {
	for n, class := range map[int]Class{
		40125: Stop, 40013: Stop, 41002: Stop, 41004: Stop, 40002: Stop, 40001: Stop, 42001: Stop, 43002: Stop,
		31042: Stop, 606006: Stop, 40164: Wait, 89503: Wait, 61004: Wait,
	} {
		a := &api{tokens: []reply{code(n)}}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, class, n)
			equal(t, "list calls", a.count(listPath), 0)
			w.page(t) // the next attempt starts from the beginning
		})
	}
	for name, bad := range map[string]reply{
		"busy": code(-1), "502": {status: 502}, "empty": {status: 200}, "html": {body: "<html>"}, "no token": {body: "{}"},
		"reset": {reset: true}, "timeout": {hang: true}, "token is an object": {body: `{"access_token":{}}`},
		"503 with a token": {status: 503, body: `{"access_token":"T","expires_in":7200}`}, "minute": code(45011), "day": code(45009),
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{tokens: []reply{bad, bad, bad}}
			inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
				w.pages(t, 5)
				equal(t, "token calls", a.count(stableTokenPath), 4)
				equal(t, "last refresh", w.renewed[3], "ok")
			})
		})
	}
}

// A wrong secret in a file may be corrected: callers wait for that.
func TestAWrongSecretInAFileIsWaitedFor(t *testing.T) {
	for _, auth := range []string{AuthStableToken, AuthToken} {
		for n, class := range map[int]Class{40125: Wait, 41004: Wait, 40001: Wait, 40013: Stop, 41002: Stop, 48004: Stop} {
			a := &api{tokens: []reply{code(n)}}
			inBubble(t, a, Config{Auth: auth, SecretInFile: true}, func(t *testing.T, w *fixture) {
				_, err := w.List(t.Context(), anyQuery)
				wantClass(t, err, class, n)
				w.page(t)
			})
		}
	}
}

func TestVerdictOfTheTokenEndpointIsShared(t *testing.T) {
	a := &api{tokens: []reply{code(40125)}}
	inBubble(t, a, Config{RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		var callers sync.WaitGroup
		var refused atomic.Int32
		for range 8 {
			callers.Go(func() {
				if _, err := w.List(t.Context(), anyQuery); err != nil {
					refused.Add(1)
				}
			})
		}
		callers.Wait()
		// A caller that comes after the answer fetches again and succeeds.
		if n := refused.Load(); n == 0 || a.count(stableTokenPath) > 2 {
			t.Errorf("%d callers refused, %d token calls", n, a.count(stableTokenPath))
		}
	})
}

func TestCallerOfTheSharedTokenCallGoesAway(t *testing.T) {
	a := &api{tokens: []reply{{hang: true}}}
	inBubble(t, a, Config{RateLimit: 1e6}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		time.Sleep(time.Second)
		began := time.Now()
		callers.Go(func() { w.pages(t, 3) })
		time.Sleep(time.Second)
		cancel()
		callers.Wait()
		equal(t, "waited", time.Since(began) < 2*time.Second, true)
		equal(t, "token calls", a.count(stableTokenPath), 2)
	})
}

func TestSecretIsReadAtEachTokenCall(t *testing.T) {
	secret, err := "old", error(nil)
	a := &api{}
	inBubble(t, a, Config{Secret: func() (string, error) { return secret, err }}, func(t *testing.T, w *fixture) {
		w.page(t)
		secret, a.lists = "new", []reply{code(40001)}
		w.page(t)
		calls := a.seen()
		equal(t, "secret", calls[3].body, `{"grant_type":"client_credential","appid":"wx0123456789abcdef","secret":"new","force_refresh":false}`)

		for _, bad := range []error{&fs.PathError{Op: "open", Path: "/secret", Err: fs.ErrNotExist}, nil} {
			secret, err, a.lists = "", bad, []reply{code(40001)}
			_, got := w.List(t.Context(), anyQuery)
			wantClass(t, got, Wait, 0)
		}
		want := []string{"ok", "ok", "unreadable", "unreadable"}
		if !slices.Equal(w.renewed, want) {
			t.Errorf("refreshes %q, want %q", w.renewed, want)
		}
	})
}

func TestStaticToken(t *testing.T) {
	value, err := "first\n", error(nil)
	a := &api{alive: func(token string) bool { return token == "first" }}
	inBubble(t, a, Config{Auth: AuthStatic, Token: func() (string, error) { return value, err }}, func(t *testing.T, w *fixture) {
		w.page(t)
		value = "dead"
		_, got := w.List(t.Context(), anyQuery)
		wantClass(t, got, Wait, 40001)
		equal(t, "calls", a.count(listPath), 2)

		value, err = "", fs.ErrNotExist
		_, got = w.List(t.Context(), anyQuery)
		wantClass(t, got, Wait, 0)
		err = nil
		_, got = w.List(t.Context(), anyQuery)
		wantClass(t, got, Wait, 0)
		equal(t, "calls without a token", a.count(listPath), 2)

		// The file changes while the call with the old token is in progress.
		value = "dead"
		a.alive = func(token string) bool {
			if token == "dead" {
				value = "second"
			}
			return token == "second"
		}
		w.page(t)
		equal(t, "calls", a.count(listPath), 4)
		equal(t, "token calls", a.count(stableTokenPath), 0)
	})
}

// A caller that stops waiting for a token gets the last failure in its error.
func TestAnInterruptedTokenCallSaysWhatWentWrong(t *testing.T) {
	for _, auth := range []string{AuthStableToken, AuthToken} {
		inBubble(t, &api{tokens: []reply{{status: 503}, {status: 503}, {status: 503}, {status: 503}, {status: 503}, {status: 503}, {status: 503}, {status: 503}}}, Config{Auth: auth}, func(t *testing.T, w *fixture) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := w.List(ctx, anyQuery)
			var waited *Interrupted
			if !errors.As(err, &waited) || !errors.Is(err, context.DeadlineExceeded) || waited.Last == nil || !strings.Contains(err.Error(), "HTTP 503") {
				t.Errorf("%s: %v", auth, err)
			}
		})
	}
}
