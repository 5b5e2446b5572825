package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/offsets"
)

// Density describes the number of orders over time, piece by piece.
type Density []Piece

// Piece is a time with a constant number of orders per second.
type Piece struct {
	Start, End int64 // unix seconds
	PerSecond  float64
}

// Orders returns the number of orders from start to end. They are evenly spaced.
func (d Density) Orders(start, end int64) int {
	return int(math.Floor(d.until(end)) - math.Floor(d.until(start)))
}

// until returns the number of orders before a second.
func (d Density) until(at int64) (n float64) {
	for _, p := range d {
		n += p.PerSecond * float64(max(0, min(at, p.End)-p.Start))
	}
	return n
}

// Effort is the cost of reading a range.
type Effort struct {
	// Windows is how many windows are opened; the halves of one that was too full count
	// as two.
	Windows int
	// First and Second are the list calls of first and second passes.
	First, Second int
	// Read is how long the first passes take.
	Read time.Duration
}

// Pattern is how the API answers.
type Pattern struct {
	Density Density
	// Most is how many orders the API lists for one range; 0 = no limit. It refuses a
	// range with more.
	Most int
	// Latency is the duration of a call, PerSecond the rate limit.
	Latency   time.Duration
	PerSecond float64
}

// Play plays the walk of a shop that begins now, with the functions that the walk uses,
// against an API that answers by a pattern. p.Start and p.End must be set. It makes no
// call, and no time passes.
func Play(p window.Policy, now time.Time, api Pattern) Effort {
	f := player{policy: p, api: api, begin: now, now: now, changed: true,
		state: &offsets.Checkpoint{Watermark: p.Start, Length: p.Clamp(0)}}
	for f.step() {
	}
	return f.effort
}

// LiveCalls returns about how many list calls per day a live shop takes with the given
// orders per second: it plays one hour.
func LiveCalls(p window.Policy, perSecond float64) int {
	const hour = 3600
	p.Start, p.End = hour, 2*hour-1
	now := time.Unix(hour, 0).Add(p.SettleDelay)
	effort := Play(p, now, Pattern{Density: Density{{hour, 2 * hour, perSecond}}, PerSecond: 1000})
	return 24 * (effort.First + effort.Second)
}

// player is a walk being played.
type player struct {
	policy  window.Policy
	api     Pattern
	state   *offsets.Checkpoint
	sizer   window.Sizer
	begin   time.Time
	now     time.Time
	free    time.Time // when the rate limit allows the next call
	reading []call
	changed bool // the checkpoint has changed since the last plan
	effort  Effort
}

// call is a list call in progress. Each window being read has one.
type call struct {
	window *offsets.Window
	pages  int // number of pages of the window
	over   time.Time
}

// step advances to the next answer, or to when more can be done; false = the walk is
// over.
func (pl *player) step() bool {
	if pl.changed || len(pl.reading) == 0 {
		if more := pl.plan(); !more {
			return false
		}
	}
	i := 0
	for j := range pl.reading {
		if pl.reading[j].over.Before(pl.reading[i].over) {
			i = j
		}
	}
	if len(pl.reading) > 0 {
		c := pl.reading[i]
		pl.reading = slices.Delete(pl.reading, i, i+1)
		pl.now = c.over
		pl.answer(c)
	}
	return true
}

// plan opens and reads windows until all slots are used. If nothing is being read, time
// advances to when more can be done. more is false at the end.
func (pl *player) plan() (more bool) {
	pl.changed = false
	s := window.Next(pl.state, pl.now, pl.policy)
	window.Open(pl.state, s.Open, pl.policy)
	pl.effort.Windows += len(s.Open)
	for _, w := range s.Again {
		window.Reopen(pl.state, w, pl.policy)
	}
	for i := 0; i < len(pl.state.Open()) && len(pl.reading) < pl.policy.Concurrency; i++ {
		w := pl.state.Open()[i]
		if !slices.ContainsFunc(pl.reading, func(c call) bool { return c.window == w }) {
			w = window.Fit(pl.state, w, pl.policy)
			w.Opened = cmp.Or(w.Opened, pl.now.Unix())
			pl.call(w, pl.pages(w))
		}
	}
	if len(pl.reading) == 0 {
		pl.now = pl.now.Add(s.Wait)
		return !s.Done && s.Wait > 0
	}
	return true
}

// pages returns how many pages a window has; the last one is not full.
func (pl *player) pages(w *offsets.Window) int {
	return max(1, (pl.api.Density.Orders(w.Start, w.End)+pl.policy.PageSize-1)/pl.policy.PageSize)
}

// call begins a list call, within the rate limit.
func (pl *player) call(w *offsets.Window, pages int) {
	if pl.free.Before(pl.now) {
		pl.free = pl.now
	}
	pl.reading = append(pl.reading, call{w, pages, pl.free.Add(pl.api.Latency)})
	pl.free = pl.free.Add(time.Duration(float64(time.Second) / pl.api.PerSecond))
}

// answer applies the answer of a call.
func (pl *player) answer(c call) {
	w, first := c.window, c.window.Pass == 1
	if first {
		pl.effort.First++
	} else {
		pl.effort.Second++
	}
	if n := pl.api.Density.Orders(w.Start, w.End); pl.api.Most > 0 && n > pl.api.Most && first {
		pl.sizer.Refused()
		pl.changed = true
		if window.Halve(pl.state, w, pl.policy) {
			pl.effort.Windows++
			return
		}
	}
	if w.Pages++; w.Pages < c.pages {
		if window.Cut(pl.state, w, pl.policy) {
			pl.effort.Windows++
			pl.changed = true
		} else {
			pl.call(w, c.pages)
		}
		return
	}
	pl.changed = true
	if first {
		if pl.api.Density.Orders(w.Start, w.End) > 0 {
			w.See("0") // any ID: only whether the window is empty matters
		}
		pl.sizer.Adapt(pl.state, w, pl.policy)
		pl.effort.Read = pl.now.Sub(pl.begin)
	}
	window.Finish(pl.state, w, pl.policy)
}
