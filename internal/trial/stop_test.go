//go:build kafka

package trial

import (
	"syscall"
	"testing"
	"time"

	"orderwalk/internal/kafkatest"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// question is what identifies a page.
type question struct {
	appID      string
	start, end int64
	key        string
}

// asked is the page a call asked for; the zero value when the caller was gone
// before that was looked at.
func asked(c simulator.ListCall) question {
	if c.Create == nil {
		return question{}
	}
	return question{c.AppID, c.Create.Start, c.Create.End, c.NextKey}
}

// TestPlannedStop stops the program with SIGTERM in the middle of its walk. It
// stops reading, ends with 0, and the next start goes on with the very page
// tokens that were stored, under the page size they were issued for, and reads
// no page again. The program is built with the race detector.
func TestPlannedStop(t *testing.T) {
	w := newWorld(t, kafkatest.Start(t), func(w *world) simulator.Config {
		cfg := closedShops(w, 3, 4000)
		cfg.Latency = 5 * time.Millisecond
		return cfg
	})
	settings := func(pageSize string) []string {
		return []string{pageSize, "CONCURRENCY=4", "RATE_LIMIT=60", "LOOKBACK=0"}
	}
	first := w.runWith("orderwalk-race", settings("PAGE_SIZE=10")...)
	first.published(2000)
	before := len(w.journal(0))
	first.signal(syscall.SIGTERM)
	if code := first.exit(); code != 0 {
		t.Fatalf("SIGTERM = %d\n%s", code, first.tail())
	}
	read := w.journal(0)
	if after := len(read) - before; after > 100 {
		t.Errorf("%d pages were asked for after SIGTERM", after)
	}

	// The windows as they are stored.
	stored := map[question]bool{}
	loader := offsets.Loader{Group: w.group}
	for _, r := range w.read(w.offsets()) {
		loader.Add(r.Key, r.Value)
	}
	for p, shop := range loader.Load().Shops {
		for _, win := range shop.Checkpoint.Windows {
			if win.State == offsets.Open && win.Key != "" {
				stored[question{p.Shop, win.Start, win.End, win.Key}] = true
			}
		}
	}
	if len(stored) < 3 {
		t.Fatalf("only %d windows were in the middle", len(stored))
	}

	second := w.runWith("orderwalk-race", settings("PAGE_SIZE=25")...)
	if code := second.exit(); code != 0 {
		t.Fatalf("the second life = %d\n%s", code, second.tail())
	}
	old := map[question]bool{} // pages that the first life read and committed
	for _, c := range read {
		if q := asked(c); !stored[q] {
			old[q] = true
		}
	}
	tokens := map[question]bool{} // in the windows that were in the middle
	resumed, sizes := 0, map[int]int{}
	for _, c := range w.journal(len(read)) {
		q := asked(c)
		if q == (question{}) {
			continue
		}
		window := q
		window.key = ""
		if old[q] && c.NextKey != "" {
			t.Errorf("read again: %+v", q)
		}
		if stored[q] {
			resumed++
			tokens[window] = true
		}
		want := 25
		if tokens[window] {
			want = 10
		}
		if c.PageSize != want {
			t.Errorf("asked for %d orders instead of %d: %+v", c.PageSize, want, q)
		}
		sizes[c.PageSize]++
	}
	if resumed != len(stored) {
		t.Errorf("%d of %d windows were resumed with their token", resumed, len(stored))
	}
	t.Logf("%d windows resumed, pages by size: %v; %d orders, each once", resumed, sizes, w.eachOnce())
}
