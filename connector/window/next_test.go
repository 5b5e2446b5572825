package window

import (
	"math/rand/v2"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

func standard() Policy {
	return Policy{Range: wechat.CreateTime, PageSize: 100, MaxWindow: 168 * time.Hour, MinWindow: time.Second,
		PollInterval: 10 * time.Second, SettleDelay: 15 * time.Second, Lookback: 10 * time.Minute, Concurrency: 8}
}

func TestNext(t *testing.T) {
	const day = 86400
	now := time.Unix(100*day, 0)
	waiting := func(start, end int64) *offsets.Window {
		return &offsets.Window{Start: start, End: end, State: offsets.Waiting, Pass: 1, PageSize: 100}
	}
	for _, c := range []struct {
		name   string
		state  offsets.Checkpoint
		policy func(*Policy)
		open   []Span
		again  int
		wait   time.Duration
		done   bool
	}{
		{name: "backfill opens as many as it may, sharing edges",
			state:  offsets.Checkpoint{Watermark: 0, Length: 3600},
			policy: func(p *Policy) { p.Concurrency = 3 },
			open:   []Span{{0, 3600}, {3600, 7200}, {7200, 10800}}},
		{name: "never more than seven days",
			state:  offsets.Checkpoint{Watermark: 0, Length: 900 * day},
			policy: func(p *Policy) { p.Concurrency = 1 },
			open:   []Span{{0, 7*day - 2}}},
		{name: "the last window of a backfill ends at the horizon",
			state: offsets.Checkpoint{Watermark: 100*day - 60, Length: 3600},
			open:  []Span{{100*day - 60, 100*day - 15}}},
		{name: "live waits until a poll interval has settled",
			state: offsets.Checkpoint{Watermark: 100*day - 20, Length: 3600},
			wait:  5 * time.Second},
		{name: "live closes a window each poll interval",
			state: offsets.Checkpoint{Watermark: 100*day - 25, Length: 3600},
			open:  []Span{{100*day - 25, 100*day - 15}}},
		{name: "a bounded range ends one second late",
			state:  offsets.Checkpoint{Watermark: 1000, Length: 3600},
			policy: func(p *Policy) { p.End, p.Concurrency = 1500, 1 },
			open:   []Span{{1000, 1501}}},
		{name: "the last windows get shorter, so that they end together",
			state:  offsets.Checkpoint{Watermark: 0, Length: 3600},
			policy: func(p *Policy) { p.End, p.Concurrency = 7999, 2 },
			open:   []Span{{0, 3600}, {3600, 5800}}},
		{name: "a bounded range that ends now waits for its last second",
			state:  offsets.Checkpoint{Watermark: 100*day - 16, Length: 3600},
			policy: func(p *Policy) { p.End = 100*day - 14 },
			wait:   2 * time.Second},
		{name: "done",
			state:  offsets.Checkpoint{Watermark: 1501},
			policy: func(p *Policy) { p.End = 1500 },
			done:   true},
		{name: "not done before the second pass",
			state:  offsets.Checkpoint{Watermark: 100*day - 20, Windows: []*offsets.Window{waiting(100*day-60, 100*day-20)}},
			policy: func(p *Policy) { p.End = 100*day - 21 },
			wait:   10*time.Minute - 20*time.Second},
		{name: "second passes go first",
			state:  offsets.Checkpoint{Watermark: 100 * 60, Length: 60, Windows: []*offsets.Window{waiting(0, 50*60), waiting(50*60, 100*60)}},
			policy: func(p *Policy) { p.Concurrency = 2 },
			again:  2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := standard()
			if c.policy != nil {
				c.policy(&p)
			}
			got := Next(&c.state, now, p)
			if len(got.Open) != len(c.open) || len(got.Again) != c.again || got.Wait != c.wait || got.Done != c.done {
				t.Fatalf("got %+v", got)
			}
			for i := range c.open {
				if got.Open[i] != c.open[i] {
					t.Errorf("window %d is %v, want %v", i, got.Open[i], c.open[i])
				}
			}
		})
	}
}

// TestNextNeverStands: whatever the state, there is something to read, a time
// to wait for, or the end. A walker that gets none of these stands for ever.
func TestNextNeverStands(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 20000 {
		p := standard()
		p.PollInterval = time.Duration(1+rnd.Int64N(30_000)) * time.Millisecond
		p.SettleDelay = time.Duration(rnd.Int64N(30_000)) * time.Millisecond
		p.Lookback = time.Duration(rnd.Int64N(3)) * time.Duration(rnd.Int64N(100_000)) * time.Millisecond
		p.Concurrency = 1 + rnd.IntN(4)
		now := time.Unix(1_000_000, rnd.Int64N(1e9))
		c := &offsets.Checkpoint{Watermark: 1_000_000 - rnd.Int64N(200), Length: rnd.Int64N(50)}
		if rnd.IntN(2) == 0 {
			p.End = 1_000_000 - 100 + rnd.Int64N(200)
		}
		for range rnd.IntN(4) {
			f := c.Frontier()
			w := &offsets.Window{Start: f, End: f + 1 + rnd.Int64N(20), Pass: 1, PageSize: 1, State: []offsets.State{offsets.Waiting, offsets.Settled}[rnd.IntN(2)]}
			c.Windows = append(c.Windows, w)
		}
		c.Watermark = c.Frontier()
		s := Next(c, now, p)
		if len(s.Open) == 0 && len(s.Again) == 0 && s.Wait <= 0 && !s.Done {
			t.Fatalf("stands: %+v\nnow %v policy %+v\nstate %+v", s, now, p, c)
		}
		if s.Wait > 0 {
			later := Next(c, now.Add(s.Wait), p)
			if len(later.Open) == 0 && len(later.Again) == 0 && !later.Done && later.Wait <= 0 {
				t.Fatalf("waited %v for nothing: %+v", s.Wait, later)
			}
		}
		for _, o := range s.Open {
			if o.End > now.Add(-p.SettleDelay).Unix() || p.End > 0 && o.End > p.LastEnd() || o.End-o.Start > seconds(p.MaxWindow) || o.End <= o.Start {
				t.Fatalf("opens %v at %v with %+v", o, now, p)
			}
		}
	}
}
