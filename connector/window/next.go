package window

import (
	"time"

	"orderwalk/offsets"
)

// Span is a slice of time that no window covers yet.
type Span struct{ Start, End int64 }

// Step is what a shop's walker has to do next.
type Step struct {
	// Open are the windows to open now, in order, beginning at the frontier.
	Open []Span
	// Again are the windows whose second pass is due.
	Again []*offsets.Window
	// Wait is the time until there may be more to do; 0 when there is
	// something to do now, or when only an open window can change anything.
	Wait time.Duration
	// Done says that a bounded range is read to its end and settled.
	Done bool
}

// Next is the whole policy of windows, as a pure function: which windows to
// open, which to read again, or how long to wait.
//
// Second passes go before new windows: a shop that never catches up would
// otherwise keep every window of its last LOOKBACK for ever.
func Next(c *offsets.Checkpoint, now time.Time, p Policy) Step {
	var s Step
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
		s.Again = append(s.Again, w)
		slots--
	}

	frontier, horizon, length := c.Frontier(), p.LatestEnd(now), p.Clamp(c.Length)
	if p.End > 0 && frontier >= p.LastEnd() {
		s.Done = settled
	} else {
		for ; slots > 0 && worthReading(frontier, horizon, length, p); slots-- {
			w := Span{frontier, min(frontier+evenly(horizon-frontier, length, p), horizon)}
			s.Open = append(s.Open, w)
			frontier = w.End
		}
		due = append(due, opensAt(frontier, length, p))
	}
	if len(s.Open) == 0 && len(s.Again) == 0 && slots > 0 && !s.Done {
		for _, at := range due {
			if d := at.Sub(now); s.Wait == 0 || d < s.Wait {
				s.Wait = max(d, time.Millisecond)
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
	if p.Concurrency == 1 || length == p.Clamp(Longest) {
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
	return room > 0 && (room >= length || room >= seconds(p.PollInterval) || p.End > 0 && horizon == p.LastEnd() ||
		frontier < p.Nudge && p.Nudge <= horizon)
}

// opensAt is when worthReading turns true for the next window.
func opensAt(frontier, length int64, p Policy) time.Time {
	end := frontier + max(1, min(length, seconds(p.PollInterval)))
	if p.End > 0 {
		end = min(end, p.LastEnd())
	}
	if p.Nudge > frontier {
		end = min(end, p.Nudge)
	}
	return time.Unix(end, 0).Add(p.SettleDelay)
}

// seconds rounds a duration up: windows have whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
