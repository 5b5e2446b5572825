package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Difference is one thing in which an answer is not the recorded one.
type Difference struct {
	Call string
	// Where is "until" for a condition that never holds, "status", "header Name", or "body" with the path of a JSON value, in
	// which [] is any element of an array.
	Where     string
	Want, Got string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s | %s | want %s, got %s", d.Call, d.Where, d.Want, d.Got)
}

// Compare returns the differences of an answer from the recorded one.
func Compare(call string, want, got Answer) []Difference {
	c := comparison{call: call}
	if got.Missed != "" {
		c.differs("until", got.Missed, "something else for too long")
	}
	if want.Status != got.Status {
		c.differs("status", fmt.Sprint(want.Status), fmt.Sprint(got.Status))
	}
	for _, name := range headers {
		w, inWant := want.Header[name]
		g, inGot := got.Header[name]
		if inWant != inGot || w != g {
			c.differs("header "+name, orNone(w, inWant), orNone(g, inGot))
		}
	}
	c.values("body", want.Body, got.Body)
	return c.found
}

func orNone(value string, is bool) string {
	if !is {
		return "none"
	}
	return value
}

type comparison struct {
	call  string
	found []Difference
}

// differs notes a difference once, however many elements of an array have it.
func (c *comparison) differs(where, want, got string) {
	d := Difference{c.call, where, want, got}
	same := func(o Difference) bool { return o.Where == where }
	if !slices.ContainsFunc(c.found, same) {
		c.found = append(c.found, d)
	}
}

func (c *comparison) values(where string, want, got any) {
	if kind(want) != kind(got) {
		c.differs(where, kind(want), kind(got)+" "+abbreviate(got))
		return
	}
	switch w := want.(type) {
	case map[string]any:
		c.objects(where, w, got.(map[string]any))
	case []any:
		c.arrays(where, w, got.([]any))
	default:
		if want != got {
			c.differs(where, abbreviate(want), abbreviate(got))
		}
	}
}

func (c *comparison) objects(where string, want, got map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if _, has := got[key]; has {
			c.values(where+"."+key, want[key], got[key])
		} else {
			c.differs(where+"."+key, abbreviate(want[key]), "none")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, has := want[key]; !has {
			c.differs(where+"."+key, "none", abbreviate(got[key]))
		}
	}
}

// arrays compares element by element; arrays of different lengths by the first
// elements only, for their shape.
func (c *comparison) arrays(where string, want, got []any) {
	n := len(want)
	if len(want) != len(got) {
		c.differs(where+".length", fmt.Sprint(len(want)), fmt.Sprint(len(got)))
		n = min(len(want), len(got), 1)
	}
	for i := range n {
		c.values(where+"[]", want[i], got[i])
	}
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

func abbreviate(value any) string {
	const most = 160
	text := []rune(compact(value))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// Allowed are differences that are meant to be, each with its reason.
type Allowed struct{ lines []allowedLine }

type allowedLine struct {
	text        string
	call, where []string // patterns
	used        bool
}

// patterns parses patterns with commas between them.
func patterns(list string) ([]string, error) {
	// path.Match would take the [] of a path for a class of characters.
	escape := strings.NewReplacer("[", `\[`, "]", `\]`)
	var out []string
	for pattern := range strings.SplitSeq(list, ",") {
		pattern = escape.Replace(strings.TrimSpace(pattern))
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, err
		}
		out = append(out, pattern)
	}
	return out, nil
}

func anyMatches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		found, _ := path.Match(p, text) // ParseAllowed has tried the pattern
		return found
	})
}

// ParseAllowed parses lines "call | where | reason". Call and where are patterns, or
// several with commas between them, in which * is any text without a slash. Lines that
// begin with # are comments.
func ParseAllowed(text string) (*Allowed, error) {
	a := &Allowed{}
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, "|", 3)
		if len(parts) != 3 || strings.TrimSpace(parts[2]) == "" {
			return nil, fmt.Errorf("allowed difference %q: want call | where | reason", line)
		}
		calls, err := patterns(parts[0])
		where, errWhere := patterns(parts[1])
		if err := errors.Join(err, errWhere); err != nil {
			return nil, fmt.Errorf("allowed difference %q: %w", line, err)
		}
		a.lines = append(a.lines, allowedLine{text: line, call: calls, where: where})
	}
	return a, nil
}

// Except returns the differences that are not allowed.
func (a *Allowed) Except(differences []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(differences), func(d Difference) bool {
		allowed := false
		for i := range a.lines {
			l := &a.lines[i]
			if anyMatches(l.call, d.Call) && anyMatches(l.where, d.Where) {
				l.used, allowed = true, true
			}
		}
		return allowed
	})
}

// waits reports whether a call's conditions are to be waited for: not if it is allowed that
// they never hold.
func (a *Allowed) waits(call string) bool {
	return !slices.ContainsFunc(a.lines, func(l allowedLine) bool {
		return slices.Contains(l.where, "until") && anyMatches(l.call, call)
	})
}

// Unused returns the lines that no difference has matched so far: they allow what does
// not happen.
func (a *Allowed) Unused() []string {
	var lines []string
	for _, l := range a.lines {
		if !l.used {
			lines = append(lines, l.text)
		}
	}
	return lines
}
