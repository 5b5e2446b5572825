package window

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"orderwalk/offsets"
)

// backfilled reads a range of sparse orders with several windows in flight, from an API that
// refuses windows as full says, and returns how many calls that took and how many of these
// were refused.
func backfilled(t *testing.T, days int64, concurrency int, full func(call int, length int64) bool) (calls, refused int) {
	t.Helper()
	p := standard()
	p.Concurrency, p.Lookback = concurrency, 0
	p.Start = 1_000_000
	p.End = p.Start + days*24*3600
	state := &offsets.Checkpoint{Watermark: p.Start, Begin: p.Start}
	now := time.Unix(p.End+1000, 0)
	var a Sizer
	var reading []*offsets.Window
	for {
		s := Next(state, now, p)
		Open(state, s.Open, p)
		if s.Done {
			return calls, refused
		}
		for i := 0; i < len(state.Open()) && len(reading) < concurrency; i++ {
			if w := state.Open()[i]; !slices.Contains(reading, w) {
				reading = append(reading, Fit(state, w, p))
			}
		}
		w := reading[0]
		reading = reading[1:]
		if calls++; calls > 100_000 {
			t.Fatal("does not come to an end")
		}
		if full(calls, w.End-w.Start) {
			refused++
			a.Refused()
			if Halve(state, w, p) {
				continue
			}
		}
		w.Pages = 1
		w.See("1")
		a.Adapt(state, w, p)
		Finish(state, w, p)
	}
}

// TestWindowsGrowAgainAfterAStorm: an API refuses lists as too full at random for a while.
// Windows are a second long then. They grow again to days.
func TestWindowsGrowAgainAfterAStorm(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		const storm = 500
		concurrency := 1 + rnd.IntN(8)
		calls, _ := backfilled(t, 365, concurrency, func(call int, _ int64) bool { return call < storm && rnd.IntN(3) == 0 })
		if most := storm + 600; calls > most {
			t.Errorf("seed %d, %d windows at once: %d calls for a year, want at most %d", seed, concurrency, calls, most)
		}
	}
}

// TestADenseShopIsSeldomRefused: an API never lists the orders of longer windows. A refusal
// costs a call, so the length that it allows is seldom exceeded.
func TestADenseShopIsSeldomRefused(t *testing.T) {
	for _, most := range []int64{1, 3, 10, 100, 1000, 3600, 5000} {
		for _, concurrency := range []int{1, 3, 8} {
			days := max(1, 2000*most/(24*3600))
			calls, refused := backfilled(t, days, concurrency, func(_ int, length int64) bool { return length > most })
			if calls < 1000 || refused > calls/8 {
				t.Errorf("most %d s, %d windows at once: %d of %d calls refused", most, concurrency, refused, calls)
			}
		}
	}
}
