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
	"orderwalk/internal/fleet"
)

const (
	// redrawEvery is the interval at which a terminal's progress line is redrawn.
	redrawEvery = 500 * time.Millisecond
	// reportEvery is the interval of progress in the log if stderr is no terminal.
	reportEvery = 15 * time.Second
	// rateOver is the time over which the rate is averaged.
	rateOver = 5 * time.Second
)

// progress formats one line about the shops of this worker. It keeps the last
// few counts for the rate, and the share that was shown last.
type progress struct {
	// before is the number of orders on the topic when the process started.
	before int64
	// since follows the number of orders in the line if before is unknown.
	since string

	past   []sample
	behind int     // number of shops in the last share
	shown  float64 // the last share
}

// sinceStart is progress.since of a process that counts only its own orders.
const sinceStart = " since start"

type sample struct {
	at     time.Time
	orders int64
}

// progressLine is the content of the line at one moment.
type progressLine struct {
	segments []segment
	// share of the backfill that is read, for the bar; negative = none is read.
	share float64
}

// segment is a part of the line. On a narrow terminal, segments of the highest
// rank are dropped first.
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
	rankBar
	rankLag
	rankWindows
)

// line returns the line for all shops at the time now.
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
	first := p.remember(sample{now, orders})
	rate := 0.0
	if over := now.Sub(first.at).Seconds(); over > 0 {
		rate = float64(orders-first.orders) / over
	}

	line := progressLine{share: -1}
	add := func(rank int, text string) { line.segments = append(line.segments, segment{rank, text}) }
	add(rankState, stateText(states, len(shops)))
	if states[connector.StateBackfill] > 0 {
		line.share = p.share(shops, now)
		add(rankShare, fmt.Sprintf("%d%%", int(line.share*100)))
	}
	orders += p.before
	add(rankOrders, fmt.Sprintf("%s %s%s", thousands(orders), plural(int(orders), "order"), p.since))
	add(rankRate, thousands(int64(rate+0.5))+"/s")
	if windows > 0 {
		add(rankWindows, fmt.Sprintf("%d %s open", windows, plural(windows, "window")))
	}
	if lag > 0 {
		add(rankLag, "lag "+lag.Round(time.Second).String())
	}
	return line
}

// share returns the fraction of its range, 0 to 1, that the slowest shop in
// backfill has read, including earlier runs. It does not fall unless another shop
// begins a backfill. Shops that are live or stopped do not count.
func (p *progress) share(shops []connector.ShopStatus, now time.Time) float64 {
	behind := 0
	least := 1.0
	for _, s := range shops {
		switch s.State {
		case connector.StateBackfill, connector.StateStarting:
		case connector.StateElsewhere: // unless another worker has it, it is about to start
			if s.Away {
				continue
			}
		default:
			continue
		}
		behind++
		start := cmp.Or(s.Since, s.Start)
		if s.Start > 0 {
			start = min(start, s.Start)
		}
		read, all := s.Watermark-start, cmp.Or(s.Target, now.Unix())-start
		if all > 0 {
			least = min(least, max(0, float64(read)/float64(all)))
		}
	}
	if behind > p.behind {
		p.shown = 0
	}
	p.behind, p.shown = behind, max(p.shown, least)
	return p.shown
}

// The least and the greatest width of the bar, including its brackets and the
// space after it.
const (
	leastBar = 10
	mostBar  = 33
)

// fit formats the line for a terminal with the given number of columns, 0 =
// unlimited. It drops whole segments if room is short and adds a bar if it is not.
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

// bar draws a share from 0 to 1 as a bar of the given width.
func bar(share float64, width int) string {
	full := min(width, max(0, int(share*float64(width))))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// separator separates the segments of a progress line.
const separator = " · "

// remember adds a sample and returns the oldest one for the rate.
func (p *progress) remember(s sample) sample {
	p.past = append(p.past, s)
	for len(p.past) > 2 && s.at.Sub(p.past[1].at) >= rateOver {
		p.past = p.past[1:]
	}
	return p.past[0]
}

// stateText lists the number of shops in each state, the most active first.
func stateText(states map[connector.State]int, all int) string {
	order := []connector.State{
		connector.StateBackfill, connector.StateLive, connector.StateDone, connector.StateStarting,
		connector.StateExhausted, connector.StateWaiting, connector.StatePaused, connector.StateStopped,
		connector.StateFailed, connector.StateElsewhere, fleet.Unknown,
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

// asBeforeEnd replaces the state elsewhere of the shops of a worker without a
// lane: with starting at its start, and with their last state at its end.
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

// log logs the progress periodically until ctx ends, but only during a
// backfill or after a shop has changed its state.
func (p *progress) log(ctx context.Context, log *slog.Logger, shops func() []connector.ShopStatus) {
	p.line(shops(), time.Now()) // the base of the first rate
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
