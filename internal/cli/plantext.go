package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

func (p *plan) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// writeText prints the plan as lines, a block for each shop.
func (p *plan) writeText(w io.Writer) error {
	var b strings.Builder
	planned := 0
	for i := range p.Shops {
		if s := &p.Shops[i]; s.Error == "" && s.Note == "" {
			planned++
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		p.Shops[i].write(&b)
	}
	if planned > 1 {
		fmt.Fprintf(&b, "\nall %d: about %s orders, %s calls, %s\n", planned, about(p.Total.Orders), about(p.Total.Calls), inTime(p.Total.Seconds))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *shopPlan) write(b *strings.Builder) {
	b.WriteString(s.Shop)
	if s.Shop != s.AppID {
		fmt.Fprintf(b, " (%s)", s.AppID)
	}
	fmt.Fprintf(b, ", %s", s.TimeRange)
	if s.Start > 0 {
		fmt.Fprintf(b, ", %s to %s", utc(s.Start), utc(s.End))
		if s.Open {
			b.WriteString(" (now)")
		}
	}
	b.WriteByte('\n')
	line := func(name, format string, values ...any) {
		fmt.Fprintf(b, "  %-8s %s\n", name, fmt.Sprintf(format, values...))
	}
	switch {
	case s.Error != "":
		line("failed", "%s", s.Error)
		for _, do := range s.Do {
			line("", "→ %s", do)
		}
		return
	case s.Note != "":
		line("nothing", "%s", s.Note)
		return
	}
	line("orders", "%s", s.howMany())
	line("windows", "about %s", about(s.Windows))
	line("calls", "about %s: %s to read, %s to read a second time for late orders", about(s.Calls), about(s.FirstCalls), about(s.SecondCalls))
	if q := s.Quota; q != nil {
		others := ""
		if q.others {
			others = ", by all shops of the app ID"
		}
		line("quota", "%s of the %s list calls left today, of %s a day%s", percent(q.Share), thousands(q.Remaining), thousands(q.Limit), others)
	} else {
		line("quota", "unknown: the vendor does not report it")
	}
	line("time", "about %s, at %s calls a second at most, %d windows at once, %s a call", inTime(s.Calling), number(s.PerSecond), s.Concurrency, inTime(s.Latency))
	switch q := s.Quota; {
	case q != nil && q.Midnights > 0:
		line("", "about %s with waiting for more calls at %d %s in Shanghai: each day reserves a share for the live walk", inTime(s.Seconds), q.Midnights, plural(q.Midnights, "midnight"))
	case q != nil && q.Midnights < 0:
		line("", "it never starts: ORDERWALK_QUOTA_LIVE_SHARE reserves all calls for the live walk")
	}
	if s.LiveCalls > 0 {
		line("then", "about %s calls a day to follow the shop", about(s.LiveCalls))
		if s.Quota != nil && int64(s.LiveCalls) > s.Quota.Limit {
			line("", "→ that is more than the daily quota: polls would be about %s apart, so that it lasts", inTime(s.Poll*float64(s.LiveCalls)/float64(s.Quota.Limit)))
		}
	}
	line("sample", "from %s orders in %s, %s of the range, by %s", thousands(int64(s.Sample.Orders)), count(s.Sample.Windows, "window"), percent(s.Sample.Share), count(s.Sample.Calls, "call"))
	if s.Sample.Share < 1 {
		line("", "orders that come in bursts between those windows are not counted")
	}
	if s.Sample.Most > 0 {
		line("", "the API refuses a range of about %s orders (31042)", about(s.Sample.Most))
	}
}

// howMany formats an estimate with its error.
func (s *shopPlan) howMany() string {
	low, high := about(s.OrdersLow), about(s.OrdersHigh)
	switch {
	case s.AtLeast:
		return fmt.Sprintf("at least %s; %s did not suffice for an upper bound: set a greater --calls", low, count(s.Sample.Calls, "call"))
	case low == high:
		return "about " + about(s.Orders)
	}
	text := fmt.Sprintf("about %s, probably %s to %s", about(s.Orders), low, high)
	if s.Wide {
		text += "; a greater --calls narrows it"
	}
	return text
}

func utc(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// about rounds an estimate to two digits.
func about(n int) string {
	if n < 100 {
		return fmt.Sprint(n)
	}
	unit := math.Pow10(len(fmt.Sprint(n)) - 2)
	return thousands(int64(math.Round(float64(n)/unit) * unit))
}

func percent(share float64) string {
	switch p := 100 * share; {
	case p >= 99.5 && p < 100.5:
		return "100 %"
	case p >= 10:
		return thousands(int64(p+0.5)) + " %"
	case p >= 0.1:
		return fmt.Sprintf("%.1f %%", p)
	case p > 0:
		return "less than 0.1 %"
	}
	return "0 %"
}

// number formats x with one decimal if x is below 10 and not whole.
func number(x float64) string {
	if x >= 10 || x == math.Trunc(x) {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

// inTime formats a duration with its one or two largest units.
func inTime(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return short(d.Round(10 * time.Second))
	case d < 24*time.Hour:
		return short(d.Round(10 * time.Minute))
	}
	hours := int(math.Round(d.Hours()))
	if hours%24 == 0 {
		return fmt.Sprintf("%dd", hours/24)
	}
	return fmt.Sprintf("%dd%dh", hours/24, hours%24)
}

// short formats a duration without zero units at the end.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
