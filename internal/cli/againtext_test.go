package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"orderwalk/internal/fleet"
)

// Before an alteration of offsets, all of its consequences are said.
func TestWhatAnAlterationPublishesAgain(t *testing.T) {
	const day = 86400
	for _, c := range []struct {
		again fleet.Again
		says  []string
		not   string
	}{
		{fleet.Again{From: 10 * day, To: 38 * day, Windows: 28, Calls: 57, Orders: 1, KnownSeconds: 3600},
			[]string{"goes back from 1970-02-08T", " to 1970-01-11T", "(28d)", "publishes the orders of that time again, with at least 28 windows and 57 list calls.", "Of 1h of it about 1 order"}, "NOT READ"},
		{fleet.Again{From: 10 * day, To: 11 * day, Windows: 1, Calls: 1, Orders: 7, KnownSeconds: day}, []string{"1 window and 1 list call.", "They are about 7 orders."}, "not known"},
		{fleet.Again{From: 10 * day, To: 11 * day, Windows: 1, Calls: 1, SecondPasses: 3}, []string{"How many they are is not known", "3 windows before that time get no second pass"}, "about"},
		{fleet.Again{From: 11 * day, To: 10 * day, Skipped: day}, []string{"goes forward", "NOT READ: the orders of the 24h in between."}, "again"},
		{fleet.Again{From: 10 * day, To: 10 * day, SecondPasses: 1}, []string{"publishes nothing again", "1 window before that time gets no second pass"}, "NOT READ"},
		{fleet.Again{From: 10 * day, To: 11 * day, Windows: 1, Calls: 1, Unread: 3600}, []string{"goes back", "NOT READ TO THEIR ENDS: windows of 1h before that time"}, "goes forward"},
		{fleet.Again{From: 10 * day}, []string{"Nothing is stored yet: the walk begins at 1970-01-11T"}, "again"},
		{fleet.Again{Reset: true, From: 10 * day}, []string{"Nothing is stored, so nothing changes."}, "again"},
		{fleet.Again{Damaged: true, Reset: true, From: 10 * day}, []string{"cannot be read. The walk begins again at 1970-01-11T", "publishes the orders since then again"}, "nothing changes"},
	} {
		text := strings.Join(againText(c.again), " ")
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%+v: no %q in\n%s", c.again, want, text)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%+v: %q in\n%s", c.again, c.not, text)
		}
	}

	// Of many shops, the first few and the sum.
	shops, again := make([]fleet.Shop, 7), make([]fleet.Again, 7)
	for i := range shops {
		shops[i].Name = "shop" + strings.Repeat("x", i)
		again[i] = fleet.Again{From: 10 * day, To: 11 * day, Windows: 2, Calls: 3}
	}
	text := againTexts(shops, again)
	if !strings.Contains(text, "\nshopxxxx:\n") || strings.Contains(text, "\nshopxxxxx:") || !strings.Contains(text, "and 2 more. All together: at least 14 windows and 21 list calls.\n") {
		t.Errorf("seven shops:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > helpWidth+1 {
			t.Errorf("too long: %s", line)
		}
	}
}
