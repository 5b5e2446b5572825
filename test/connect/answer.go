package connect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// headers are those that an Answer has.
var headers = []string{
	"Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Allow", "Content-Encoding",
	"Content-Type", "Location", "Retry-After", "Www-Authenticate",
}

// volatile matches what depends on the length of paths, or on the machine, in texts: a
// column of a request's body, and where a plugin's jar is.
var volatile = regexp.MustCompile(`(\bcolumn: )[0-9]+|(location='file:)[^']+`)

// Answer is an answer without what varies from run to run.
type Answer struct {
	Status int
	Header map[string]string // those of headers that it has
	// Body is a JSON value, a string if it is not JSON, or nil if there is none.
	Body any
	// Missed is the condition of the call that did not hold in time, or "".
	Missed string
}

func (t *Target) normalize(call Call, r raw) Answer {
	answer := Answer{Status: r.status, Header: map[string]string{}}
	for _, name := range headers {
		if values := r.header.Values(name); len(values) > 0 {
			answer.Header[name] = strings.ReplaceAll(strings.Join(values, ", "), t.URL, "{{url}}")
		}
	}
	// A path means the same address.
	if location := answer.Header["Location"]; strings.HasPrefix(location, "/") {
		answer.Header["Location"] = "{{url}}" + location
	}
	if allow, has := answer.Header["Allow"]; has { // in no order
		methods := strings.Split(strings.ReplaceAll(allow, " ", ""), ",")
		slices.Sort(methods)
		answer.Header["Allow"] = strings.Join(methods, ", ")
	}
	if len(r.body) == 0 {
		return answer
	}
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer.Body); err != nil || decoder.More() {
		answer.Body = strings.TrimSpace(t.fold(string(r.body)))
		return answer
	}
	answer.Body = t.simplify("", answer.Body)
	switch {
	case r.status != http.StatusOK:
	case call.Show == "errors":
		answer.Body = validationErrors(answer.Body)
	case call.Show == "loggers":
		answer.Body = oneLogger(answer.Body)
	}
	return answer
}

// simplify returns value, found at key, without what varies.
func (t *Target) simplify(key string, value any) any {
	switch v := value.(type) {
	case string:
		switch key {
		case "worker_id":
			if v == t.expand("{{host}}") {
				return "<host:port>"
			}
		case "kafka_cluster_id":
			return "<id>"
		case "trace":
			v, _, _ = strings.Cut(v, "\n")
		}
		// Connect has this text with or without the exception, by what came before.
		const unknown = "Failed to find any class that implements Connector"
		v = strings.Replace(v, "org.apache.kafka.connect.errors.ConnectException: "+unknown, unknown, 1)
		return t.fold(volatile.ReplaceAllString(v, "$1$2<…>"))
	case json.Number:
		if key == "last_modified" {
			return "<milliseconds>"
		}
	case []any:
		for i := range v {
			v[i] = t.simplify(key, v[i])
		}
		if key == "" { // names of connectors, in no order
			slices.SortFunc(v, func(a, b any) int { return strings.Compare(compact(a), compact(b)) })
		}
	case map[string]any:
		if key == "partition" {
			if name, found := t.partition(v); found {
				return name
			}
		}
		if key == "offset" && flat(v) {
			return "<offset>"
		}
		simple := map[string]any{}
		for k, value := range v {
			if own, found := t.config[k]; !found || own != value {
				simple[t.fold(k)] = t.simplify(k, value)
			}
		}
		return simple
	}
	return value
}

// flat reports whether all values of an object are primitive, as those of offsets
// must be.
func flat(object map[string]any) bool {
	for _, value := range object {
		switch value.(type) {
		case map[string]any, []any:
			return false
		}
	}
	return len(object) > 0
}

// validationErrors reduces the answer to a validation to its errors by key.
func validationErrors(body any) any {
	answer, ok := body.(map[string]any)
	if !ok {
		return body
	}
	configs, ok := answer["configs"].([]any)
	if !ok {
		return body
	}
	errs := map[string]any{}
	for _, config := range configs {
		entry, _ := config.(map[string]any)
		value, _ := entry["value"].(map[string]any)
		name, _ := value["name"].(string)
		if list, _ := value["errors"].([]any); len(list) > 0 {
			errs[name] = list
		}
	}
	return map[string]any{"name": answer["name"], "error_count": answer["error_count"], "errors": errs}
}

// oneLogger reduces a list of loggers to the root and one other, if there is one: which
// others there are depends on what the program has done so far.
func oneLogger(body any) any {
	all, ok := body.(map[string]any)
	if !ok {
		return body
	}
	reduced := map[string]any{}
	for name, level := range all {
		if name != "root" {
			name = "<logger>"
			if l, ok := level.(map[string]any); ok && l["level"] != nil {
				l["level"], l["last_modified"] = "<level>", "<milliseconds or null>"
			}
		}
		reduced[name] = level
	}
	return reduced
}
