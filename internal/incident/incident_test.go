package incident

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/test/logtest"
)

var (
	down = Kind{Who: "shop", Begins: "calls fail", Lasts: "calls still fail", Ends: "calls succeed"}
	lost = Event{Level: slog.LevelError, Who: "shop", Message: "shop failed"}
)

// written plays a story and returns the log's lines without their time.
func written(t *testing.T, story func(l *Log)) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out logtest.Buffer
		story(New(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))))
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.TrimSpace(line))
		}
	})
	return lines
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("the log is\n%s\nwant\n%s", g, w)
	}
}

func sources(l *Log, n int) []*Source {
	all := make([]*Source, n)
	for i := range all {
		all[i] = l.Of(fmt.Sprintf("s%04d", i))
	}
	return all
}

func TestOneIncidentOfManyShops(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		shops := sources(l, 2000)
		for _, s := range shops {
			s.Begin(down, "reason", io.EOF)
			time.Sleep(time.Millisecond)
		}
		for range 10 {
			time.Sleep(12 * time.Second)
			for _, s := range shops {
				s.Begin(down, "reason", io.ErrUnexpectedEOF)
			}
		}
		for _, s := range shops {
			s.End(down, true)
		}
		time.Sleep(time.Hour)
	}),
		`level=WARN msg="calls fail" shop=s0000 reason=EOF`,
		`level=WARN msg="calls still fail" shops=2000 names="s0000, s0001, s0002, …" reason="unexpected EOF" since=2000-01-01T00:00:00.000Z`,
		`level=WARN msg="calls still fail" shops=2000 names="s0000, s0001, s0002, …" reason="unexpected EOF" since=2000-01-01T00:00:00.000Z`,
		`level=INFO msg="calls succeed" shops=2000 names="s0000, s0001, s0002, …" after=2m2s`)
}

func TestFewShopsAreNamed(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		shops := sources(l, 3)
		shops[2].Begin(down, "reason", io.EOF)
		time.Sleep(time.Second)
		shops[0].Begin(down, "reason", io.ErrClosedPipe)
		time.Sleep(time.Minute)
		shops[2].End(down, true)
		time.Sleep(time.Minute)
		shops[0].End(down, true)
	}),
		`level=WARN msg="calls fail" shop=s0002 reason=EOF`,
		`level=WARN msg="calls still fail" shops=2 names="s0002, s0000" reason=EOF since=2000-01-01T00:00:00.000Z`,
		`level=WARN msg="calls still fail" shop=s0000 reason="io: read/write on closed pipe" since=2000-01-01T00:00:01.000Z`,
		`level=INFO msg="calls succeed" shops=2 names="s0002, s0000" after=2m1s`)
}

// A fault of one shop is another kind, and not hidden by what all have.
func TestAFaultOfOneShopAmongMany(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		shops := sources(l, 4)
		own := down
		own.Cause = "48001"
		for _, s := range shops[1:] {
			s.Begin(down, "reason", io.EOF)
		}
		time.Sleep(time.Second)
		shops[0].Begin(own, "reason", io.ErrNoProgress)
		time.Sleep(time.Second)
		for _, s := range shops[1:] {
			s.End(down, true)
		}
		time.Sleep(time.Minute)
		shops[0].End(own, true)
	}),
		`level=WARN msg="calls fail" shop=s0001 reason=EOF`,
		`level=WARN msg="calls fail" shop=s0000 reason="multiple Read calls return no data or error"`,
		`level=INFO msg="calls succeed" shops=3 names="s0001, s0002, s0003" after=2s`,
		`level=WARN msg="calls still fail" shop=s0000 reason="multiple Read calls return no data or error" since=2000-01-01T00:00:01.000Z`,
		`level=INFO msg="calls succeed" shop=s0000 after=1m1s`)
}

// Failures that come and go have a pair of lines a minute at most. What began in
// between and lasts is told when the minute is over.
func TestFlapping(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		s := l.Of("s1")
		for range 50 {
			s.Begin(down)
			time.Sleep(time.Second / 2)
			s.End(down, true)
			time.Sleep(time.Second / 2)
		}
		s.Begin(down)
		time.Sleep(15 * time.Second)
		s.End(down, true)
	}),
		`level=WARN msg="calls fail" shop=s1`,
		`level=INFO msg="calls succeed" shop=s1 after=500ms`,
		`level=WARN msg="calls fail" shop=s1 since=2000-01-01T00:00:50.000Z`,
		`level=INFO msg="calls succeed" shop=s1 after=15s`)
}

// What comes again after a calm is told at once, three times a minute at most.
func TestAnotherIncidentAfterACalm(t *testing.T) {
	lines := written(t, func(l *Log) {
		s := l.Of("s1")
		for range 5 {
			s.Begin(down)
			time.Sleep(time.Second)
			s.End(down, true)
			time.Sleep(6 * time.Second)
		}
	})
	if n := len(lines); n != 6 {
		t.Errorf("%d lines:\n%s", n, strings.Join(lines, "\n"))
	}
}

// A shop that is removed, or a worker that ends, does not say that calls succeed.
func TestLeavingIsNoRecovery(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		shops := sources(l, 3)
		for _, s := range shops {
			s.Begin(down)
		}
		for _, s := range shops {
			s.End(down, false)
			s.End(down, true)
		}
		time.Sleep(time.Hour)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.lasting) != 0 {
			t.Errorf("%d incidents are kept", len(l.lasting))
		}
	}), `level=WARN msg="calls fail" shop=s0000`)
}

func TestConditionThatEndsByItself(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		for _, s := range sources(l, 5) {
			s.BeginUntil(time.Now().Add(90*time.Second), down, "until", "then")
		}
		time.Sleep(time.Hour)
	}),
		`level=WARN msg="calls fail" shop=s0000 until=then`,
		`level=WARN msg="calls still fail" shops=5 names="s0000, s0001, s0002, …" until=then since=2000-01-01T00:00:00.000Z`,
		`level=INFO msg="calls succeed" shops=5 names="s0000, s0001, s0002, …" after=1m30s`)
}

// What lasts for hours is logged ever more rarely, and soon again when many more have it.
func TestALongIncident(t *testing.T) {
	long := down
	long.Long = true
	var at []string
	lines := written(t, func(l *Log) {
		shops := sources(l, 2000)
		began := time.Now()
		until := began.Add(16*time.Hour + 30*time.Second)
		l.log = slog.New(&noting{l.log.Handler(), func(message string) {
			at = append(at, fmt.Sprint(message, " ", time.Since(began)))
		}})
		for _, s := range shops[:500] {
			s.BeginUntil(until, long)
		}
		time.Sleep(12*time.Hour + time.Second)
		for _, s := range shops[500:] {
			s.BeginUntil(until, long)
		}
		time.Sleep(24 * time.Hour)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.lasting) != 0 {
			t.Errorf("%d incidents are kept", len(l.lasting))
		}
	})
	if n := len(lines); n != 26 || !strings.Contains(lines[n-1], `"calls succeed" shops=2000`) {
		t.Errorf("%d lines:\n%s", n, strings.Join(lines, "\n"))
	}
	expect(t, append(at[:8:8], at[16:]...),
		"calls fail 0s", "calls still fail 1m0s", "calls still fail 3m0s", "calls still fail 7m0s", "calls still fail 15m0s",
		"calls still fail 31m0s", "calls still fail 1h3m0s", "calls still fail 2h3m0s",
		"calls still fail 11h3m0s", "calls still fail 12h1m0s", "calls still fail 12h3m0s", "calls still fail 12h7m0s", "calls still fail 12h15m0s",
		"calls still fail 12h31m0s", "calls still fail 13h3m0s", "calls still fail 14h3m0s", "calls still fail 15h3m0s", "calls succeed 16h0m30s")
}

// noting tells the messages of a log.
type noting struct {
	slog.Handler
	told func(message string)
}

func (n *noting) Handle(ctx context.Context, r slog.Record) error {
	n.told(r.Message)
	return n.Handler.Handle(ctx, r)
}

func TestEvents(t *testing.T) {
	expect(t, written(t, func(l *Log) {
		shops := sources(l, 20)
		for _, s := range shops[:10] {
			s.Happened(lost, "reason", io.EOF)
		}
		time.Sleep(90 * time.Second)
		shops[10].Happened(lost, "reason", io.EOF)
		l.Flush()
		l.Flush()
		time.Sleep(time.Hour)
		shops[0].Happened(lost, "reason", io.EOF)
	}),
		`level=ERROR msg="shop failed" shop=s0000 reason=EOF`,
		`level=ERROR msg="shop failed" shops=9 names="s0001, s0002, s0003, …" reason=EOF`,
		`level=ERROR msg="shop failed" shop=s0010 reason=EOF`,
		`level=ERROR msg="shop failed" shop=s0000 reason=EOF`)
}

func TestASourceWithoutName(t *testing.T) {
	expect(t, written(t, func(l *Log) { l.Of("").Begin(down, "reason", io.EOF) }), `level=WARN msg="calls fail" reason=EOF`)
}
