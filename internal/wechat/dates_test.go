package wechat

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTheSlowestClockOfTheLastMinuteCounts: of the Dates of the last minute the earliest one
// decides what Now returns, unless it is of the same clock as the latest, or of one that is
// broken.
func TestTheSlowestClockOfTheLastMinuteCounts(t *testing.T) {
	type heard struct{ offset, after time.Duration }
	const s = time.Second
	for name, c := range map[string]struct {
		answers       []heard // each with a Date off by offset, and what passes after it
		now, theirNow time.Duration
	}{
		"one answer":                            {answers: []heard{{-20 * s, 0}}, now: -20 * s, theirNow: -20 * s},
		"a gateway ahead":                       {answers: []heard{{-20 * s, 5 * s}, {0, 0}}, now: -20 * s},
		"a gateway ahead of both clocks":        {answers: []heard{{-20 * s, 5 * s}, {30 * s, 0}}, now: -20 * s, theirNow: 30 * s},
		"the latest is the slowest":             {answers: []heard{{0, 5 * s}, {-20 * s, 0}}, now: -20 * s, theirNow: -20 * s},
		"between two others":                    {answers: []heard{{-20 * s, s}, {-10 * s, s}, {0, 0}}, now: -20 * s},
		"behind the latest, ahead of this one":  {answers: []heard{{10 * s, s}, {40 * s, 0}}, theirNow: 40 * s},
		"the same clock, cut to the second":     {answers: []heard{{-1 * s, s}, {0, 0}}},
		"a second later it is the same still":   {answers: []heard{{0, s}, {-1 * s, 0}}, now: -1 * s, theirNow: -1 * s},
		"two seconds":                           {answers: []heard{{-2 * s, s}, {0, 0}}, now: -2 * s},
		"for a minute":                          {answers: []heard{{-20 * s, 30 * s}, {0, 29 * s}}, now: -20 * s},
		"not for longer":                        {answers: []heard{{-20 * s, 30 * s}, {0, 30 * s}}},
		"repeated":                              {answers: []heard{{-20 * s, 30 * s}, {-20 * s, s}, {0, 58 * s}}, now: -20 * s},
		"a minute behind the latest":            {answers: []heard{{-60 * s, s}, {0, 0}}, now: -60 * s},
		"a broken clock, farther behind":        {answers: []heard{{-61 * s, s}, {0, 0}}},
		"a broken clock does not hide another":  {answers: []heard{{-20 * s, s}, {-3 * time.Hour, s}, {0, 0}}, now: -20 * s},
		"nor does one that is just too far":     {answers: []heard{{-20 * s, s}, {-70 * s, s}, {0, 0}}, now: -20 * s},
		"this machine's clock is behind both":   {answers: []heard{{20 * s, s}, {40 * s, 0}}, theirNow: 40 * s},
		"this machine's clock is ahead of both": {answers: []heard{{-2*time.Hour - 20*s, s}, {-2 * time.Hour, 0}}, now: -2*time.Hour - 20*s, theirNow: -2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &Host{}
				for _, a := range c.answers {
					h.noteAnswer(dated(time.Now().Add(a.offset)), time.Now())
					time.Sleep(a.after)
				}
				now, heard := h.Now()
				equal(t, "heard", heard, true)
				equal(t, "now", time.Until(now), c.now)
				equal(t, "the latest", time.Until(h.APINow()), c.theirNow)
			})
		})
	}
}

// TestFewDatesAreKept: of thousands of answers a second only those that can count are kept,
// and of any number of odd clocks a hundred.
func TestFewDatesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Host{}
		for range 2000 {
			h.noteAnswer(dated(time.Now()), time.Now())
			h.noteAnswer(dated(time.Now().Add(-20*time.Second)), time.Now())
			time.Sleep(37 * time.Millisecond)
		}
		if n := len(h.dates); n > 10 {
			t.Errorf("%d Dates are kept of two clocks", n)
		}
		for i := range 1000 {
			h.noteAnswer(dated(time.Now().Add(-time.Duration(i*7919%1000)*time.Hour)), time.Now())
		}
		equal(t, "kept of a thousand clocks", len(h.dates), mostDates)
	})
}
