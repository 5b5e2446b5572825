package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/offsets"
)

// Density says how many orders there are in a time, piece by piece.
type Density []Piece

// Piece is a time with so many orders in every second.
type Piece struct {
	Start, End int64 // unix seconds
	PerSecond  float64
}

// Orders is how many there are from start to end. They come evenly, one by one.
func (d Density) Orders(start, end int64) int {
	return int(math.Floor(d.until(end)) - math.Floor(d.until(start)))
}

// until is how many there are before a second.
func (d Density) until(at int64) (n float64) {
	for _, p := range d {
		n += p.PerSecond * float64(max(0, min(at, p.End)-p.Start))
	}
	return n
}

// Effort is what reading a range costs.
type Effort struct {
	// Windows are those that are opened; halves of one that was too full are two.
	Windows int
	// First and Second are the list calls of first and second passes.
	First, Second int
	// Read is how long the first passes take.
	Read time.Duration
}

// Pattern is how the API answers.
type Pattern struct {
	Density Density
	// Most is how many orders it lists for one range; 0 = any number. A call for
	// more is refused.
	Most int
	// Latency of a call, and how many may be made in a second.
	Latency   time.Duration
	PerSecond float64
}

// Play plays the walk of a shop that begins now, by the very functions that
// the walk goes by, with p.Start and p.End set, against an API that answers by a
// pattern. Nothing is called, and no time passes.
func Play(p window.Policy, now time.Time, api Pattern) Effort {
	f := player{policy: p, api: api, begin: now, now: now, changed: true,
		state: &offsets.Checkpoint{Watermark: p.Start, Length: p.Clamp(0)}}
	for f.step() {
	}
	return f.effort
}

// LiveCalls is about how many list calls a day it takes to follow a shop with so
// many orders in a second: those of an hour that is played.
func LiveCalls(p window.Policy, perSecond float64) int {
	const hour = 3600
	p.Start, p.End = hour, 2*hour-1
	now := time.Unix(hour, 0).Add(p.SettleDelay)
	effort := Play(p, now, Pattern{Density: Density{{hour, 2 * hour, perSecond}}, PerSecond: 1000})
	return 24 * (effort.First + effort.Second)
}

// forecast is a walk as it is played.
type player struct {
	policy  window.Policy
	api     Pattern
	state   *offsets.Checkpoint
	pace    window.Sizer
	begin   time.Time
	now     time.Time
	free    time.Time // when the next call may go out
	reading []call
	changed bool // since the last plan
	effort  Effort
}

// call is a list call under way, of which each window that is read has one.
type call struct {
	window *offsets.Window
	pages  int // the window has
	over   time.Time
}

// step goes on to the next answer, or to when there is more to do; false when
// there is nothing more.
func (f *player) step() bool {
	if f.changed || len(f.reading) == 0 {
		if more := f.plan(); !more {
			return false
		}
	}
	i := 0
	for j := range f.reading {
		if f.reading[j].over.Before(f.reading[i].over) {
			i = j
		}
	}
	if len(f.reading) > 0 {
		c := f.reading[i]
		f.reading = slices.Delete(f.reading, i, i+1)
		f.now = c.over
		f.answer(c)
	}
	return true
}

// plan begins what there is to read now; if there is nothing, time goes on to
// when there is. It reports false at the end.
func (f *player) plan() (more bool) {
	f.changed = false
	s := window.Next(f.state, f.now, f.policy)
	window.Open(f.state, s.Open, f.policy)
	f.effort.Windows += len(s.Open)
	for _, w := range s.Again {
		window.Reopen(f.state, w, f.policy)
	}
	for i := 0; i < len(f.state.Open()) && len(f.reading) < f.policy.Concurrency; i++ {
		w := f.state.Open()[i]
		if !slices.ContainsFunc(f.reading, func(c call) bool { return c.window == w }) {
			w = window.Fit(f.state, w, f.policy)
			w.Opened = cmp.Or(w.Opened, f.now.Unix())
			f.call(w, f.pages(w))
		}
	}
	if len(f.reading) == 0 {
		f.now = f.now.Add(s.Wait)
		return !s.Done && s.Wait > 0
	}
	return true
}

// pages is how many pages a window has, the last of them not full.
func (f *player) pages(w *offsets.Window) int {
	return max(1, (f.api.Density.Orders(w.Start, w.End)+f.policy.PageSize-1)/f.policy.PageSize)
}

// call begins a list call, within the rate.
func (f *player) call(w *offsets.Window, pages int) {
	if f.free.Before(f.now) {
		f.free = f.now
	}
	f.reading = append(f.reading, call{w, pages, f.free.Add(f.api.Latency)})
	f.free = f.free.Add(time.Duration(float64(time.Second) / f.api.PerSecond))
}

// answer takes in what a call brings.
func (f *player) answer(c call) {
	w, first := c.window, c.window.Pass == 1
	if first {
		f.effort.First++
	} else {
		f.effort.Second++
	}
	if n := f.api.Density.Orders(w.Start, w.End); f.api.Most > 0 && n > f.api.Most && first {
		f.pace.Refused()
		f.changed = true
		if window.Halve(f.state, w, f.policy) {
			f.effort.Windows++
			return
		}
	}
	if w.Pages++; w.Pages < c.pages {
		if window.Cut(f.state, w, f.policy) {
			f.effort.Windows++
			f.changed = true
		} else {
			f.call(w, c.pages)
		}
		return
	}
	f.changed = true
	if first {
		if f.api.Density.Orders(w.Start, w.End) > 0 {
			w.See("0") // any: what matters is that there are some
		}
		f.pace.Adapt(f.state, w, f.policy)
		f.effort.Read = f.now.Sub(f.begin)
	}
	window.Finish(f.state, w, f.policy)
}
