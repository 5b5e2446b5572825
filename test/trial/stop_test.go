//go:build kafka

package trial

import (
	"syscall"
	"testing"
	"time"

	"orderwalk/offsets"
	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// question identifies a page.
type question struct {
	appID      string
	start, end int64
	key        string
}

// asked returns the page that a call requested; zero if the caller disconnected before
// the call was evaluated.
func asked(c simulator.ListCall) question {
	if c.Create == nil {
		return question{}
	}
	return question{c.AppID, c.Create.Start, c.Create.End, c.NextKey}
}

// TestPlannedStop stops the program with SIGTERM in the middle of its work. The
// program stops reading and exits with 0; the next start uses the stored page tokens,
// with the page size they were issued for, and reads no page again. The program is
// built with the race detector.
func TestPlannedStop(t *testing.T) {
	w := newWorld(t, kafkatest.Start(t), func(w *fixture) simulator.Config {
		cfg := closedShops(w, 3, 16_000)
		cfg.Latency = 5 * time.Millisecond
		return cfg
	})
	settings := func(pageSize, rate string) []string {
		return []string{pageSize, "CONCURRENCY=4", "RATE_LIMIT=" + rate, "LOOKBACK=0"}
	}
	first := w.runWith("orderwalk-race", settings("PAGE_SIZE=10", "60")...)
	first.published(2000)
	before := len(w.journal(0))
	first.signal(syscall.SIGTERM)
	if code := first.exit(); code != 0 {
		t.Fatalf("SIGTERM = %d\n%s", code, first.tail())
	}
	read := w.journal(0)
	if after, left := len(read)-before, 3*1600-before; after > left/2 {
		t.Errorf("%d pages of the %d that were left were asked for after SIGTERM", after, left)
	}

	// The stored windows.
	stored := map[question]bool{} // the next page of each window
	sizes := map[question]int{}   // page size, by window
	inTheMiddle := 0
	loader := offsets.Loader{Group: w.group}
	for _, r := range w.read(w.offsets()) {
		loader.Add(r.Key, r.Value)
	}
	for p, shop := range loader.Load().Shops {
		for _, win := range shop.Checkpoint.Windows {
			if win.State != offsets.Open {
				continue
			}
			stored[question{p.Shop, win.Asked(), win.End, win.Key}] = true
			if win.Key != "" { // a page token is bound to its page size
				sizes[question{p.Shop, win.Asked(), win.End, ""}] = win.PageSize
				inTheMiddle++
			}
		}
	}
	if inTheMiddle < 3 {
		t.Fatalf("only %d windows were in the middle", inTheMiddle)
	}

	second := w.runWith("orderwalk-race", settings("PAGE_SIZE=25", "500")...)
	if code := second.exit(); code != 0 {
		t.Fatalf("the second life = %d\n%s", code, second.tail())
	}
	old := map[question]bool{} // pages that the first process read and committed
	for _, c := range read {
		if q := asked(c); !stored[q] {
			old[q] = true
		}
	}
	resumed := map[question]bool{}
	for _, c := range w.journal(len(read)) {
		q := asked(c)
		if q == (question{}) {
			continue
		}
		if old[q] {
			t.Errorf("read again: %+v", q)
		}
		if stored[q] {
			resumed[q] = true
		}
		want := 25
		if size := sizes[question{q.appID, q.start, q.end, ""}]; size != 0 {
			want = size
		}
		if c.PageSize != want {
			t.Errorf("asked for %d orders instead of %d: %+v", c.PageSize, want, q)
		}
	}
	if len(resumed) != len(stored) {
		t.Errorf("%d of %d windows were resumed where they were", len(resumed), len(stored))
	}
	t.Logf("%d windows were open, %d in the middle; %d pages before, %d after; %d orders",
		len(stored), inTheMiddle, len(read), len(w.journal(len(read))), w.eachOnce())
}
