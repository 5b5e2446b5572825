package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
			"backfill · 10% · 5,000 orders · 5,000/s · 8 windows open"},
		{2, []connector.ShopStatus{{State: connector.StateBackfill, Start: 1000, Watermark: 1200, Target: 2000, Windows: 1, Published: 1_010_000}},
			"backfill · 20% · 1,010,000 orders · 505,000/s · 1 window open"},
		{20, []connector.ShopStatus{{State: connector.StateLive, Start: 1000, Watermark: at(17).Unix(), Target: at(17).Unix(), Published: 1_010_000}},
			"live · 1,010,000 orders · 0/s · lag 3s"},
		{21, []connector.ShopStatus{{State: connector.StateDone, Published: 1}, {State: connector.StateFailed}, {State: connector.StateDone}},
			"2 done, 1 failed · 1 order · "},
	}
	for _, s := range steps {
		if got := p.line(s.shops, at(s.after)).fit(0); !strings.HasPrefix(got, s.want) {
			t.Errorf("after %d s: %q, want %q", s.after, got, s.want)
		}
	}
	// What was on the topic before counts.
	p = progress{before: 999}
	if got := p.line([]connector.ShopStatus{{State: connector.StateLive, Published: 1}}, start).fit(0); got != "live · 1,000 orders · 0/s" {
		t.Errorf("after an earlier run: %q", got)
	}
}

// The share is that of the shop furthest behind, from where it was first to begin,
// and falls only when a shop begins a backfill.
func TestProgressShare(t *testing.T) {
	const backfill, live = connector.StateBackfill, connector.StateLive
	now := time.Unix(2000, 0)
	shop := func(state connector.State, since, start, watermark, target int64) connector.ShopStatus {
		return connector.ShopStatus{State: state, Since: since, Start: start, Watermark: watermark, Target: target}
	}
	all := func(shops ...connector.ShopStatus) []connector.ShopStatus { return shops }
	read := shop(live, 1000, 1000, 2000, 2000)
	var p progress
	steps := []struct {
		what  string
		shops []connector.ShopStatus
		want  float64
	}{
		{"starting", all(shop(connector.StateStarting, 1000, 0, 0, 0), shop(connector.StateElsewhere, 1000, 0, 0, 0)), 0},
		{"one ahead", all(shop(backfill, 1000, 1000, 1900, 2000), shop(backfill, 1000, 1000, 1100, 2000)), 0.1},
		{"that one live", all(read, shop(backfill, 1000, 1000, 1200, 2000)), 0.2},
		{"time goes on", all(read, shop(backfill, 1000, 1000, 1200, 9000)), 0.2},
		{"a shop fails", all(shop(connector.StateFailed, 1000, 1000, 1001, 2000), shop(backfill, 1000, 1000, 1500, 2000)), 0.5},
		{"a shop is added", all(read, shop(backfill, 1000, 1000, 1500, 2000), shop(backfill, 0, 1000, 1000, 3000)), 0},
		{"a shop elsewhere", all(connector.ShopStatus{State: connector.StateElsewhere, Away: true, Since: 1}, shop(backfill, 1000, 1000, 1100, 2000)), 0.1},
		{"resumed", all(shop(backfill, 1000, 1700, 1700, 2000)), 0.7},
		{"all live", all(read, read), 1},
	}
	for _, s := range steps {
		if got := p.share(s.shops, now); got < s.want-1e-9 || got > s.want+1e-9 {
			t.Errorf("%s: %v, want %v", s.what, got, s.want)
		}
	}
}

// In a narrow terminal the line loses whole segments, in a wide one it has a bar.
func TestProgressLineFitsTheTerminal(t *testing.T) {
	line := progressLine{share: 0.714, segments: []segment{
		{rankState, "1 backfill, 1 live"}, {rankShare, "71%"}, {rankOrders, "102,377 orders"}, {rankRate, "5,123/s"},
		{rankWindows, "8 windows open"}, {rankLag, "lag 4s"},
	}}
	const whole = "1 backfill, 1 live · 71% · 102,377 orders · 5,123/s · 8 windows open · lag 4s"
	for columns, want := range map[int]string{
		0:   whole,
		200: "1 backfill, 1 live · [#####################.........] 71% · 102,377 orders · 5,123/s · 8 windows open · lag 4s",
		90:  "1 backfill, 1 live · [######...] 71% · 102,377 orders · 5,123/s · 8 windows open · lag 4s",
		80:  "1 backfill, 1 live · [###########.....] 71% · 102,377 orders · 5,123/s · lag 4s",
		65:  "1 backfill, 1 live · [#######...] 71% · 102,377 orders · 5,123/s",
		60:  "1 backfill, 1 live · 71% · 102,377 orders · 5,123/s",
		50:  "1 backfill, 1 live · 71% · 102,377 orders",
		30:  "1 backfill, 1 live · 71%",
		20:  "1 backfill, 1 live",
		10:  "",
	} {
		if got := line.fit(columns); got != want {
			t.Errorf("in %d columns: %q, want %q", columns, got, want)
		}
	}
	segments := strings.Split(whole, separator)
	for columns := 1; columns < 200; columns++ {
		got := line.fit(columns)
		if n := utf8.RuneCountInString(got); n >= columns {
			t.Errorf("in %d columns: %d", columns, n)
		}
		for _, part := range strings.Split(got, separator) {
			if _, after, isBar := strings.Cut(part, "] "); isBar {
				part = after
			}
			if got != "" && !slices.Contains(segments, part) {
				t.Errorf("in %d columns: %q is cut", columns, part)
			}
		}
	}
	line.share, line.segments = -1, []segment{{rankState, "live"}, {rankOrders, "7 orders"}}
	if got := line.fit(100); got != "live · 7 orders" {
		t.Errorf("without a backfill: %q", got)
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
		6:                 "",
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
	if got := p.line(end, time.Unix(1, 0)).fit(0); !strings.HasPrefix(got, "1 backfill, 1 live · 0% · 14 orders since start · ") {
		t.Errorf("at the end: %q", got)
	}
	begin := asBeforeEnd(nil, shops(connector.StateElsewhere, connector.StateElsewhere))
	if got := p.line(begin, time.Unix(1, 0)).fit(0); !strings.HasPrefix(got, "2 starting") {
		t.Errorf("at the begin: %q", got)
	}
	now := asBeforeEnd(before, shops(connector.StateElsewhere, connector.StateLive))
	if got := p.line(now, time.Unix(2, 0)).fit(0); !strings.HasPrefix(got, "1 live, 1 elsewhere") {
		t.Errorf("with a lane: %q", got)
	}
}
