package window

import (
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// Windows that wait for their second pass are joined over a quarter of LOOKBACK, and
// further only where no order came and none has come late: a late order must not wait
// much longer than LOOKBACK.
func TestHowFarWaitingWindowsAreJoined(t *testing.T) {
	for name, c := range map[string]struct {
		punctual bool
		stretch  int64
		orders   int // of each window
		want     time.Duration
	}{
		"no orders":                        {false, 1, 0, 150 * time.Second},
		"no orders, none came late lately": {true, 1, 0, 30 * time.Minute},
		"orders":                           {true, 1, 1, 150 * time.Second},
		"more orders than a page has":      {true, 1, 95, 10 * time.Second},
		"orders, polled more seldom":       {true, 4, 1, 600 * time.Second},
		"orders, polled hardly ever":       {true, 100, 0, 30 * time.Minute},
	} {
		p := standard()
		p.PageSize, p.Punctual, p.Stretch = 100, c.punctual, c.stretch
		start := int64(1_700_000_000)
		state := &offsets.Checkpoint{Watermark: start, Length: 3600}
		id := uint64(3704612354559743232)
		for range 4 * int64(c.want/p.PollInterval) {
			Open(state, []Span{{start, start + seconds(p.PollInterval)}}, p)
			start += seconds(p.PollInterval)
			w := state.Open()[0]
			w.Opened = start
			var ids []string
			for range c.orders {
				id += 1 << 28
				ids = append(ids, strconv.FormatUint(id, 10))
			}
			Dedupe(state, w, wechat.CreateTime, ids, nil)
			w.Pages++
			Finish(state, w, p)
		}
		longest := int64(0)
		for _, w := range state.Windows {
			longest = max(longest, w.End-w.Start)
		}
		if got := time.Duration(longest) * time.Second; got != c.want {
			t.Errorf("%s: joined over %v, want %v", name, got, c.want)
		}
	}
}
