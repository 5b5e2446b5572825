package wechat

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var plainAuth = Config{Auth: AuthToken, RateLimit: 1e6}

func TestPlainTokenAtTheWire(t *testing.T) {
	inBubble(t, &api{}, plainAuth, func(t *testing.T, w *fixture) {
		w.page(t)
		calls := w.api.seen()
		equal(t, "method", calls[0].method, "GET")
		equal(t, "path", calls[0].path, "/cgi-bin/token")
		equal(t, "query", calls[0].query, "appid=wx0123456789abcdef&grant_type=client_credential&secret="+url.QueryEscape(testSecret))
		equal(t, "body", calls[0].body, "")
		equal(t, "content type", calls[0].header.Get("Content-Type"), "")
		equal(t, "method of the list call", calls[1].method, "POST")
		equal(t, "token", calls[1].token, tokenName(1))
	})
}

func TestPlainTokensWarnOnceThatOthersDie(t *testing.T) {
	inBubble(t, &api{}, plainAuth, func(t *testing.T, w *fixture) {
		for range 24 {
			w.pages(t, 3)
			time.Sleep(time.Hour)
		}
		equal(t, "token calls", w.api.count(plainTokenPath), 12)
		equal(t, "warnings", w.lines("each new token ends the previous one"), 1)
		equal(t, "all warnings", w.lines("level=WARN"), 1)
	})
}

func TestPlainTokenIsRenewedAheadOfTimeAndOnceForAll(t *testing.T) {
	a := &api{}
	inBubble(t, a, plainAuth, func(t *testing.T, w *fixture) {
		w.pages(t, 20)
		time.Sleep(7200*time.Second - renewAhead)
		w.pages(t, 20)
		equal(t, "token calls", a.count(plainTokenPath), 2)
		a.alive = func(token string) bool { return token == tokenName(3) }
		w.pages(t, 20)
		equal(t, "token calls after a refusal", a.count(plainTokenPath), 3)
		equal(t, "calls of the other kind", a.count(stableTokenPath), 0)
	})
}

func TestEachCodeRenewsAPlainToken(t *testing.T) {
	for _, n := range []int{40001, 40014, 42001} {
		inBubble(t, &api{lists: []reply{code(n)}}, plainAuth, func(t *testing.T, w *fixture) {
			began := time.Now()
			w.page(t)
			equal(t, "token calls", w.api.count(plainTokenPath), 2)
			equal(t, "at once", time.Since(began) < time.Second/2, true)
		})
	}
}

// Tokens that never work are fetched less and less often: all systems together have
// 2000 a day.
func TestPlainTokensThatDieAtOnceCauseNoStorm(t *testing.T) {
	a := &api{alive: func(string) bool { return false }}
	inBubble(t, a, Config{Auth: AuthToken, RateLimit: 5}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
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
		if last == nil || !strings.Contains(last.Error(), hintKicked) {
			t.Errorf("last error %v", last)
		}
		callers.Wait()
		at := a.times(plainTokenPath)
		if n := len(at); n < 140 || n > 150 {
			t.Errorf("%d token calls in a day, want one in ten minutes", n)
		}
		for i, want := range []int{0, 1, 2, 4, 8, 10, 10} {
			if apart := at[i+1].Sub(at[i]).Round(time.Minute); apart != time.Duration(want)*time.Minute {
				t.Errorf("call %d comes after %v, want %v min", i+2, at[i+1].Sub(at[i]), want)
			}
		}
		// Each caller retries a refused token about once a minute.
		if n := a.count(listPath); n > 8*24*60*3 {
			t.Errorf("%d list calls", n)
		}
		equal(t, "warnings of another system", w.lines("end early"), 1)
	})
}

// Once some tokens have ended early, refusals that pass by themselves cost no token.
func TestRefusalsThatPassCostNoPlainToken(t *testing.T) {
	a := &api{}
	inBubble(t, a, plainAuth, func(t *testing.T, w *fixture) {
		for range 10 {
			a.lists = []reply{code(40001)}
			w.page(t)
		}
		// The first is retried at once, the others within the following minute.
		equal(t, "token calls", a.count(plainTokenPath), 2)
		for range 20 {
			time.Sleep(10 * time.Minute)
			began := time.Now()
			a.lists = []reply{code(40001)}
			w.page(t)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("a refusal cost %v", took)
			}
		}
		equal(t, "token calls in three hours more", a.count(plainTokenPath), 2+1)
	})
}

// After a token that lived to its end, the next early end counts as the first.
func TestPeaceBringsThePlainTokensBack(t *testing.T) {
	a := &api{}
	inBubble(t, a, plainAuth, func(t *testing.T, w *fixture) {
		a.alive = func(string) bool { return false }
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		a.mu.Lock()
		a.alive = nil
		a.mu.Unlock()
		w.page(t)
		for range 60 {
			time.Sleep(2 * time.Minute)
			w.page(t)
		}
		before := a.count(plainTokenPath)
		a.lists = []reply{code(40001)}
		began := time.Now()
		w.page(t)
		equal(t, "token calls", a.count(plainTokenPath), before+1)
		equal(t, "at once", time.Since(began) < time.Second/2, true)
	})
}

func TestErrorsOfThePlainTokenEndpoint(t *testing.T) {
	for n, class := range map[int]Class{40125: Stop, 40013: Stop, 40001: Stop, 40164: Wait, 89503: Wait} {
		inBubble(t, &api{tokens: []reply{code(n)}}, plainAuth, func(t *testing.T, w *fixture) {
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, class, n)
			w.page(t)
		})
	}
	// The day's 2000 tokens are used up: wait until midnight.
	inBubble(t, &api{tokens: []reply{code(45009)}}, plainAuth, func(t *testing.T, w *fixture) {
		began := time.Now()
		w.page(t)
		if took := time.Since(began); took < 16*time.Hour || took > 16*time.Hour+time.Minute {
			t.Errorf("waited %v, want until midnight in Shanghai", took)
		}
	})
}
