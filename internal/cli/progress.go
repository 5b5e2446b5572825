package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

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
// the last few counts to tell the rate.
type progress struct {
	past []sample
	// since is added to the number of orders where it may not be all there are:
	// a process counts its own.
	since string
}

// sinceStart is progress.since of dev, whose topic outlives the process.
const sinceStart = " since start"

type sample struct {
	at     time.Time
	orders int64
	share  float64
}

// separator stands between the parts of a progress line.
const separator = " · "

// line describes all shops together at the time now.
func (p *progress) line(shops []connector.ShopStatus, now time.Time) string {
	var orders int64
	var windows, behind int
	var lag time.Duration
	share := 0.0
	states := map[connector.State]int{}
	for _, s := range shops {
		orders += s.Published
		windows += s.Windows
		states[s.State]++
		if s.State == connector.StateBackfill {
			share += s.Progress()
			behind++
		}
		if s.State == connector.StateLive {
			lag = max(lag, s.Lag(now))
		}
	}
	share /= float64(max(behind, 1))
	first := p.remember(sample{now, orders, share})
	over := now.Sub(first.at).Seconds()
	var rate, gain float64
	if over > 0 {
		rate, gain = float64(orders-first.orders)/over, (share-first.share)/over
	}

	parts := []string{stateText(states, len(shops)), thousands(orders) + " orders" + p.since, thousands(int64(rate+0.5)) + "/s"}
	if windows > 0 {
		parts = append(parts, fmt.Sprintf("%d %s open", windows, plural(windows, "window")))
	}
	if behind > 0 {
		text := fmt.Sprintf("%.0f%%", share*100)
		if gain > 0 {
			text += ", ready in " + time.Duration((1-share)/gain*float64(time.Second)).Round(time.Second).String()
		}
		parts = append(parts, text)
	}
	if lag > 0 {
		parts = append(parts, "lag "+lag.Round(time.Second).String())
	}
	return strings.Join(parts, separator)
}

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
func draw(ctx context.Context, s *statusLine, columns func() int, status func() []connector.ShopStatus) {
	defer s.end()
	p := progress{since: sinceStart}
	var before []connector.ShopStatus
	redraw := func() {
		before = asBeforeEnd(before, status())
		s.set(p.line(before, time.Now()), columns())
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

// logProgress logs the progress now and then until ctx ends, as long as there
// is news: backfill under way, or a shop that has changed its state.
func logProgress(ctx context.Context, log *slog.Logger, status func() []connector.ShopStatus) {
	p := progress{since: sinceStart}
	p.line(status(), time.Now()) // what the first rate is compared with
	last := ""
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		shops := status()
		line := p.line(shops, time.Now())
		states := ""
		backfill := false
		for _, s := range shops {
			states += string(s.State) + " "
			backfill = backfill || s.State == connector.StateBackfill
		}
		if backfill || states != last {
			log.Info("progress: " + line)
		}
		last = states
	}
}
