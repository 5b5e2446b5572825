package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var methods = []string{"GET", "PUT", "POST", "PATCH", "DELETE"}

// Operations returns all operations, by path.
func (d *Document) Operations() (all []Operation) {
	paths := d.child(d.root, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range methods {
			op := d.operation(method, path)
			if op == nil {
				continue
			}
			found := Operation{Method: method, Path: path, Statuses: slices.Sorted(maps.Keys(d.child(op, "responses")))}
			security, _ := op["security"].([]any)
			found.Secured = len(security) > 0
			for _, p := range d.parameters(path, op) {
				found.Parameters = append(found.Parameters, fmt.Sprint(p["in"], " ", p["name"]))
			}
			slices.Sort(found.Parameters)
			all = append(all, found)
		}
	}
	return all
}

func (d *Document) operation(method, path string) map[string]any {
	item := d.child(d.child(d.root, "paths"), path)
	op, _ := item[strings.ToLower(method)].(map[string]any)
	return op
}

// parameters returns those of an operation and of its path.
func (d *Document) parameters(path string, op map[string]any) (all []map[string]any) {
	for _, owner := range []map[string]any{d.child(d.child(d.root, "paths"), path), op} {
		list, _ := owner["parameters"].([]any)
		for _, p := range list {
			if p, err := d.resolve(p.(map[string]any)); err == nil {
				all = append(all, p)
			}
		}
	}
	return all
}

// Find returns the path of the document that a request is for, without a slash at its
// end, and the values of its variables. A path without variables is preferred.
func (d *Document) Find(path string) (template string, values map[string]string) {
	if len(path) > 1 && !strings.HasSuffix(path, "//") {
		path = strings.TrimSuffix(path, "/")
	}
	parts := strings.Split(path, "/")
	for _, candidate := range slices.Sorted(maps.Keys(d.child(d.root, "paths"))) {
		if wanted := strings.Split(candidate, "/"); len(wanted) == len(parts) {
			found := map[string]string{}
			for i, want := range wanted {
				if strings.HasPrefix(want, "{") && parts[i] != "" {
					value, err := url.PathUnescape(parts[i])
					if err != nil {
						value = parts[i]
					}
					found[strings.Trim(want, "{}")] = value
				} else if want != parts[i] {
					found = nil
					break
				}
			}
			if found != nil && (template == "" || len(found) < len(values)) {
				template, values = candidate, found
			}
		}
	}
	return template, values
}

// Members returns the names of an object's members by the schema of that name, and of
// those that it must have, in order.
func (d *Document) Members(schema string) (all, required []string) {
	object := d.child(d.child(d.child(d.root, "components"), "schemas"), schema)
	list, _ := object["required"].([]any)
	for _, name := range list {
		required = append(required, name.(string))
	}
	return slices.Sorted(maps.Keys(d.child(object, "properties"))), slices.Sorted(slices.Values(required))
}

// Exchange is a request and its answer.
type Exchange struct {
	Method  string
	URL     *url.URL
	Request []byte // the body
	Status  int
	Header  http.Header // of the answer
	Answer  []byte
}

// Check returns an error if the exchange is not as the document describes it:
//
//   - the answer has a status that the operation lists, the content and the headers;
//   - a request that is answered with 2xx is valid itself. What is sent in the query is
//     not checked: servers of Kafka Connect take values that are unknown as not given;
//   - what no operation describes is refused with 404, or 405 and Allow; OPTIONS may be
//     answered with Allow.
func (d *Document) Check(e Exchange) error {
	path, values := d.Find(e.URL.EscapedPath())
	method := e.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op := d.operation(method, path)
	var response map[string]any
	var pointer string
	switch {
	case path != "" && e.Method == http.MethodOptions && e.Status == http.StatusOK:
		response = map[string]any{"headers": map[string]any{"Allow": map[string]any{"required": true}}}
	case e.Status == http.StatusNotAcceptable:
		response, pointer = d.component("OtherError")
	case path == "" && e.Status >= 300 && e.Status < 400: // to the path without // or ..
		return nil
	case path == "" && e.Status != http.StatusNotFound && e.Status != http.StatusMethodNotAllowed:
		return fmt.Errorf("the path is not described, and the status is %d", e.Status)
	case path == "":
		response, pointer = d.component("OtherError")
	case op == nil && e.Status == http.StatusNotFound: // for a variable, such as one that is no number
		response, pointer = d.component("OtherError")
	case op == nil && e.Status != http.StatusMethodNotAllowed:
		return fmt.Errorf("%s does not describe %s, and the status is %d", path, method, e.Status)
	case op == nil, e.Method == http.MethodHead && e.Status == http.StatusMethodNotAllowed:
		response, pointer = d.component("MethodNotAllowed")
	default:
		responses := d.child(op, "responses")
		response = d.child(responses, strconv.Itoa(e.Status))
		pointer = "/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + strconv.Itoa(e.Status)
		if direct, _ := responses[strconv.Itoa(e.Status)].(map[string]any); direct["$ref"] != nil {
			pointer = strings.TrimPrefix(direct["$ref"].(string), "#")
		}
	}
	if response == nil {
		return fmt.Errorf("status %d is not described", e.Status)
	}
	if err := d.answer(response, pointer, e); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	if op == nil || e.Status >= 300 {
		return nil
	}
	if err := d.request(op, path, values, e); err != nil {
		return fmt.Errorf("the request, which was accepted: %w", err)
	}
	return nil
}

func (d *Document) component(name string) (map[string]any, string) {
	return d.child(d.child(d.child(d.root, "components"), "responses"), name), "/components/responses/" + name
}

func (d *Document) answer(response map[string]any, pointer string, e Exchange) error {
	headers := d.child(response, "headers")
	for name := range headers {
		header := d.child(headers, name)
		value := e.Header.Get(name)
		if value == "" && header["required"] == true {
			return fmt.Errorf("it has no %s", name)
		}
		if value == "" || header["schema"] == nil {
			continue
		}
		if err := d.text(pointer+"/headers/"+escape(name)+"/schema", d.child(header, "schema"), value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if e.Method == http.MethodHead {
		return nil
	}
	return d.content(response, pointer, e.Header.Get("Content-Type"), e.Answer)
}

func (d *Document) request(op map[string]any, path string, values map[string]string, e Exchange) error {
	for _, p := range d.parameters(path, op) {
		if p["in"] != "path" {
			continue
		}
		name := p["name"].(string)
		if err := d.text("/components/parameters/"+d.nameOf(p)+"/schema", d.child(p, "schema"), values[name]); err != nil {
			return fmt.Errorf("{%s}: %w", name, err)
		}
	}
	if body := d.child(op, "requestBody"); body != nil {
		kind := "application/json"
		if bytes.HasPrefix(bytes.TrimSpace(e.Request), []byte("<")) {
			kind = "text/xml"
		}
		return d.content(body, "/paths/"+escape(path)+"/"+strings.ToLower(e.Method)+"/requestBody", kind, e.Request)
	}
	return nil
}

// nameOf returns the name under which a parameter of a path is kept.
func (d *Document) nameOf(parameter map[string]any) string {
	all := d.child(d.child(d.root, "components"), "parameters")
	for key := range all {
		if d.child(all, key)["name"] == parameter["name"] {
			return key
		}
	}
	return ""
}

// text validates a text whose schema may be one of numbers.
func (d *Document) text(pointer string, schema map[string]any, value string) error {
	if schema["type"] == "integer" {
		return d.valid(pointer, json.Number(value))
	}
	return d.valid(pointer, value)
}

// content validates a body.
func (d *Document) content(owner map[string]any, pointer, kind string, body []byte) error {
	described := d.child(owner, "content")
	if described == nil {
		if len(body) > 0 {
			return errors.New("it has a body, and none is described")
		}
		return nil
	}
	plain, _, err := mime.ParseMediaType(kind)
	if err != nil || described[plain] == nil {
		return fmt.Errorf("Content-Type %q is not described", kind)
	}
	if plain != "application/json" {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.valid(pointer+"/content/"+escape(plain)+"/schema", value)
}

func (d *Document) valid(pointer string, value any) error {
	schema, err := d.compiler.Compile(here + "#" + pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
