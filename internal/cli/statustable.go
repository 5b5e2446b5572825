package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
)

// Columns of the table that are cut when the line is too long.
const (
	shopColumn, workerColumn = 0, 7
	narrowest                = 8
)

// statusTable is the table of shops, at most columns wide and at most rows shops, with a
// summary of all of them if there are several. If rows do not suffice, the shops that
// need an operator come first.
func statusTable(shops []reportedShop, now time.Time, columns, rows int) string {
	shown := shops
	if len(shops) > rows {
		shown = slices.Clone(shops)
		slices.SortStableFunc(shown, func(a, b reportedShop) int { return urgency(a.State) - urgency(b.State) })
		shown = shown[:rows]
	}
	table := [][]string{{"SHOP", "STATE", "FOR", "WATERMARK", "LAG", "RATE", "QUOTA", "WORKER"}}
	for _, s := range shown {
		table = append(table, statusRow(s.Shop, now))
	}
	widths := fitColumns(table, columns)
	var b strings.Builder
	for i, row := range table {
		line := ""
		for c, cell := range row {
			line += fmt.Sprintf("%-*s  ", widths[c], shorten(cell, widths[c]))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		if i > 0 {
			b.WriteString(remarks(shown[i-1].Shop, now))
		}
	}
	if more := len(shops) - len(shown); more > 0 {
		fmt.Fprintf(&b, "… and %s more\n", thousands(int64(more)))
	}
	if len(shops) != 1 {
		b.WriteString(summary(shops))
	}
	return b.String()
}

func statusRow(s fleet.Shop, now time.Time) []string {
	row := []string{s.Name, stateAndTarget(s), "-", "-", "-", "-", "-", s.Worker}
	if s.Since > 0 {
		row[2] = shortDuration(now.Sub(time.Unix(s.Since, 0)))
	}
	if s.Watermark > 0 {
		at := time.Unix(s.Watermark, 0)
		row[3] = at.Format("01-02 15:04:05")
		if at.Year() != now.Year() {
			row[3] = at.Format("2006-01-02")
		}
	}
	if s.Lag > 0 {
		row[4] = shortDuration(time.Duration(s.Lag * float64(time.Second)))
	}
	if s.State != fleet.Unknown {
		row[5] = rateText(s.Rate)
	}
	if s.CallsLeft != nil {
		row[6] = callsText(*s.CallsLeft)
	}
	if row[7] == "" {
		row[7] = "-"
	}
	return row
}

// rateText writes orders a second; small numbers have a decimal.
func rateText(rate float64) string {
	if rate > 0 && rate < 9.95 {
		return fmt.Sprintf("%.1f/s", max(0.1, rate))
	}
	return thousands(int64(rate+0.5)) + "/s"
}

// callsText writes a number of calls; of large ones, thousands.
func callsText(n int64) string {
	if n < 10_000 {
		return thousands(n)
	}
	return thousands(n/1000) + "k"
}

// remarks are the lines below a shop: the reason of its state, and when its calls run out.
func remarks(s fleet.Shop, now time.Time) string {
	text := s.Reason
	if at := time.Unix(s.CallsEnd, 0); s.CallsEnd > 0 && at.After(now) {
		text = strings.TrimPrefix(text+"; ", "; ") + "at this rate the day's list calls run out at " + at.Format("15:04") + ", in " + shortDuration(at.Sub(now))
	}
	if s.PollWhy != "" {
		text = strings.TrimPrefix(text+"; ", "; ") + "polled every " + shortDuration(time.Duration(s.Poll*float64(time.Second))) + " " + map[string]string{
			window.Idle: "while no order comes", window.Pushed: "while pushes tell of the orders", window.Saving: "so that the day's list calls last"}[s.PollWhy]
	}
	if text == "" {
		return ""
	}
	return wrap("  ", "  ", text)
}

// stateAndTarget is the state of a shop, with what an operator wants if it differs.
func stateAndTarget(s fleet.Shop) string {
	reached := true
	switch s.Target {
	case desired.Paused:
		reached = s.State == connector.StatePaused
	case desired.Stopped:
		reached = s.State == connector.StateStopped
	case desired.Running:
		reached = s.State != connector.StatePaused && s.State != connector.StateStopped
	}
	if reached {
		return string(s.State)
	}
	return fmt.Sprintf("%s→%s", s.State, s.Target)
}

// urgency orders states: those that need an operator first.
func urgency(s connector.State) int {
	order := []connector.State{connector.StateFailed, fleet.Unknown, connector.StateWaiting, connector.StateExhausted,
		connector.StateStarting, connector.StateBackfill, connector.StatePaused, connector.StateStopped, connector.StateLive, connector.StateDone}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

// summary is the line about all shops.
func summary(shops []reportedShop) string {
	states := make(map[connector.State]int)
	var rate, lag float64
	for _, s := range shops {
		states[s.State]++
		if s.State == connector.StateLive {
			lag = max(lag, s.Lag)
		}
		rate += s.Rate
	}
	if len(shops) == 0 {
		return "no shops\n"
	}
	line := fmt.Sprintf("%s shops: %s; %s", thousands(int64(len(shops))), stateText(states, len(shops)), rateText(rate))
	if lag > 0 {
		line += "; live shops lag up to " + shortDuration(time.Duration(lag*float64(time.Second)))
	}
	return line + "\n"
}

// fitColumns returns the width of each column, the shop and the worker cut if need be.
func fitColumns(table [][]string, columns int) []int {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	over := 2*(len(widths)-1) - columns
	for _, w := range widths {
		over += w
	}
	for _, c := range []int{workerColumn, shopColumn} {
		if spare := min(over, widths[c]-narrowest); spare > 0 {
			widths[c] -= spare
			over -= spare
		}
	}
	return widths
}

// shorten cuts a text to a width; its end, which distinguishes names, stays.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return "…" + string(runes[len(runes)-width+1:])
}

// shortDuration writes a duration in its largest unit: 12s, 5m, 3h, 9d.
func shortDuration(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
