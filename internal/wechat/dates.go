package wechat

import (
	"slices"
	"time"
)

const (
	// dateCounts is how long a Date counts beside the latest one.
	dateCounts = time.Minute
	// farBehind is how far a Date may be behind the latest one. A farther one comes from a
	// broken clock, which would hold every window back.
	farBehind = time.Minute
	// sameClock bounds how much two readings of one clock differ: a Date is cut to the
	// second, and answers take different times.
	sameClock = 2 * time.Second
	// hardlyEarlier is how much earlier an old reading is that a new one stands for.
	hardlyEarlier = 250 * time.Millisecond
	// mostDates bounds the Dates that are kept.
	mostDates = 100
)

// reading is a Date, and when it came by the local clock.
type reading struct{ date, at time.Time }

// on returns what the clock of a reading shows now.
func (r reading) on(now time.Time) time.Time { return r.date.Add(now.Sub(r.at)) }

// dates are the readings of the last minute, oldest first. The machines that answer for
// the API, such as its gateways, have clocks of their own. A window must not end later
// than the slowest of those that list orders shows, or it is read before its last orders
// exist.
type dates []reading

// note adds a reading. It replaces those of the same clock that are not earlier, and stands
// for those that are hardly so: with thousands of answers a second few are kept.
func (d *dates) note(r reading) {
	first := r.date
	*d = slices.DeleteFunc(*d, func(old reading) bool {
		if r.at.Sub(old.at) >= dateCounts {
			return true
		}
		later := old.on(r.at).Sub(r.date)
		if later <= -hardlyEarlier || later >= sameClock {
			return false
		}
		if shows := r.date.Add(later); shows.Before(first) {
			first = shows
		}
		return true
	})
	if *d = append(*d, reading{first, r.at}); len(*d) > mostDates {
		*d = slices.Delete(*d, 0, 1)
	}
}

// earliest returns what the slowest clock that counts beside the latest reading shows now.
func (d dates) earliest(latest reading, now time.Time) time.Time {
	theirs := latest.on(now)
	first := theirs
	for _, r := range d {
		clock := r.on(now)
		if behind := theirs.Sub(clock); now.Sub(r.at) < dateCounts && behind >= sameClock && behind <= farBehind && clock.Before(first) {
			first = clock
		}
	}
	return first
}
