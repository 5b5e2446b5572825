package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		target target
		number float64
		want   string
	}{
		{atLeast(0.65, 1), 1.2, "stretch"},
		{atLeast(0.65, 1), 0.65, "gate"},
		{atLeast(0.65, 1), 0.64, "MISSED"},
		{atMost(40, 25), 25, "stretch"},
		{atMost(40, 25), 40, "gate"},
		{atMost(40, 25), 41, "MISSED"},
		{target{}, 1, ""},
	}
	for _, tt := range tests {
		if got := tt.target.verdict(tt.number); got != tt.want {
			t.Errorf("%v of %v: %q, want %q", tt.number, tt.target, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var s series
	s.add(90, 100)
	s.add(300, 200)
	s.add(110, 100)
	var out bytes.Buffer
	report{out: &out, markdown: true}.table("speed",
		row{"orders/s", "%.0f", s, atLeast(0.65, 1), true},
		row{"alone", "%.1f", series{ours: []float64{2, 1}}, atMost(1, 1), false},
	)
	for _, want := range []string{
		"| orders/s | 110 [90–300] | 100 [100–200] | 1.100 [0.900–1.500] | ≥ 0.65, 1 | stretch |",
		"| alone | 1.5 [1.0–2.0] |  |  | ≤ 1 | MISSED |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks\n%s\nin\n%s", want, &out)
		}
	}
}

// Our own process uses CPU and memory, and it shows.
func TestProcess(t *testing.T) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 64<<20)
	for began := time.Now(); time.Since(began) < 200*time.Millisecond; {
		for i := range ballast {
			ballast[i]++
		}
	}
	after, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("CPU went from %v to %v", before, after)
	}
	if peak := highWater(os.Getpid()); peak < int64(len(ballast)) {
		t.Errorf("a peak of %d bytes with %d in use", peak, len(ballast))
	}
}
