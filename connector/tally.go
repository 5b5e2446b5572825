package connector

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Tally is how often a call of a shop had a result.
type Tally struct {
	Result string
	N      uint64
}

// tallies counts the calls of every shop by result. They are no Prometheus vectors,
// since a shop that moves to another worker and back goes on counting, while its series
// are absent: a scrape selects which shops it shows.
type tallies struct {
	mu     sync.Mutex
	counts map[string][]Tally // by shop, in the order of the results
}

// add counts a call; n = 0 only begins the series.
func (t *tallies) add(shop, result string, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string][]Tally)
	}
	counts := t.counts[shop]
	i, known := slices.BinarySearchFunc(counts, result, func(c Tally, result string) int { return cmp.Compare(c.Result, result) })
	if !known {
		counts = slices.Insert(counts, i, Tally{Result: result})
		t.counts[shop] = counts
	}
	counts[i].N += n
}

// of returns a shop's counts, by result.
func (t *tallies) of(shop string) []Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.counts[shop])
}

// failed returns how many of a shop's calls were not ok.
func (t *tallies) failed(shop string) (n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counts[shop] {
		if c.Result != "ok" {
			n += c.N
		}
	}
	return n
}

// keep drops the counts of shops that are not listed.
func (t *tallies) keep(listed map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.counts, func(shop string, _ []Tally) bool { return !listed[shop] })
}
