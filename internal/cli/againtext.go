package cli

import (
	"fmt"
	"strings"
	"time"

	"orderwalk/internal/fleet"
)

// againTexts says what an alteration of offsets makes shops read again; of many shops, the
// first few and the sum of all.
func againTexts(shops []fleet.Shop, again []fleet.Again) string {
	var b strings.Builder
	windows, calls := 0, 0
	for i, a := range again {
		windows, calls = windows+a.Windows, calls+a.Calls
		if i < mostListed {
			b.WriteString(shops[i].Name + ":\n")
			for _, text := range againText(a) {
				b.WriteString(wrap("  ", "  ", text))
			}
		}
	}
	if more := len(shops) - mostListed; more > 0 {
		fmt.Fprintf(&b, "and %s more. ", thousands(int64(more)))
	}
	if len(shops) > 1 {
		fmt.Fprintf(&b, "All together: at least %s and %s.\n", count(windows, "window"), count(calls, "list call"))
	}
	return b.String()
}

// againText returns sentences about what one shop reads again.
func againText(a fleet.Again) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	span := func(seconds int64) string { return shortDuration(time.Duration(seconds) * time.Second) }
	switch {
	case a.Damaged:
		say("The stored checkpoint cannot be read. The walk begins again at %s.", timeText(a.From))
		say("It publishes the orders since then again, how many is not known.")
	case a.To == 0 && a.Reset:
		say("Nothing is stored, so nothing changes.")
	case a.To == 0:
		say("Nothing is stored yet: the walk begins at %s.", timeText(a.From))
	case a.From < a.To:
		say("The walk goes back from %s to %s (%s).", timeText(a.To), timeText(a.From), span(a.To-a.From))
		say("It publishes the orders of that time again, with at least %s and %s.", count(a.Windows, "window"), count(a.Calls, "list call"))
		switch {
		case a.KnownSeconds >= a.To-a.From:
			say("They are about %s.", count(a.Orders, "order"))
		case a.KnownSeconds > 0:
			say("Of %s of it about %s are known; how many the rest has is not known.", span(a.KnownSeconds), count(a.Orders, "order"))
		default:
			say("How many they are is not known: the windows of that time are not stored any more.")
		}
	case a.Skipped > 0:
		say("The walk goes forward from %s to %s.", timeText(a.To), timeText(a.From))
		say("NOT READ: the orders of the %s in between.", span(a.Skipped))
	default:
		say("The walk goes on at %s and publishes nothing again.", timeText(a.From))
	}
	if a.Unread > 0 {
		say("NOT READ TO THEIR ENDS: windows of %s before that time, in which the walk is now.", span(a.Unread))
	}
	if a.SecondPasses > 0 {
		say("%s before that time %s no second pass (LOOKBACK): orders that the API shows there late are not published.", count(a.SecondPasses, "window"), getGets(a.SecondPasses))
	}
	return out
}

func getGets(n int) string {
	if n == 1 {
		return "gets"
	}
	return "get"
}
