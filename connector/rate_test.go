package connector

import (
	"math"
	"testing"
	"time"
)

// A steady shop has its rate from its first second on, and a shop that ends fades out.
func TestRateOfOrders(t *testing.T) {
	var r rate
	begin := time.Now()
	if got := r.of(begin); got != 0 {
		t.Errorf("before the first order: %v", got)
	}
	r.begin(begin)
	r.begin(begin.Add(time.Hour)) // another lane opens: no effect
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.05*want {
			t.Errorf("%s: %v orders a second, want about %v", what, got, want)
		}
	}
	now := begin
	for i := range 10 * 300 {
		now = begin.Add(time.Duration(i+1) * 100 * time.Millisecond)
		r.add(20, now)
		switch now.Sub(begin) {
		case time.Second, 10 * time.Second, rateOver, 300 * time.Second:
			near(now.Sub(begin).String(), r.of(now), 200)
		}
	}
	near("half a minute later", r.of(now.Add(rateOver)), 200/math.E)
	if got := r.of(now.Add(10 * time.Minute)); got > 0.01 {
		t.Errorf("ten minutes later: %v", got)
	}

	// The first commit counts as a second's.
	var burst rate
	burst.begin(begin)
	burst.add(100, begin.Add(time.Millisecond))
	near("a burst", burst.of(begin.Add(2*time.Millisecond)), 100)
}
