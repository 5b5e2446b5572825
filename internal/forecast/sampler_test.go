package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"orderwalk/connector/window"
)

const sampledDay = 24 * 3600

// sampledShapes are shapes of shops: how their orders spread over a range of so many
// days. density is relative. Uneven shapes hold more orders than the windows can show.
var sampledShapes = []struct {
	name    string
	days    int64
	uneven  bool
	density func(at, length int64) float64
}{
	{"even", 30, false, func(int64, int64) float64 { return 1 }},
	{"an hour", 0, false, func(int64, int64) float64 { return 1 }},
	{"a day", 1, false, func(int64, int64) float64 { return 1 }},
	{"two years", 730, false, func(int64, int64) float64 { return 1 }},
	{"opened in the middle", 30, false, func(at, length int64) float64 { return above(at, length/2) }},
	{"opened a third before the end", 100, false, func(at, length int64) float64 { return above(at, length*2/3) }},
	{"opened two days ago", 23, false, func(at, length int64) float64 { return above(at, length-2*sampledDay) }},
	{"opened a week ago in two years", 730, false, func(at, length int64) float64 { return above(at, length-7*sampledDay) }},
	{"closed in the middle", 30, false, func(at, length int64) float64 { return 1 - above(at, length/2) }},
	{"closed after a day", 60, false, func(at, _ int64) float64 { return 1 - above(at, sampledDay) }},
	{"day and night", 14, false, func(at, _ int64) float64 { return math.Pow(math.Sin(math.Pi*float64(at%sampledDay)/sampledDay), 4) }},
	{"day and night for a year", 365, false, func(at, _ int64) float64 { return math.Pow(math.Sin(math.Pi*float64(at%sampledDay)/sampledDay), 2) }},
	{"weekends", 28, false, func(at, _ int64) float64 { return 1 + 3*above(at%(7*sampledDay), 5*sampledDay) }},
	{"growing", 90, false, func(at, length int64) float64 { return math.Exp(4 * float64(at) / float64(length)) }},
	{"one dense day in two weeks", 14, true, func(at, _ int64) float64 { return 1 + 50*above(at, 8*sampledDay)*(1-above(at, 9*sampledDay)) }},
	{"one dense day in a quarter", 90, true, func(at, _ int64) float64 {
		return 1 + 100*above(at, 41*sampledDay)*(1-above(at, 42*sampledDay))
	}},
	{"forty bursts", 7, true, func(at, length int64) float64 {
		return 1 + 300*above(at%(length/40), length/40-length/20000)
	}},
	{"an hour a week", 30, true, func(at, _ int64) float64 { return 1 - above(at%(7*sampledDay), 3600) }},
}

func above(at, least int64) float64 {
	if at >= least {
		return 1
	}
	return 0
}

// orders draws the seconds of n orders.
func drawOrders(rnd *rand.Rand, start, length int64, n int, density func(at, length int64) float64) []int64 {
	const grid = 20000
	var sums []float64
	sum := 0.0
	for i := range int64(grid) {
		sum += density(i*length/grid, length)
		sums = append(sums, sum)
	}
	seconds := make([]int64, n)
	for i := range seconds {
		cell, _ := slices.BinarySearch(sums, rnd.Float64()*sum)
		seconds[i] = start + int64((float64(cell)+rnd.Float64())*float64(length)/grid)
	}
	slices.Sort(seconds)
	return seconds
}

// sampleOf samples orders at the given seconds, by at most so many calls, and returns
// how many were made.
func sampleOf(t *testing.T, seconds []int64, start, length int64, calls int) (Sample, int) {
	t.Helper()
	s := newSampler(start, start+length)
	shown := map[*stretch]int{}
	made := 0
	for ; made < calls; made++ {
		w := s.next()
		if w == nil {
			break
		}
		if w.start < start || w.end > start+length || w.end <= w.start || w.end-w.start > window.Longest {
			t.Fatalf("window %d to %d of a range of %d s", w.start-start, w.end-start, length)
		}
		from, _ := slices.BinarySearch(seconds, w.start)
		to, _ := slices.BinarySearch(seconds, w.end)
		rest := to - from - shown[w]
		n := min(100, rest)
		shown[w] += n
		s.listed(n, n < rest, "next")
	}
	at := start
	sample := s.sample()
	for _, p := range sample.Density {
		if p.Start != at || p.End <= at || p.PerSecond < 0 || math.IsNaN(p.PerSecond) {
			t.Fatalf("pieces %+v", sample.Density)
		}
		at = p.End
	}
	if at != start+length {
		t.Fatalf("pieces end at %d of %d", at-start, length)
	}
	return sample, made
}

// TestSamplesOfManyShapes: with the calls that plan makes, the estimate of a regular
// shape is within a factor of 2, mostly much closer. For any shape the bounds cover
// what is unknown.
func TestSamplesOfManyShapes(t *testing.T) {
	for _, world := range sampledShapes {
		for _, n := range []int{0, 1, 90, 300, 2738, 20000, 100000} {
			name := fmt.Sprintf("%s, %d", world.name, n)
			worst, outside := 1.0, 0
			const seeds = 3
			for seed := range uint64(seeds) {
				rnd := rand.New(rand.NewPCG(seed, 60))
				length := max(3600, world.days*sampledDay)
				start := 1_760_000_000 + rnd.Int64N(sampledDay)
				seconds := drawOrders(rnd, start, length, n, world.density)
				s, made := sampleOf(t, seconds, start, length, 20)
				if made > 20 {
					t.Fatalf("%s: %d calls", name, made)
				}
				if s.Low > s.Orders || s.High < s.Orders {
					t.Errorf("%s, seed %d: about %d, from %d to %d", name, seed, s.Orders, s.Low, s.High)
				}
				if s.Share == 1 && s.Orders != n {
					t.Errorf("%s, seed %d: all is read, and %d orders seen of %d", name, seed, s.Orders, n)
				}
				off := float64(s.Orders+20) / float64(n+20)
				worst = max(worst, off, 1/off)
				if n < s.Low || n > s.High && !s.AtLeast {
					outside++
				}
			}
			t.Logf("%-45s worst %.2f, outside its bounds %d of %d", name, worst, outside, seeds)
			if !world.uneven && worst > 2 {
				t.Errorf("%s: off by a factor of %.1f", name, worst)
			}
			if !world.uneven && outside > 1 {
				t.Errorf("%s: %d of %d outside their bounds", name, outside, seeds)
			}
		}
	}
}
