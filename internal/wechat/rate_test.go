package wechat

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallsKeepTheRate(t *testing.T) {
	for limit, want := range map[float64]float64{0: 50, 10: 10, 0.5: 0.5} {
		a := &api{}
		inBubble(t, a, Config{RateLimit: limit}, func(t *testing.T, w *fixture) {
			began := time.Now()
			w.pages(t, 101)
			if got := 100 / time.Since(began).Seconds(); got > want*1.001 || got < want*0.99 {
				t.Errorf("%v calls a second, want %v", got, want)
			}
		})
	}
}

func TestThrottledCallsWaitForTheNextMinute(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 10}, func(t *testing.T, w *fixture) {
		w.page(t)
		time.Sleep(20 * time.Second)
		a.lists = []reply{code(45011)}
		go func() {
			time.Sleep(time.Second)
			state, until, why := w.State()
			equal(t, "state", state, StateRateLimited)
			equal(t, "why", why.(*Error).Code, 45011)
			if left := time.Until(until); left < 38*time.Second || left > 43*time.Second {
				t.Errorf("until in %v", left)
			}
		}()
		began := time.Now()
		w.page(t)
		// A bubble's clock starts on the minute.
		if took := time.Since(began); took < 39*time.Second || took > 44*time.Second {
			t.Errorf("waited %v, want to the next minute", took)
		}
		equal(t, "warnings", w.lines("level=WARN"), 1)
		state, _, _ := w.State()
		equal(t, "state", state, "")
	})
}

func TestCallsThrottledTogetherLowerTheRateOnce(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 16}, func(t *testing.T, w *fixture) {
		w.page(t)
		for range 8 {
			a.lists = append(a.lists, slow(code(45011)))
		}
		w.pages(t, 8)
		equal(t, "rate", float64(w.callRate.limiter.Limit()), 8)
		equal(t, "calls", a.count(listPath), 1+8+8)
		equal(t, "warnings", w.lines("throttled by the API; continuing"), 1)
		a.lists = []reply{code(45011)}
		w.page(t)
		equal(t, "rate after another", float64(w.callRate.limiter.Limit()), 4)
	})
}

func TestCallsInLineWaitForTheMinuteToo(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{RateLimit: 0.1}, func(t *testing.T, w *fixture) {
		began := time.Now()
		w.page(t)
		a.lists = []reply{slow(code(45011))}
		w.pages(t, 3)
		at := a.times(listPath)
		for i, want := range []time.Duration{0, 10 * time.Second} {
			equal(t, "call", at[i].Sub(began), want)
		}
		if after := at[2].Sub(began); after < time.Minute {
			t.Errorf("a call in line went out after %v", after)
		}
	})
}

func TestRateComesBackSlowly(t *testing.T) {
	p := newCallRate(50)
	now := time.Now()
	for range 20 {
		p.throttle(now, now)
		now = time.Now().Add(time.Hour) // sent after the previous refusal
		p.minute = time.Now().Add(time.Hour)
	}
	equal(t, "lowest", float64(p.limiter.Limit()), lowestRate)
	for minutes, want := range []float64{0.2, 5.2, 10.2, 15.2} {
		p.restore(p.minute.Add(time.Duration(minutes)*time.Minute + time.Second))
		if got := float64(p.limiter.Limit()); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("after %d minutes %v calls a second, want %v", minutes, got, want)
		}
	}
	p.restore(p.minute.Add(time.Hour))
	equal(t, "full", float64(p.limiter.Limit()), 50)

	p = newCallRate(0.1)
	p.throttle(now, now)
	equal(t, "a rate below the lowest stays", float64(p.limiter.Limit()), 0.1)
}

func TestRateStaysWithinItsDeadline(t *testing.T) {
	inBubble(t, &api{}, Config{RateLimit: 0.01}, func(t *testing.T, w *fixture) {
		w.page(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.List(ctx, anyQuery); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestQuotaPausesAllCallsUntilMidnightInShanghai(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		// A bubble's clock starts at midnight UTC, 8:00 in Shanghai.
		midnight := time.Now().Add(16 * time.Hour)
		w.page(t)
		a.lists = []reply{slow(code(45009)), slow(code(45009)), slow(code(45009))}
		var later sync.WaitGroup
		later.Go(func() {
			time.Sleep(time.Hour)
			state, until, why := w.State()
			equal(t, "state", state, StateQuotaExhausted)
			want := "list orders: errcode 45009 what went wrong (rid 6566bde8-1cb6f4b9-2a1f0000); the day's calls are used up: until 2000-01-02 00:00 Asia/Shanghai"
			if why == nil || why.Error() != want {
				t.Errorf("why: %v", why)
			}
			if v := why.(*Error); !v.Until.Equal(midnight) {
				t.Errorf("until %v, want %v", v.Until, midnight)
			}
			if after := until.Sub(midnight); after < 0 || after > time.Minute {
				t.Errorf("until %v after midnight", after)
			}
			if _, err := w.List(t.Context(), anyQuery); err != nil || time.Now().Before(midnight) {
				t.Errorf("a later call: %v", err)
			}
		})
		w.pages(t, 5)
		later.Wait()
		for _, at := range a.times(listPath)[6:] {
			if after := at.Sub(midnight); after < 0 || after > time.Minute {
				t.Errorf("call %v after midnight", after)
			}
		}
		equal(t, "calls", a.count(listPath), 1+5+3+1)
		equal(t, "warnings", w.lines("daily quota used up"), 1)
	})
}

func TestQuotaThatComesBackLateIsLookedForSoon(t *testing.T) {
	a := &api{}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		time.Sleep(16*time.Hour + time.Minute)
		a.lists = []reply{code(45009), code(45009)}
		began := time.Now()
		w.page(t)
		if took := time.Since(began); took < 2*resetRetry || took > 3*resetRetry {
			t.Errorf("waited %v", took)
		}
	})
}

func TestUntilMidnight(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2026-11-23T15:59:59Z":      time.Second,
		"2026-11-23T16:00:00Z":      24 * time.Hour,
		"2026-12-31T23:59:00+08:00": time.Minute,
		"2026-02-28T00:00:01+08:00": 24*time.Hour - time.Second,
	} {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, text, untilMidnight(now), want)
	}
}

// Timers are late by up to a millisecond: calls that had to be 0.1 ms apart would each
// wait as long. So a high rate lets the calls of some milliseconds go out at once.
func TestHighRatesAllowBursts(t *testing.T) {
	for perSecond, want := range map[float64]int{50: 1, 1000: 10, 10_000: 100} {
		synctest.Test(t, func(t *testing.T) {
			r := newCallRate(perSecond)
			began, burst := time.Now(), 0
			for time.Since(began) < time.Second {
				if err := r.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if time.Since(began) == 0 {
					burst++
				}
			}
			equal(t, "calls at once", burst, want)
		})
	}
}
