package connector

import (
	"time"

	"orderwalk/offsets"
)

// span is a slice of time that no window covers yet.
type span struct{ start, end int64 }

// step is what a shop's walker has to do next.
type step struct {
	// Open are the windows to open now, in order, beginning at the frontier.
	open []span
	// Again are the windows whose second pass is due.
	again []*offsets.Window
	// Wait is the time until there may be more to do; 0 when there is
	// something to do now, or when only an open window can change anything.
	wait time.Duration
	// Done says that a bounded range is read to its end and settled.
	done bool
}

// next is the whole policy of windows, as a pure function: which windows to
// open, which to read again, or how long to wait.
//
// Second passes go before new windows: a shop that never catches up would
// otherwise keep every window of its last LOOKBACK for ever.
func next(c *offsets.Checkpoint, now time.Time, p Policy) step {
	var s step
	var due []time.Time
	open := len(c.Open())
	slots := p.Concurrency - open
	// Windows wait in the order of time: behind the first one that is not due
	// there is none that is. Before it there are open windows, at most a few
	// settled ones beside each of them, and those that are due.
	settled := open == 0
	for _, w := range c.Windows {
		if w.State != offsets.Waiting {
			continue
		}
		settled = false
		at := time.Unix(w.End, 0).Add(p.Lookback)
		if at.After(now) {
			due = append(due, at)
			break
		}
		if slots <= 0 {
			break
		}
		s.again = append(s.again, w)
		slots--
	}

	frontier, horizon, length := c.Frontier(), p.horizon(now), p.clamp(c.Length)
	if p.End > 0 && frontier >= p.last() {
		s.done = settled
	} else {
		for ; slots > 0 && worthReading(frontier, horizon, length, p); slots-- {
			w := span{frontier, min(frontier+evenly(horizon-frontier, length, p), horizon)}
			s.open = append(s.open, w)
			frontier = w.end
		}
		due = append(due, opensAt(frontier, length, p))
	}
	if len(s.open) == 0 && len(s.again) == 0 && slots > 0 && !s.done {
		for _, at := range due {
			if d := at.Sub(now); s.wait == 0 || d < s.wait {
				s.wait = max(d, time.Millisecond)
			}
		}
	}
	return s
}

// evenly shortens the last windows of a backfill that is read several windows
// at once, so that all of them come to an end at about the same time. It leaves
// the lengths alone that have grown as far as they can: their windows are a page
// or two, and more of them would only be more calls. So would be windows shorter
// than those of a live shop.
func evenly(room, length int64, p Policy) int64 {
	if p.Concurrency == 1 || length == p.clamp(longest) {
		return length
	}
	return max(1, min(length, max(room/int64(p.Concurrency), length/64, seconds(p.PollInterval))))
}

// worthReading says whether there is a whole window between frontier and
// horizon: one of the length asked for while backfilling, one of a poll
// interval when live, one with an order in it that the vendor has told us of, or
// the rest of a bounded range.
func worthReading(frontier, horizon, length int64, p Policy) bool {
	room := horizon - frontier
	return room > 0 && (room >= length || room >= seconds(p.PollInterval) || p.End > 0 && horizon == p.last() ||
		frontier < p.Nudge && p.Nudge <= horizon)
}

// opensAt is when worthReading turns true for the next window.
func opensAt(frontier, length int64, p Policy) time.Time {
	end := frontier + max(1, min(length, seconds(p.PollInterval)))
	if p.End > 0 {
		end = min(end, p.last())
	}
	if p.Nudge > frontier {
		end = min(end, p.Nudge)
	}
	return time.Unix(end, 0).Add(p.SettleDelay)
}

// seconds rounds a duration up: windows have whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
