package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/push"
	"orderwalk/internal/wechat"
)

const runbook = root + "/docs/RUNBOOK.md"

// found are the first groups of all matches in a file, each once.
func found(t *testing.T, path, pattern string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, path), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		t.Fatalf("nothing in %s is like %s", path, pattern)
	}
	return all
}

// Every alert has a heading, which is where it links to, and no heading is of an
// alert that is not there.
func TestRunbookHasEveryAlert(t *testing.T) {
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || a.Labels["severity"] == "" {
			t.Errorf("%s: summary, description or severity is missing", a.Alert)
		}
	}
	slices.Sort(names)
	if headings := found(t, runbook, `(?m)^### (Orderwalk\w+)$`); !slices.Equal(names, headings) {
		t.Errorf("alerts:   %q\nheadings: %q", names, headings)
	}
}

// Every errcode in the program's table, every class, state, result of a push and
// every answer of Kafka that it has a hint for is in the runbook.
func TestRunbookHasEveryReason(t *testing.T) {
	text := read(t, runbook)
	want := func(what, word string) {
		t.Helper()
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("%s %s is not in the runbook", what, word)
		}
	}
	for _, code := range found(t, root+"/internal/wechat/codes.go", `(?m)^\t(-?\d+):\s+\{`) {
		want("errcode", code)
	}
	for class := wechat.Retry; class <= wechat.Stop; class++ {
		want("class", class.String())
	}
	for _, state := range found(t, root+"/connector/status.go", `(?m)^\tState\w+\s+State = "(\w+)"`) {
		want("state", state)
	}
	for _, result := range push.Results() {
		want("result of a push", string(result))
	}
	titles := map[string]string{"networkexception": "error 13"} // kafka-go has no words for it
	for code := kafka.Error(-1); code <= 120; code++ {
		titles[strings.ToLower(strings.ReplaceAll(code.Title(), " ", ""))] = code.Title()
	}
	for _, path := range []string{"/internal/cli/hints.go", "/internal/txn/react.go"} {
		source := read(t, root+path)
		if strings.HasSuffix(path, "react.go") {
			// The codes repeated without end are the ones that an operator sees for long.
			_, source, _ = strings.Cut(source, "switch code {")
			source, _, _ = strings.Cut(source, "return repeat")
		} else {
			_, source, _ = strings.Cut(source, "switch code {")
		}
		for _, m := range regexp.MustCompile(`\bkafka\.([A-Z]\w+)`).FindAllStringSubmatch(source, -1) {
			if m[1] == "Error" {
				continue
			}
			title, ok := titles[strings.ToLower(m[1])]
			if !ok {
				t.Errorf("%s: no answer of Kafka's is called %s", path, m[1])
				continue
			}
			want("answer of Kafka", title)
		}
	}
}

// Links within the runbook lead somewhere.
func TestRunbookLinks(t *testing.T) {
	headings := map[string]bool{}
	for _, h := range found(t, runbook, `(?m)^#+ (.+)$`) {
		h = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h), "")
		headings[strings.ReplaceAll(h, " ", "-")] = true
	}
	for _, link := range found(t, runbook, `\]\(#([^)]+)\)`) {
		if !headings[link] {
			t.Errorf("no heading %s", link)
		}
	}
}

// Every variable that the runbook speaks of is one there is.
func TestRunbookKnowsTheVariables(t *testing.T) {
	known := read(t, root+"/README.md")
	for _, name := range found(t, runbook, `(ORDERWALK_[A-Z_]+[A-Z])`) {
		if !strings.Contains(known, "| `"+name+"` |") {
			t.Errorf("no variable %s", name)
		}
	}
}
