package wechat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keeper is a test implementation of Config.Tokens.
type keeper struct {
	mu      sync.Mutex
	n       int
	refused []string
	errs    []error // of the next calls
	busy    atomic.Int32
}

func (k *keeper) tokens(ctx context.Context, refused string) (string, error) {
	if k.busy.Add(1) > 1 {
		return "", errors.New("two questions at once")
	}
	defer k.busy.Add(-1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if refused != "" {
		k.refused = append(k.refused, refused)
	}
	if len(k.errs) > 0 {
		var err error
		if err, k.errs = k.errs[0], k.errs[1:]; err != nil {
			return "", err
		}
	}
	if k.n == 0 || refused == tokenName(k.n) {
		k.n++
	}
	return tokenName(k.n), nil
}

func withKeeper(t *testing.T, a *api, story func(t *testing.T, w *fixture, k *keeper)) {
	t.Helper()
	k := &keeper{}
	inBubble(t, a, Config{Auth: AuthComponent, Tokens: k.tokens, RateLimit: 1e6}, func(t *testing.T, w *fixture) { story(t, w, k) })
}

func TestGivenTokenIsAskedForBeforeEachCall(t *testing.T) {
	withKeeper(t, &api{}, func(t *testing.T, w *fixture, k *keeper) {
		w.page(t)
		k.n++ // another walker has renewed it
		w.page(t)
		calls := w.api.seen()
		equal(t, "calls", len(calls), 2)
		equal(t, "first token", calls[0].token, tokenName(1))
		equal(t, "second token", calls[1].token, tokenName(2))
		equal(t, "refused", len(k.refused), 0)
	})
}

func TestGivenTokenRefusedByAllIsTradedOnce(t *testing.T) {
	a := &api{}
	withKeeper(t, a, func(t *testing.T, w *fixture, k *keeper) {
		w.page(t)
		for i := range 5 {
			a.alive = func(token string) bool { return token == tokenName(i+2) }
			began := time.Now()
			w.pages(t, 20)
			if took := time.Since(began); took > time.Second {
				t.Errorf("a renewal cost %v", took)
			}
		}
		want := []string{tokenName(1), tokenName(2), tokenName(3), tokenName(4), tokenName(5)}
		if !slices.Equal(k.refused, want) {
			t.Errorf("refused %q, want %q", k.refused, want)
		}
		equal(t, "warnings", w.lines("level=WARN"), 0)
	})
}

func TestGivenTokensRefusedAgainAndAgain(t *testing.T) {
	a := &api{alive: func(string) bool { return false }}
	withKeeper(t, a, func(t *testing.T, w *fixture, k *keeper) {
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
		if last == nil || !strings.Contains(last.Error(), hintPlatform) {
			t.Errorf("last error %v", last)
		}
		callers.Wait()
		if n := len(k.refused); n < 120*60/90 || n > 120*2+12 {
			t.Errorf("%d tokens in two hours: not one a minute", n)
		}
	})
}

func TestErrorsOfThePartThatKeepsTokens(t *testing.T) {
	passing := []error{
		&Error{Op: "get component token", Class: Retry, HTTPStatus: 502},
		&Error{Op: "get authorizer token", Class: Token, Code: 42001},
		&Error{Op: "get authorizer token", Class: Throttled, Code: 45011},
		fmt.Errorf("while keeping: %w", &Error{Class: Retry}),
	}
	withKeeper(t, &api{}, func(t *testing.T, w *fixture, k *keeper) {
		k.errs = passing
		w.page(t)
		equal(t, "calls", w.api.count(listPath), 1)
	})
	withKeeper(t, &api{}, func(t *testing.T, w *fixture, k *keeper) {
		w.page(t)
		for _, final := range []*Error{
			{Op: "get authorizer token", Class: Wait, Code: 61023, RID: "6566bde8-1cb6f4b9-2a1f0000", Hint: hintAuthorise},
			{Op: "get component token", Class: Stop, Code: 40125, RID: "6566bde8-1cb6f4b9-2a1f0000", Hint: hintSecret},
		} {
			k.errs = []error{final}
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, final.Class, final.Code)
			// The same while a token is being exchanged.
			k.errs, w.api.lists = []error{nil, final}, []reply{code(40001)}
			_, err = w.List(t.Context(), anyQuery)
			wantClass(t, err, final.Class, final.Code)
		}
		k.errs = []error{errors.New("the ticket has not come, and TOKEN_1+/= is no use")}
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, Wait, 0)
		if !strings.Contains(err.Error(), "the ticket has not come, and [redacted]") {
			t.Error(err)
		}
		w.page(t) // earlier failures leave no state
	})
	withKeeper(t, &api{}, func(t *testing.T, w *fixture, k *keeper) {
		k.errs = []error{context.Canceled}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestHearWithAKeeper(t *testing.T) {
	withKeeper(t, &api{}, func(t *testing.T, w *fixture, k *keeper) {
		for range 2 {
			if err := w.Hear(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "list calls", w.api.count(listPath), 1)
	})
}
