package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderwalk/connector"
)

const (
	// redrawEvery is how often the progress line of a terminal is redrawn.
	redrawEvery = 500 * time.Millisecond
	// reportEvery is how often progress is logged where there is no terminal.
	reportEvery = 15 * time.Second
	// rateOver is the time over which the rate is averaged.
	rateOver = 5 * time.Second
)

// progress makes one line of what the shops of this worker are doing. It keeps
// the last few counts for the rate, and the share that has been shown.
type progress struct {
	// before is how many orders were on the topic when the process started.
	before int64
	// since is added to the number of orders where before is not known.
	since string

	past  []sample
	shops int
	shown float64
}

// sinceStart is progress.since of a process that counts only its own orders.
const sinceStart = " since start"

type sample struct {
	at     time.Time
	orders int64
	share  float64
}

// progressLine is what the line says at one moment.
type progressLine struct {
	segments []segment
	// share of the backfill that is read, for the bar; negative = none is read.
	share float64
}

// segment is a part of the line. Where room is short those of the highest rank go
// first.
type segment struct {
	rank int
	text string
}

// The ranks of the segments, and of the bar.
const (
	rankState = iota
	rankShare
	rankOrders
	rankRate
	rankLeft
	rankBar
	rankWindows
)

// line describes all shops together at the time now.
func (p *progress) line(shops []connector.ShopStatus, now time.Time) progressLine {
	var orders int64
	var windows int
	var lag time.Duration
	states := map[connector.State]int{}
	for _, s := range shops {
		orders += s.Published
		windows += s.Windows
		states[s.State]++
		if s.State == connector.StateLive {
			lag = max(lag, s.Lag(now))
		}
	}
	share := p.share(shops, now)
	first := p.remember(sample{now, orders, share})
	over := now.Sub(first.at).Seconds()
	var rate, gain float64
	if over > 0 {
		rate, gain = float64(orders-first.orders)/over, (share-first.share)/over
	}

	line := progressLine{share: -1}
	add := func(rank int, text string) { line.segments = append(line.segments, segment{rank, text}) }
	add(rankState, stateText(states, len(shops)))
	if states[connector.StateBackfill] > 0 {
		line.share = share
		add(rankShare, fmt.Sprintf("%d%%", int(share*100)))
	}
	orders += p.before
	add(rankOrders, fmt.Sprintf("%s %s%s", thousands(orders), plural(int(orders), "order"), p.since))
	add(rankRate, thousands(int64(rate+0.5))+"/s")
	if windows > 0 {
		add(rankWindows, fmt.Sprintf("%d %s open", windows, plural(windows, "window")))
	}
	if line.share >= 0 && gain > 0 {
		left := time.Duration((1 - share) / gain * float64(time.Second))
		add(rankLeft, "about "+left.Round(time.Second).String()+" left")
	}
	if lag > 0 {
		add(rankLeft, "lag "+lag.Round(time.Second).String())
	}
	return line
}

// share is how much of the time that all shops have to read they have read, 0 to
// 1. It counts from where the shops were first to begin, also in earlier runs, and
// it does not fall as long as the shops are the same.
func (p *progress) share(shops []connector.ShopStatus, now time.Time) float64 {
	var read, all int64
	here := 0
	for _, s := range shops {
		if s.Away {
			continue
		}
		here++
		start := cmp.Or(s.Start, s.Since)
		if s.Since > 0 {
			start = min(start, s.Since)
		}
		if start == 0 {
			continue // not known yet
		}
		end := max(start, cmp.Or(s.Target, now.Unix()))
		all += end - start
		switch s.State {
		case connector.StateLive, connector.StateDone:
			read += end - start
		default:
			read += min(end, max(start, s.Watermark)) - start
		}
	}
	if here != p.shops {
		p.shops, p.shown = here, 0
	}
	if all > 0 {
		p.shown = max(p.shown, float64(read)/float64(all))
	}
	return p.shown
}

// The least and the greatest width of the bar, with its brackets and the space
// behind it.
const (
	leastBar = 13
	mostBar  = 33
)

// fit makes the line for a terminal of so many columns, 0 = any number: it leaves
// out whole segments where room is short, and has a bar where it is not.
func (s progressLine) fit(columns int) string {
	for most := rankWindows; most >= rankState; most-- {
		var kept []string
		for _, g := range s.segments {
			if g.rank <= most {
				kept = append(kept, g.text)
			}
		}
		line := strings.Join(kept, separator)
		room := columns - 1 - utf8.RuneCountInString(line) // the cursor needs one
		switch {
		case columns <= 0:
			return line
		case s.share >= 0 && most >= rankBar && room >= leastBar:
			return strings.Replace(line, separator, separator+bar(s.share, min(room, mostBar)-3)+" ", 1)
		case (s.share < 0 || most < rankBar) && room >= 0:
			return line
		}
	}
	return ""
}

// bar is full when the share is 1.
func bar(share float64, width int) string {
	full := min(width, max(0, int(share*float64(width))))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// separator stands between the parts of a progress line.
const separator = " · "

// remember adds a sample and returns the one to compare it with.
func (p *progress) remember(s sample) sample {
	p.past = append(p.past, s)
	for len(p.past) > 2 && s.at.Sub(p.past[1].at) >= rateOver {
		p.past = p.past[1:]
	}
	return p.past[0]
}

// stateText says how many shops are in which state, the liveliest first.
func stateText(states map[connector.State]int, all int) string {
	order := []connector.State{
		connector.StateBackfill, connector.StateLive, connector.StateDone, connector.StateStarting,
		connector.StateExhausted, connector.StateWaiting, connector.StateFailed, connector.StateElsewhere,
	}
	var parts []string
	for _, s := range order {
		switch n := states[s]; {
		case n > 0 && n == all && n == 1:
			parts = append(parts, string(s))
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "no shop here"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// draw redraws the progress line until ctx ends.
func (p *progress) draw(ctx context.Context, s *statusLine, columns func() int, shops func() []connector.ShopStatus) {
	defer s.end()
	var before []connector.ShopStatus
	redraw := func() {
		before = asBeforeEnd(before, shops())
		width := columns()
		s.set(p.line(before, time.Now()).fit(width), width)
	}
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		redraw()
		select {
		case <-ctx.Done():
			redraw()
			return
		case <-ticker.C:
		}
	}
}

// asBeforeEnd gives the shops of a worker without any lane a state that says
// more than elsewhere: at its end the one they had before, at its begin starting.
func asBeforeEnd(before, now []connector.ShopStatus) []connector.ShopStatus {
	if slices.ContainsFunc(now, func(s connector.ShopStatus) bool { return s.State != connector.StateElsewhere }) {
		return now
	}
	for i := range now {
		now[i].State = connector.StateStarting
		if len(before) == len(now) {
			now[i].State = before[i].State
		}
	}
	return now
}

// log logs the progress now and then until ctx ends, as long as there is news: a
// backfill under way, or a shop that has changed its state.
func (p *progress) log(ctx context.Context, log *slog.Logger, shops func() []connector.ShopStatus) {
	p.line(shops(), time.Now()) // what the first rate is compared with
	last := ""
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := shops()
		line := p.line(now, time.Now()).fit(0)
		states := ""
		backfill := false
		for _, s := range now {
			states += string(s.State) + " "
			backfill = backfill || s.State == connector.StateBackfill
		}
		if backfill || states != last {
			log.Info("progress: " + line)
		}
		last = states
	}
}
