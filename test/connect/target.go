package connect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// Target is an implementation of the API and the meaning of a script's variables for
// it.
type Target struct {
	// URL is the base of the API, without a trailing slash.
	URL string
	// Patience is how long a call is repeated, until its conditions hold or a
	// rebalance is over.
	Patience time.Duration
	vars     []variable
	// config are members that the target's connectors need and others do not; see the
	// variables "more" and "fail".
	config map[string]any
	// token is sent as a bearer token with every call, unless it is empty.
	token string
}

// variable stands for value in a script as {{name}}, and in answers value is shown as
// {{name}}.
type variable struct{ name, value string }

// NewTarget returns the target at base with the variables of vars, lines "name =
// value" in which # begins a comment. A value may use variables of lines above it and
// those given, "name=value" each.
// Its Patience is 15 s.
//
// Some names have a meaning: "more" and "fail" are members of a JSON object, each with
// a comma before it, and are left out of configurations in answers; those that begin
// with "partition" are JSON objects, found in answers by their content; those that end
// in "_key" are found in answers only as whole strings.
func NewTarget(base, vars string, given ...string) (*Target, error) {
	t := &Target{URL: strings.TrimSuffix(base, "/"), Patience: 15 * time.Second, config: map[string]any{}}
	at, err := url.Parse(t.URL)
	if err != nil {
		return nil, err
	}
	lines := append(given, strings.Split(vars, "\n")...)
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			return nil, fmt.Errorf("variable %q has no =", line)
		}
		v := variable{strings.TrimSpace(name), t.expand(strings.TrimSpace(value))}
		t.vars = append(t.vars, v)
		if v.name == "more" || v.name == "fail" {
			if err := json.Unmarshal([]byte(`{"":null`+v.value+"}"), &t.config); err != nil {
				return nil, fmt.Errorf("variable %s: %w", v.name, err)
			}
		}
	}
	t.vars = append(t.vars, variable{"url", t.URL}, variable{"host", at.Host})
	return t, nil
}

// Authorize lets every call carry the bearer token in a file.
func (t *Target) Authorize(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	t.token = strings.TrimSpace(string(data))
	return nil
}

// expand replaces variables with their values.
func (t *Target) expand(text string) string {
	for _, v := range t.vars {
		text = strings.ReplaceAll(text, "{{"+v.name+"}}", v.value)
	}
	return text
}

// fold replaces values with their variables.
func (t *Target) fold(text string) string {
	for _, v := range t.vars {
		if v.value != "" && v.value == text {
			return "{{" + v.name + "}}"
		}
	}
	for _, v := range t.vars {
		if len(v.value) > 0 && !strings.HasSuffix(v.name, "_key") && v.name != "dir" {
			text = strings.ReplaceAll(text, v.value, "{{"+v.name+"}}")
		}
	}
	for _, v := range t.vars {
		if v.name == "dir" { // last, for others may contain it
			text = strings.ReplaceAll(text, v.value, "{{dir}}")
		}
	}
	return text
}

// partition returns the variable whose value is the JSON object at hand.
func (t *Target) partition(at any) (string, bool) {
	want, err := json.Marshal(at)
	if err != nil {
		return "", false
	}
	for _, v := range t.vars {
		var object any
		if strings.HasPrefix(v.name, "partition") && json.Unmarshal([]byte(v.value), &object) == nil {
			if have, err := json.Marshal(object); err == nil && string(have) == string(want) {
				return "{{" + v.name + "}}", true
			}
		}
	}
	return "", false
}
