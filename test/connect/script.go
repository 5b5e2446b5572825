package connect

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Call is one HTTP call of a script.
type Call struct {
	Name   string
	Method string
	Path   string // as sent, with its query; nothing is escaped
	Header http.Header
	Body   string
	// Gzip sends the body compressed.
	Gzip bool
	// Pad is a number of blanks sent before the body.
	Pad int
	// Until are conditions on the answer; the call is repeated until all hold.
	Until []Condition
	// Once is not repeated if the answer is that of a rebalance.
	Once bool
	// Show reduces a JSON answer: "errors" keeps the errors of a validation, "loggers"
	// the root logger and one other.
	Show string
}

// Condition holds if the value at Path is Value, a text or else JSON, or with More a number
// larger than it. Path is "status" for the HTTP status, or keys and indexes in the JSON
// body, joined by dots; "#" is the length.
type Condition struct {
	Path, Value string
	More        bool
}

// ParseScript parses a script: blocks that begin with "### name", each with
//
//	# @until tasks.0.state = RUNNING   directives, any number; also path > number
//	# any other line that begins with # is a comment
//	PUT /connectors/one/config
//	Content-Type: application/json     headers, any number
//
//	{"the":"body"}                     up to the next block
//
// Directives are until, once, gzip, pad N, show errors and show loggers. A call has Accept:
// application/json, and Content-Type: application/json with a body, unless its headers
// say otherwise; a header without a value is not sent.
func ParseScript(text string) ([]Call, error) {
	var calls []Call
	names := map[string]bool{}
	for _, block := range strings.Split("\n"+text, "\n### ")[1:] {
		call, err := parseCall(block)
		if err != nil {
			return nil, fmt.Errorf("call %q: %w", call.Name, err)
		}
		if names[call.Name] {
			return nil, fmt.Errorf("call %q: the name is used twice", call.Name)
		}
		names[call.Name] = true
		calls = append(calls, call)
	}
	return calls, nil
}

func parseCall(block string) (Call, error) {
	head, body, _ := strings.Cut(block, "\n\n")
	lines := strings.Split(head, "\n")
	call := Call{Name: strings.TrimSpace(lines[0]), Header: http.Header{}, Body: strings.TrimSpace(body)}
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		directive, isDirective := strings.CutPrefix(line, "# @")
		switch {
		case isDirective:
			if err := call.direct(directive); err != nil {
				return call, err
			}
		case line == "" || strings.HasPrefix(line, "#"):
		case call.Method == "":
			var found bool
			if call.Method, call.Path, found = strings.Cut(line, " "); !found {
				return call, fmt.Errorf("%q is not a method and a path", line)
			}
		default:
			key, value, found := strings.Cut(line, ":")
			if !found {
				return call, fmt.Errorf("%q is not a header", line)
			}
			call.Header.Add(key, strings.TrimSpace(value))
		}
	}
	if call.Method == "" {
		return call, fmt.Errorf("it has no method and path")
	}
	defaults := map[string]string{"Accept": "application/json"}
	if call.Body != "" {
		defaults["Content-Type"] = "application/json"
	}
	for key, value := range defaults {
		if call.Header.Values(key) == nil {
			call.Header.Set(key, value)
		}
	}
	return call, nil
}

func (c *Call) direct(directive string) error {
	word, rest, _ := strings.Cut(directive, " ")
	switch word {
	case "until":
		path, value, found := strings.Cut(rest, " = ")
		more := !found
		if more {
			path, value, found = strings.Cut(rest, " > ")
		}
		if !found {
			return fmt.Errorf("%q has no = or >", directive)
		}
		c.Until = append(c.Until, Condition{strings.TrimSpace(path), strings.TrimSpace(value), more})
	case "once":
		c.Once = true
	case "gzip":
		c.Gzip = true
	case "pad":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		c.Pad = n
	case "show":
		if rest != "errors" && rest != "loggers" {
			return fmt.Errorf("%q is unknown", directive)
		}
		c.Show = rest
	default:
		return fmt.Errorf("%q is unknown", directive)
	}
	return nil
}
