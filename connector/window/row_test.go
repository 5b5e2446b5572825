package window

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// liveShop is a live shop as it goes on for ever: every ten seconds a window of a
// dozen orders, and the second pass of one that has become LOOKBACK old.
type liveShop struct {
	policy Policy
	state  *offsets.Checkpoint
	stored offsets.Stored
	now    time.Time
	id     uint64
	// What the latest step has written.
	records, bytes int
}

var liveLookbacks = []time.Duration{10 * time.Minute, 24 * time.Hour, 7 * 24 * time.Hour}

func newLiveShop(lookback time.Duration) *liveShop {
	p := standard()
	p.Lookback = lookback
	s := &liveShop{policy: p, now: time.Unix(1_700_000_000, 0), id: 3704612354559743232}
	s.state = &offsets.Checkpoint{Watermark: s.now.Unix(), Length: 3600}
	s.now = s.now.Add(p.SettleDelay)
	for range int(lookback/p.PollInterval) + 20 {
		s.step()
	}
	return s
}

// step is ten seconds: what is due is read, each page committed.
func (s *liveShop) step() {
	s.now = s.now.Add(s.policy.PollInterval)
	plan := Next(s.state, s.now, s.policy)
	Open(s.state, plan.Open, s.policy)
	for _, w := range plan.Again {
		Reopen(s.state, w, s.policy)
	}
	for _, w := range append([]*offsets.Window(nil), s.state.Open()...) {
		var ids []string
		if w.Pass == 1 {
			w.Opened = s.now.Unix()
			for range 12 {
				s.id += 1 << 28
				ids = append(ids, strconv.FormatUint(s.id, 10))
			}
		}
		Dedupe(s.state, w, wechat.CreateTime, ids, nil)
		w.Pages++
		Finish(s.state, w, s.policy)
		s.records, s.bytes = 0, 0
		s.stored.Update("g", offsets.Partition{Shop: "wx0123456789abcdef", Range: "create_time"}, s.state, func(k, v []byte) {
			s.records++
			s.bytes += len(k) + len(v)
		})
	}
}

// TestALongLookbackCostsNoMoreACommit: what is done and written at a commit does
// not depend on how many windows wait for their second pass.
func TestALongLookbackCostsNoMoreACommit(t *testing.T) {
	type cost struct{ records, bytes, allocs, memory float64 }
	costs := make(map[time.Duration]cost)
	for _, lookback := range liveLookbacks {
		s := newLiveShop(lookback)
		// Seven polls of twelve orders are joined.
		if n, least := len(s.state.Windows), int(lookback/s.policy.PollInterval)/7; n < least {
			t.Fatalf("LOOKBACK %v: %d windows, want %d and more", lookback, n, least)
		}
		const rounds = 200
		var c cost
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			s.step()
			c.records += float64(s.records) / rounds
			c.bytes += float64(s.bytes) / rounds
		}
		runtime.ReadMemStats(&after)
		c.allocs = float64(after.Mallocs-before.Mallocs) / rounds
		c.memory = float64(after.TotalAlloc-before.TotalAlloc) / rounds
		costs[lookback] = c
		t.Logf("LOOKBACK %v: %d windows; a commit writes %.1f records of %.0f B; ten seconds take %.0f allocations of %.0f B", lookback, len(s.state.Windows), c.records, c.bytes, c.allocs, c.memory)
	}
	few := costs[liveLookbacks[0]]
	for _, lookback := range liveLookbacks[1:] {
		// The row of windows grows now and then, a few bytes a window.
		if c := costs[lookback]; c.records > few.records+1 || c.bytes > 1.5*few.bytes || c.allocs > 1.5*few.allocs || c.memory > 3*few.memory {
			t.Errorf("LOOKBACK %v costs %+v, 10 min %+v", lookback, c, few)
		}
	}
}

// BenchmarkLookback is ten seconds of a live shop, commits included. The three
// take turns, so that their ratios (x10m) are of one run.
func BenchmarkLookback(b *testing.B) {
	var shops []*liveShop
	for _, lookback := range liveLookbacks {
		shops = append(shops, newLiveShop(lookback))
	}
	spent := make([]time.Duration, len(shops))
	for b.Loop() {
		for i, s := range shops {
			began := time.Now()
			s.step()
			spent[i] += time.Since(began)
		}
	}
	for i, s := range shops {
		name := fmt.Sprintf("%.0fm", s.policy.Lookback.Minutes())
		b.ReportMetric(float64(spent[i].Nanoseconds())/float64(b.N), "ns/"+name)
		b.ReportMetric(float64(spent[i])/float64(spent[0]), "x10m/"+name)
	}
}

// TestWhatIsSettledBehindAStuckWindowIsJoined: a window that never comes to its
// end does not keep what is behind it in memory and on the topic.
func TestWhatIsSettledBehindAStuckWindowIsJoined(t *testing.T) {
	p := standard()
	s := &liveShop{policy: p, now: time.Unix(1_700_000_000, 0), id: 3704612354559743232}
	s.state = &offsets.Checkpoint{Watermark: s.now.Unix(), Length: 3600}
	// The first window, and one of an hour later, are stuck.
	stuck := map[int64]bool{}
	topic := make(map[string][]byte)
	for round := range 2000 {
		s.now = s.now.Add(p.PollInterval)
		plan := Next(s.state, s.now, p)
		Open(s.state, plan.Open, p)
		for _, w := range plan.Again {
			Reopen(s.state, w, p)
		}
		for _, w := range append([]*offsets.Window(nil), s.state.Open()...) {
			if w.Start == s.state.Watermark && len(stuck) == 0 || round == 360 && w.Pass == 1 {
				stuck[w.Start] = true
			}
			if stuck[w.Start] {
				continue
			}
			s.id += 1 << 28
			w.Opened = s.now.Unix()
			Dedupe(s.state, w, wechat.CreateTime, []string{strconv.FormatUint(s.id, 10)}, nil)
			w.Pages++
			Finish(s.state, w, p)
		}
		s.stored.Update("g", offsets.Partition{Shop: "s", Range: "create_time"}, s.state, func(k, v []byte) {
			if v == nil {
				delete(topic, string(k))
			} else {
				topic[string(k)] = v
			}
		})
		if round%50 == 0 {
			sameOnTopic(t, topic, s.state)
		}
	}
	// Sixty windows wait for their second pass; each stuck window has at most
	// three settled ones behind it.
	if n := len(s.state.Windows); len(stuck) != 2 || n > 60+2+2*3+8 {
		t.Errorf("%d windows are tracked beside %d that are stuck", n, len(stuck))
	}
	if n := len(topic); n > 2*len(s.state.Windows)+2 {
		t.Errorf("%d records are left on the topic of %d windows", n, len(s.state.Windows))
	}
}

// TestARowOfAnOlderVersionIsCondensed: a version before this one kept every
// settled window behind one that never ended. Their checkpoint is read, and what
// is not needed is forgotten at the first end of a window behind them.
func TestARowOfAnOlderVersionIsCondensed(t *testing.T) {
	p, part := standard(), offsets.Partition{Shop: "s", Range: "create_time"}
	begin := int64(1_700_000_000)
	older := &offsets.Checkpoint{Watermark: begin, Length: 60, Windows: []*offsets.Window{{Start: begin, End: begin + 10, State: offsets.Open, Pass: 1, PageSize: 50, Key: "k", Pages: 1}}}
	const settled = 3000
	for i := range settled + 1 {
		start := begin + 10*int64(i+1)
		w := &offsets.Window{Start: start, End: start + 10, State: offsets.Settled, Pass: 2, PageSize: 100, Opened: start + 25, Pages: 1}
		if i == settled {
			w.State, w.Pass = offsets.Waiting, 1
		}
		w.See(strconv.Itoa(1000 + i))
		older.Windows = append(older.Windows, w)
	}
	topic := make(map[string][]byte)
	write := func(stored *offsets.Stored, c *offsets.Checkpoint) {
		stored.Update("g", part, c, func(k, v []byte) {
			if v == nil {
				delete(topic, string(k))
			} else {
				topic[string(k)] = v
			}
		})
	}
	write(new(offsets.Stored), older)
	loader := offsets.Loader{Group: "g"}
	for k, v := range topic {
		loader.Add([]byte(k), v)
	}
	shop := loader.Drain().Shops[part]
	c := shop.Checkpoint
	s := Next(c, time.Unix(c.Frontier(), 0).Add(time.Hour), p)
	if len(s.Again) != 1 {
		t.Fatalf("%d second passes are due, want one", len(s.Again))
	}
	Reopen(c, s.Again[0], p)
	Dedupe(c, s.Again[0], wechat.CreateTime, []string{strconv.Itoa(1000 + settled)}, nil)
	Finish(c, s.Again[0], p)
	write(&shop.Stored, c)
	sameOnTopic(t, topic, c)
	// The stuck one, the settled one beside it, the last one, and all between.
	if len(c.Windows) != 4 || c.Held() != 2 || len(topic) != 4+2 {
		t.Errorf("%d windows with %d IDs in %d records are left, want 4 with 2 in 6", len(c.Windows), c.Held(), len(topic))
	}
}

// TestWhatAStuckWindowMayListIsKept: windows of a second each, one of which comes
// to its end when all others are settled. Whatever the API counts in, it lists
// nothing that is not known from the windows beside it, at most two on each side.
func TestWhatAStuckWindowMayListIsKept(t *testing.T) {
	const begin, windows = 1000, 12
	for stuck := range windows {
		p := standard()
		p.Lookback, p.Start, p.End, p.Concurrency = 0, begin, begin+windows-1, windows
		c := &offsets.Checkpoint{Watermark: begin, Length: 1}
		for i := range int64(windows) {
			Open(c, []Span{{begin + i, begin + i + 1}}, p)
		}
		all := append([]*offsets.Window(nil), c.Windows...)
		read := func(w *offsets.Window) Deduped {
			var ids []string
			for at := w.Asked(); at <= w.End; at++ {
				ids = append(ids, strconv.FormatInt(at, 10))
			}
			w.Opened, w.Pages = begin+10_000, 1
			s := Dedupe(c, w, wechat.CreateTime, ids, nil)
			Finish(c, w, p)
			return s
		}
		for i, w := range all {
			if i != stuck {
				read(w)
			}
		}
		if n := len(c.Windows); n > 8 {
			t.Errorf("window %d is stuck: %d windows are tracked", stuck, n)
		}
		fresh := read(all[stuck]).Fresh
		// The first and the last list seconds that no other one is asked for.
		if known := stuck == 0 && len(fresh) == 1 || stuck == windows-1 && len(fresh) <= 1 || len(fresh) == 0; !known {
			t.Errorf("window %d lists %v as new", stuck, fresh)
		}
		if n := len(c.Windows); n > 2 {
			t.Errorf("%d windows are tracked at the end", n)
		}
	}
}
