package window

import "time"

// Pace is how often a live shop is polled, and why.
type Pace struct {
	Interval time.Duration
	// Why the interval is not the configured one: one of the constants below, or empty.
	Why string
}

// Reasons of a pace.
const (
	Idle   = "idle"   // no order has come for a while
	Pushed = "pushes" // pushes tell of the orders; polls are the safety net
	Saving = "quota"  // the day's list calls would not last
)

// Load is what a live shop's pace follows from, beside its policy.
type Load struct {
	// Idle is how long no order has come.
	Idle time.Duration
	// Pushed reports that pushes have told of every order that polls have found lately.
	Pushed bool
	// Scarce is how many times as long the interval of all live walks of the app ID
	// must be for the day's calls to last; at most 1 = they last.
	Scarce float64
}

// slowest bounds the interval that makes the day's calls last, and idleShare is the share
// of the idle time that an interval may be: a shop that pauses is found within a
// quarter of its pause.
const (
	slowest   = time.Hour
	idleShare = 4
)

// PaceOf returns the pace of a live shop.
func PaceOf(p Policy, l Load) Pace {
	longest := max(p.PollInterval, p.PollIntervalMax)
	pace := Pace{Interval: p.PollInterval}
	if idle := min(longest, l.Idle/idleShare); idle > pace.Interval {
		pace = Pace{idle.Truncate(time.Second), Idle}
	}
	if l.Pushed && longest > p.PollInterval {
		pace = Pace{longest, Pushed}
	}
	if l.Scarce > 1 {
		needed := time.Duration(min(float64(slowest), l.Scarce*float64(p.PollInterval)))
		if needed = time.Duration(seconds(needed)) * time.Second; needed > pace.Interval {
			pace = Pace{needed, Saving}
		}
	}
	return pace
}
