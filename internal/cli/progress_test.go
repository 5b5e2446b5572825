package cli

import (
	"strings"
	"testing"
	"time"

	"orderwalk/connector"
)

func TestProgressLine(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var p progress
	steps := []struct {
		after int
		shops []connector.ShopStatus
		want  string
	}{
		{0, nil, "no shop here · 0 orders · 0/s"},
		{0, []connector.ShopStatus{{State: connector.StateStarting}}, "starting · 0 orders · 0/s"},
		{1, []connector.ShopStatus{{State: connector.StateBackfill, Start: 1000, Watermark: 1100, Target: 2000, Windows: 8, Published: 5000}},
			"backfill · 5,000 orders · 5,000/s · 8 windows open · 10%, ready in 9s"},
		{2, []connector.ShopStatus{{State: connector.StateBackfill, Start: 1000, Watermark: 1200, Target: 2000, Windows: 1, Published: 1_010_000}},
			"backfill · 1,010,000 orders · 505,000/s · 1 window open · 20%, ready in 8s"},
		{20, []connector.ShopStatus{{State: connector.StateLive, Start: 1000, Watermark: at(17).Unix(), Target: at(17).Unix(), Published: 1_010_000}},
			"live · 1,010,000 orders · 0/s · lag 3s"},
		{20, []connector.ShopStatus{{State: connector.StateBackfill, Start: 1000, Watermark: 1250, Target: 2000, Windows: 1, Published: 1_010_000}, {State: connector.StateLive}},
			"1 backfill, 1 live · 1,010,000 orders · 0/s · 1 window open · 25%, ready in"},
		{21, []connector.ShopStatus{{State: connector.StateDone, Published: 1}, {State: connector.StateFailed}, {State: connector.StateDone}},
			"2 done, 1 failed · 1 orders"},
	}
	for _, s := range steps {
		if got := p.line(s.shops, at(s.after)); !strings.HasPrefix(got, s.want) {
			t.Errorf("after %d s: %q, want %q", s.after, got, s.want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}

// Log lines scroll by above the line, which is cut to the terminal's width.
func TestStatusLine(t *testing.T) {
	var screen strings.Builder
	s := &statusLine{w: &screen}
	write := func(text string) {
		if _, err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	s.set("progress · 1", 80)
	write("second\n")
	s.set("progress · 2", 9)
	s.end()
	write("third\n")
	want := "first\n" + eraseLine + "progress · 1" + eraseLine + "second\nprogress · 1" + eraseLine + "progress" + "\nthird\n"
	if screen.String() != want {
		t.Errorf("screen = %q\nwant     %q", screen.String(), want)
	}
}

// A line that is too long for the terminal loses whole parts.
func TestStatusLineOfANarrowTerminal(t *testing.T) {
	const line = "2 backfill · 102,377 orders since start · 5,123/s · 16 windows open · 71%, ready in 51s"
	for width, want := range map[int]string{
		0: line, 200: line, len([]rune(line)) + 1: line,
		len([]rune(line)): "2 backfill · 102,377 orders since start · 5,123/s · 16 windows open",
		45:                "2 backfill · 102,377 orders since start",
		20:                "2 backfill",
		6:                 "2 bac",
	} {
		var screen strings.Builder
		s := &statusLine{w: &screen}
		s.set(line, width)
		if got := strings.TrimPrefix(screen.String(), eraseLine); got != want {
			t.Errorf("in %d columns: %q, want %q", width, got, want)
		}
	}
}

// The last line of a worker that ends says what its shops were doing.
func TestProgressLineAtTheEnd(t *testing.T) {
	shops := func(states ...connector.State) (all []connector.ShopStatus) {
		for _, s := range states {
			all = append(all, connector.ShopStatus{State: s, Published: 7})
		}
		return all
	}
	before := shops(connector.StateBackfill, connector.StateLive)
	end := asBeforeEnd(before, shops(connector.StateElsewhere, connector.StateElsewhere))
	p := progress{since: sinceStart}
	if got := p.line(end, time.Unix(1, 0)); !strings.HasPrefix(got, "1 backfill, 1 live · 14 orders since start · ") {
		t.Errorf("at the end: %q", got)
	}
	begin := asBeforeEnd(nil, shops(connector.StateElsewhere, connector.StateElsewhere))
	if got := p.line(begin, time.Unix(1, 0)); !strings.HasPrefix(got, "2 starting") {
		t.Errorf("at the begin: %q", got)
	}
	now := asBeforeEnd(before, shops(connector.StateElsewhere, connector.StateLive))
	if got := p.line(now, time.Unix(2, 0)); !strings.HasPrefix(got, "1 live, 1 elsewhere") {
		t.Errorf("with a lane: %q", got)
	}
}
