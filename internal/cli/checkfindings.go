package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"orderwalk/internal/config"
)

// finding is the outcome of one check.
type finding struct {
	Check string `json:"check"` // the subject, such as "topic wechat.orders"
	// Shop and AppID are the name and the app ID of the shop that the check is about;
	// empty = it is not about one shop. Shops of one app ID are checked once, under the
	// name of the first.
	Shop   string   `json:"shop,omitempty"`
	AppID  string   `json:"app_id,omitempty"`
	OK     bool     `json:"ok"`
	Detail string   `json:"detail,omitempty"` // the result, or the problem
	Do     []string `json:"do,omitempty"`     // what to do about the problem, a line each
	// Faults are those of the configuration, which Do has as text.
	Faults []configFault `json:"faults,omitempty"`
	// skipped reports that the shop was not tried. The text counts such findings only.
	skipped bool
}

// configFault is a config.Fault as JSON.
type configFault struct {
	Where   string `json:"where"`
	Line    int    `json:"line,omitempty"`
	Shop    string `json:"shop,omitempty"`
	AppID   string `json:"app_id,omitempty"`
	Problem string `json:"problem"`
	Allowed string `json:"allowed"`
}

// checkup prints the findings as they are found.
type checkup struct {
	streams  Streams
	asked    checking
	out      io.Writer
	over     func() bool // reports whether the command was interrupted; later findings are invalid
	findings []finding
	failures int
	// configured reports that the configuration has no faults; otherwise no other
	// check is made.
	configured bool
	// advice counts the failed checks by what to do about them, and keeps the order in
	// which it was printed.
	advice  map[string]int
	advised []string
}

func (k *checkup) ok(check, detail string) { k.add(finding{Check: check, OK: true, Detail: detail}) }

func (k *checkup) failed(check, detail string, do ...string) {
	k.add(finding{Check: check, Detail: detail, Do: do})
}

func (k *checkup) add(f finding) {
	if k.over() {
		return
	}
	k.findings = append(k.findings, f)
	word := "failed"
	if f.OK {
		word = "ok"
	} else {
		k.failures++
	}
	if f.skipped || f.OK && k.asked.onlyFailed {
		return
	}
	var text strings.Builder // one write: it goes above a progress line
	text.WriteString(strings.TrimRight(fmt.Sprintf("%-7s %-28s %s", word, f.Check, f.Detail), " ") + "\n")
	for _, line := range f.Do {
		if f.Shop == "" || k.isNew(line, f.OK) {
			text.WriteString("        → " + line + "\n")
		}
	}
	fmt.Fprint(k.out, text.String())
}

// beside has the findings of a function scroll by above a line, which it then ends.
func (k *checkup) beside(line *countLine, check func()) {
	out := k.out
	k.out = line.above(out)
	check()
	line.end()
	k.out = out
}

// isNew counts an advice about a shop and reports whether it was not printed yet.
func (k *checkup) isNew(advice string, ok bool) bool {
	times, known := k.advice[advice]
	if !known {
		k.advised = append(k.advised, advice)
	}
	if k.advice == nil {
		k.advice = make(map[string]int)
	}
	if !ok {
		times++
	}
	k.advice[advice] = times
	return !known
}

// verdict prints the counts: first of what many shops need, then of all checks.
func (k *checkup) verdict() {
	slices.SortStableFunc(k.advised, func(a, b string) int { return cmp.Compare(k.advice[b], k.advice[a]) })
	for _, advice := range k.advised {
		if n := k.advice[advice]; n > 1 {
			fmt.Fprintf(k.out, "%s failed → %s\n", thousands(int64(n)), advice)
		}
	}
	all := len(k.findings)
	result := "all passed"
	if k.failures > 0 {
		result = fmt.Sprintf("%s passed, %s failed", thousands(int64(all-k.failures)), thousands(int64(k.failures)))
	}
	fmt.Fprintf(k.out, "%s: %s\n", count(all, "check"), result)
}

// unconfigured adds the finding of a configuration that cannot be used.
func (k *checkup) unconfigured(err error) {
	f := finding{Check: "configuration", Detail: err.Error()}
	var faults *config.Error
	if errors.As(err, &faults) {
		f.Detail = strings.TrimSuffix(strings.SplitN(err.Error(), "\n", 2)[0], ":")
		for _, v := range faults.Faults {
			f.Do = append(f.Do, v.String())
			f.Faults = append(f.Faults, configFault{v.Where, v.Line, v.Shop, v.AppID, v.Problem, v.Allowed})
		}
	}
	k.add(f)
}

func (k *checkup) writeJSON(w io.Writer) error {
	answer := struct {
		OK     bool      `json:"ok"`
		Passed int       `json:"passed"`
		Failed int       `json:"failed"`
		Checks []finding `json:"checks"`
	}{k.failures == 0, len(k.findings) - k.failures, k.failures, k.findings}
	if k.asked.onlyFailed {
		answer.Checks = []finding{} // not null
		for _, f := range k.findings {
			if !f.OK {
				answer.Checks = append(answer.Checks, f)
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}
