package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orderwalk/connector"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
)

func someShops(now time.Time) []fleet.Shop {
	left := int64(123456)
	return []fleet.Shop{
		{Name: "red-lantern", AppID: "wx1", State: connector.StateLive, Target: desired.Running, Since: now.Unix() - 90, Watermark: now.Unix() - 15, Lag: 15, Worker: "a.default.svc.cluster.local:8083", Rate: 5, CallsLeft: &left, CallsEnd: now.Unix() + 7300},
		{Name: "changes", AppID: "wx1", State: connector.StateBackfill, Target: desired.Paused, Worker: "b", Rate: 1234.5},
		{Name: "wx2", AppID: "wx2", State: connector.StateFailed, Target: desired.Running, Reason: strings.Repeat("the topic refuses the record ", 5)},
		{Name: "second", AppID: "wx2", State: connector.StateLive, Target: desired.Running},
	}
}

func TestShopsAreNamedByNameOrAppID(t *testing.T) {
	shops := someShops(time.Now())
	for _, c := range []struct{ words, all, steered string }{
		{"", "red-lantern changes wx2 second", "red-lantern changes wx2 second"},
		{"changes", "changes", "changes"},
		{"wx1", "red-lantern changes", "red-lantern changes"},
		{"second red-lantern second", "red-lantern second", "red-lantern second"},
		{"wx2", "wx2 second", `"wx2" is the name of one shop and also the app ID of second; name those too`},
		{"wx2 second", "wx2 second", "wx2 second"},
		{"red-lantren", "did you mean red-lantern?", "did you mean red-lantern?"},
		{"blue", "give one of changes, red-lantern, second, wx1, wx2", "give one of"},
	} {
		for want, pick := range map[string]func([]fleet.Shop, []string) ([]fleet.Shop, error){c.all: pickShops, c.steered: pickCertain} {
			if c.all == c.steered {
				pick = pickCertain
			}
			picked, err := pick(shops, strings.Fields(c.words))
			var names []string
			for _, s := range picked {
				names = append(names, s.Name)
			}
			got := strings.Join(names, " ")
			if err != nil {
				got = err.Error() + "; " + hintFor(err)
			}
			if got != want && !(err != nil && strings.Contains(got, want)) {
				t.Errorf("%q: %s, want %s", c.words, got, want)
			}
		}
	}
}

func TestStatusTable(t *testing.T) {
	now := time.Now()
	var shops []reportedShop
	for _, s := range someShops(now) {
		shops = append(shops, reportedShop{Shop: s})
	}
	text := statusTable(shops, now, 80, len(shops))
	for _, want := range []string{"SHOP ", "15s", "5.0/s", " 123k ", "\n  at this rate the day's list calls run out at ", ", in 2h\n", " 1,235/s ", "backfill→PAUSED", "failed", "\n  the topic refuses", "…", ":8083",
		"4 shops: 1 backfill, 2 live, 1 failed; 1,240/s; live shops lag up to 15s"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	if wide := statusTable(shops, now, 200, len(shops)); !strings.Contains(wide, "a.default.svc.cluster.local:8083") {
		t.Errorf("a wide terminal shows all of a worker's name:\n%s", wide)
	}

	// What does not fit a screen is counted, and what needs an operator is on it.
	if text := statusTable(shops, now, 80, 1); !strings.Contains(text, "failed") || !strings.Contains(text, "… and 3 more\n") || strings.Contains(text, "changes") {
		t.Errorf("one row:\n%s", text)
	}
	if text := statusTable(shops[1:2], now, 80, 1); strings.Contains(text, "shops:") {
		t.Errorf("one shop needs no summary:\n%s", text)
	}
	if text := statusTable(nil, now, 80, 0); !strings.Contains(text, "no shops") {
		t.Errorf("none:\n%s", text)
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59*time.Second + 900*time.Millisecond: "59s", time.Hour - 1: "59m",
		47 * time.Hour: "47h", 49 * time.Hour: "2d"} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v = %s, want %s", d, got, want)
		}
	}
}
