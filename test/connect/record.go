package connect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Format returns the recording of the answers to calls: for each a block "### name",
// the status, headers, and after an empty line the body. A long body that another call
// had before is written as "= name of that call".
func Format(calls []Call, answers []Answer) string {
	var b strings.Builder
	seen := map[string]string{}
	for i, answer := range answers {
		fmt.Fprintf(&b, "### %s\n%d %s\n", calls[i].Name, answer.Status, http.StatusText(answer.Status))
		for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
			fmt.Fprintf(&b, "%s: %s\n", name, answer.Header[name])
		}
		if body := formatBody(answer.Body); body != "" {
			if before, found := seen[body]; found {
				body = "= " + before
			} else if len(body) > 200 {
				seen[body] = calls[i].Name
			}
			b.WriteString("\n" + body + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// ParseRecording is the inverse of Format, by the names of calls.
func ParseRecording(text string) (map[string]Answer, error) {
	answers := map[string]Answer{}
	for _, block := range strings.Split("\n"+text, "\n### ")[1:] {
		head, body, _ := strings.Cut(strings.TrimRight(block, "\n"), "\n\n")
		lines := strings.Split(head, "\n")
		if len(lines) < 2 {
			return nil, fmt.Errorf("answer %q: it has no status", lines[0])
		}
		status, _, _ := strings.Cut(lines[1], " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			return nil, fmt.Errorf("answer %q: %w", lines[0], err)
		}
		answer := Answer{Status: code, Header: map[string]string{}}
		for _, line := range lines[2:] {
			name, value, _ := strings.Cut(line, ": ")
			answer.Header[name] = value
		}
		if before, found := strings.CutPrefix(body, "= "); found {
			answer.Body = answers[before].Body
		} else if body != "" {
			decoder := json.NewDecoder(strings.NewReader(body))
			decoder.UseNumber()
			if err := decoder.Decode(&answer.Body); err != nil || decoder.More() {
				answer.Body = body
			}
		}
		answers[lines[0]] = answer
	}
	return answers, nil
}

func formatBody(body any) string {
	switch v := body.(type) {
	case nil:
		return ""
	case string:
		if !json.Valid([]byte(v)) {
			return v
		}
	}
	var b strings.Builder
	formatJSON(&b, body, "")
	return b.String()
}

// formatJSON writes a value on one line if that is short, else each member on one.
func formatJSON(b *strings.Builder, value any, indent string) {
	line := compact(value)
	const width = 120
	if len(indent)+len(line) <= width {
		b.WriteString(line)
		return
	}
	switch v := value.(type) {
	case []any:
		b.WriteString("[")
		for i, element := range v {
			b.WriteString(separator(i) + "\n " + indent)
			formatJSON(b, element, indent+" ")
		}
		b.WriteString("\n" + indent + "]")
	case map[string]any:
		b.WriteString("{")
		for i, key := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(separator(i) + "\n " + indent + compact(key) + ": ")
			formatJSON(b, v[key], indent+" ")
		}
		b.WriteString("\n" + indent + "}")
	default:
		b.WriteString(line)
	}
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func compact(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
