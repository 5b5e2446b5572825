package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// series holds a number of each round, of orderwalk and, where there is a
// comparison, of the bare client.
type series struct{ ours, peer []float64 }

func (s *series) add(ours, peer float64) {
	s.ours = append(s.ours, ours)
	s.peer = append(s.peer, peer)
}

// ratios are ours to the peer's, round by round.
func (s series) ratios() []float64 {
	out := make([]float64, len(s.peer))
	for i := range out {
		out[i] = s.ours[i] / s.peer[i]
	}
	return out
}

// target is the required value of a number (gate) and a better one (stretch). The
// zero target requires nothing.
type target struct {
	gate, stretch float64
	atLeast       bool
}

func atLeast(gate, stretch float64) target { return target{gate, stretch, true} }
func atMost(gate, stretch float64) target  { return target{gate, stretch, false} }

// verdict is what the number reaches.
func (t target) verdict(number float64) string {
	reaches := func(bound float64) bool { return number <= bound }
	if t.atLeast {
		reaches = func(bound float64) bool { return number >= bound }
	}
	switch {
	case t == target{}:
		return ""
	case reaches(t.stretch):
		return "stretch"
	case reaches(t.gate):
		return "gate"
	default:
		return "MISSED"
	}
}

func (t target) String() string {
	sign := "≤"
	if t.atLeast {
		sign = "≥"
	}
	switch {
	case t == target{}:
		return ""
	case t.gate == t.stretch:
		return fmt.Sprintf("%s %v", sign, t.gate)
	}
	return fmt.Sprintf("%s %v, %v", sign, t.gate, t.stretch)
}

// row is one line of a table.
type row struct {
	name   string
	format string // of the numbers
	series series
	target target
	ratio  bool // the target is about the ratio to the peer, not about ours
}

// report prints tables as they are ready.
type report struct {
	out      io.Writer
	markdown bool
	beside   string // what is measured beside the program; "" = the bare client
}

func (r report) line(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r report) table(title string, rows ...row) {
	lines := [][]string{{"", "orderwalk", cmp.Or(r.beside, "bare client"), "ratio", "target", "reached"}}
	for _, row := range rows {
		line := []string{row.name, spread(row.format, row.series.ours), spread(row.format, row.series.peer), "", row.target.String(), ""}
		judged := median(row.series.ours)
		if len(row.series.peer) > 0 {
			// Of the medians; the spread is that of the rounds.
			ratio := judged / median(row.series.peer)
			low, high := bounds(row.series.ratios())
			line[3] = fmt.Sprintf("%.3f [%.3f–%.3f]", ratio, low, high)
			if row.ratio {
				judged = ratio
			}
		}
		line[5] = row.target.verdict(judged)
		lines = append(lines, line)
	}
	if r.markdown {
		r.line("\n**%s**\n", title)
		for i, line := range lines {
			r.line("| %s |", strings.Join(line, " | "))
			if i == 0 {
				r.line("|%s", strings.Repeat("---|", len(line)))
			}
		}
		return
	}
	r.line("\n%s", title)
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintln(w, "  "+strings.Join(line, "\t"))
	}
	_ = w.Flush() // standard output
}

// spread shows the median with the lowest and the highest.
func spread(format string, numbers []float64) string {
	if len(numbers) == 0 {
		return ""
	}
	low, high := bounds(numbers)
	return fmt.Sprintf(format+" ["+format+"–"+format+"]", median(numbers), low, high)
}

func bounds(numbers []float64) (low, high float64) { return slices.Min(numbers), slices.Max(numbers) }

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
