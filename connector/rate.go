package connector

import (
	"math"
	"time"
)

// rateOver is the time over which a shop's rate is averaged: longer than a live shop
// usually waits between two polls.
const rateOver = 30 * time.Second

// rate measures how many orders a second a shop publishes. Older commits count less: by
// half after rateOver·ln 2. The zero value has seen nothing.
type rate struct {
	since time.Time // when the measurement began
	at    time.Time // of the latest commit
	value float64   // orders a second then
}

// begin starts the measurement, unless it has begun.
func (r *rate) begin(now time.Time) {
	if r.since.IsZero() {
		r.since, r.at = now, now
	}
}

// add notes a commit with some orders.
func (r *rate) add(orders int, now time.Time) {
	r.begin(now)
	r.value = r.value*r.fade(r.at, now) + float64(orders)/rateOver.Seconds()
	r.at = now
}

// of returns orders a second. Until rateOver has passed, it is the average since the
// measurement began.
func (r *rate) of(now time.Time) float64 {
	if r.value == 0 {
		return 0
	}
	least := r.since.Add(time.Second) // else one commit would be a rate of millions
	if now.Before(least) {
		now = least
	}
	return r.value * r.fade(r.at, now) / (1 - r.fade(r.since, now))
}

// fade is the weight at a time of what was counted before it.
func (r *rate) fade(before, now time.Time) float64 {
	return math.Exp(-max(0, now.Sub(before).Seconds()) / rateOver.Seconds())
}
