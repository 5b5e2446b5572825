package window

import (
	"slices"
	"time"

	"orderwalk/offsets"
)

// Span is a slice of time, [Start, End) in unix seconds.
type Span struct{ Start, End int64 }

// Step is what a shop's walker has to do next.
type Step struct {
	// Open lists the windows to open now, in order; the first begins at the frontier.
	Open []Span
	// Again lists the windows whose second pass is due, but for those of Sweep.
	Again []*offsets.Window
	// Sweep lists windows whose second passes are due that a sweep can read; nil = none.
	Sweep []*offsets.Window
	// Wait is the time until there may be more to do. It is 0 if there is something
	// to do now, or if only an open window can change what is next.
	Wait time.Duration
	// Done reports that a bounded range is read to its end and settled.
	Done bool
}

// Next decides which windows to open, which to read again, or how long to wait.
//
// Second passes go before new windows. Otherwise a shop that never catches up would
// keep every window of its last LOOKBACK.
func Next(c *offsets.Checkpoint, now time.Time, p Policy) Step {
	var s Step
	var due []time.Time
	open := len(c.Open())
	slots := p.Concurrency - open
	// Windows wait in the order of time, so the loop ends at the first one that is not
	// due. Before it stand open windows, a few settled ones beside each, and those
	// that are due.
	settled := open == 0
	for i := 0; i < len(c.Windows); i++ {
		w := c.Windows[i]
		if w.State != offsets.Waiting {
			continue
		}
		settled = false
		if p.Sweeping && w.End <= p.Swept {
			continue
		}
		group := sweepable(c.Windows[i:], p)
		at := secondPassAt(group[len(group)-1], p)
		if at.After(now) {
			due = append(due, at)
			break
		}
		if slots <= 0 {
			break
		}
		if len(group) == 1 {
			s.Again = append(s.Again, w)
			slots--
			continue
		}
		if p.Sweeping || s.Sweep != nil { // one at a time
			break
		}
		s.Sweep = slices.Clone(group)
		slots--
		i += len(group) - 1
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
	if len(s.Open) == 0 && len(s.Again) == 0 && s.Sweep == nil && slots > 0 && !s.Done {
		for _, at := range due {
			if d := at.Sub(now); s.Wait == 0 || d < s.Wait {
				s.Wait = max(d, time.Millisecond)
			}
		}
	}
	return s
}

// evenly shortens the last windows of a backfill that reads several windows at once,
// so that they end at about the same time. It leaves windows of the greatest length
// alone, which hold a page or two: more of them would only be more calls. For the same
// reason none becomes shorter than those of a live shop.
func evenly(room, length int64, p Policy) int64 {
	if p.Concurrency == 1 || length == p.Clamp(Longest) {
		return length
	}
	return max(1, min(length, max(room/int64(p.Concurrency), length/64, seconds(p.PollInterval))))
}

// worthReading reports whether a whole window fits between frontier and horizon: one
// of the given length while backfilling, one of a poll interval when live, one that
// holds an order the vendor has pushed an event of, or the rest of a bounded range.
func worthReading(frontier, horizon, length int64, p Policy) bool {
	room := horizon - frontier
	return room > 0 && (room >= length || room >= seconds(p.PollInterval) || p.End > 0 && horizon == p.LastEnd() ||
		frontier < p.Nudge && p.Nudge <= horizon)
}

// opensAt returns when worthReading becomes true for the next window.
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
