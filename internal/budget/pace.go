package budget

import (
	"slices"
	"time"
)

const (
	// spare is the part of the day's calls that is not planned with: edges that have to
	// be looked up, and what other programs call.
	spare = 0.03
	// firstPerPoll is how many calls a poll takes until they have been counted: its own,
	// and its part of a second pass.
	firstPerPoll = 1.05
	mostPerPoll  = 10
)

// Polls adds a walk that polls once in an interval to the live walks of the app ID, or
// changes its interval; 0 removes it.
func (b *Budget) Polls(walk any, interval time.Duration) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch i := slices.IndexFunc(b.live, func(l liveWalk) bool { return l.walk == walk }); {
	case i < 0 && interval > 0:
		b.live = append(b.live, liveWalk{walk, interval})
	case i >= 0 && interval > 0:
		b.live[i].interval = interval
	case i >= 0:
		b.live = slices.Delete(b.live, i, i+1)
	}
}

// liveWalk is a walk that polls.
type liveWalk struct {
	walk     any
	interval time.Duration
}

// Polled notes that a live walk has begun a poll.
func (b *Budget) Polled() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls++
}

// Scarce returns how many times as long the intervals of the live walks must be for the
// day's calls to last; 1 = they last, or the calls of the day are not known.
func (b *Budget) Scarce() float64 {
	if b == nil {
		return 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	r := b.today(now)
	if r.ends.IsZero() {
		return 1
	}
	left := (1 - spare) * float64(r.remaining()) * r.part
	return max(1, b.need(now, r)/max(1, left))
}

// need returns how many calls this worker's live walks take until the day ends. The
// caller holds mu.
func (b *Budget) need(now time.Time, r day) (calls float64) {
	for _, l := range b.live {
		calls += r.ends.Sub(now).Seconds() / l.interval.Seconds()
	}
	return calls * b.perPoll(now)
}

// perPoll returns how many calls a poll has taken lately, second passes and further pages
// included. The caller holds mu.
func (b *Budget) perPoll(now time.Time) float64 {
	b.pollRate.note(now, b.polls)
	b.liveRate.note(now, b.liveCalls)
	polls := b.pollRate.perSecond(now, b.polls)
	if polls == 0 {
		return firstPerPoll
	}
	return min(mostPerPoll, max(1, b.liveRate.perSecond(now, b.liveCalls)/polls))
}
