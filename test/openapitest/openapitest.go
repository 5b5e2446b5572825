// Package openapitest holds OpenAPI 3.1 documents against the specification's own schema,
// and HTTP requests and answers against a document.
//
//	openapitest.go  a document: its form, its schemas, its examples
//	exchange.go     a request and its answer
//	watch.go        a handler whose exchanges are checked
//
// testdata has the schemas of the specification, as https://spec.openapis.org/oas
// publishes them. The package is for tests; it is not linked into the shipped binary.
package openapitest

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed testdata/*.json
var specification embed.FS

const specificationURL = "https://spec.openapis.org/oas/3.1/schema-base/2025-11-23"

// here is the address of the document to the compiler of schemas.
const here = "file:///openapi.json"

// Document is an OpenAPI document. It is for one goroutine at a time.
type Document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

// Operation is a method of a path.
type Operation struct {
	Method, Path string
	// Secured reports that the operation needs a right, if only that of the machine.
	Secured bool
	// Parameters are the names of its parameters, "path name" and "query expand", in order.
	Parameters []string
	// Statuses are those that it describes, in order.
	Statuses []string
}

// Parse reads a document; Faults returns what is wrong with it.
func Parse(text string) (*Document, error) {
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, ok := parsed.(map[string]any)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	closeObjects(root)
	d := &Document{root: root, compiler: jsonschema.NewCompiler()}
	return d, d.compiler.AddResource(here, root)
}

// Faults returns what is wrong with a document: a form that the specification does not
// allow, references to nothing, schemas that are none, examples that their schemas refuse,
// operations without an ID or with that of another one, variables of a path that are not
// described.
func (d *Document) Faults() error {
	if err := followsSpecification(d.root); err != nil {
		return err
	}
	faults := d.walk("", d.root)
	ids := map[string]bool{}
	for _, op := range d.Operations() {
		id, _ := d.operation(op.Method, op.Path)["operationId"].(string)
		if id == "" || ids[id] {
			faults = append(faults, fmt.Errorf("%s %s: operationId %q is missing or that of another operation", op.Method, op.Path, id))
		}
		ids[id] = true
		var described []string
		for _, parameter := range op.Parameters {
			if name, ok := strings.CutPrefix(parameter, "path "); ok {
				described = append(described, name)
			}
		}
		if names := slices.Sorted(slices.Values(variables(op.Path))); !slices.Equal(described, names) {
			faults = append(faults, fmt.Errorf("%s %s: the variables %v are described", op.Method, op.Path, described))
		}
	}
	return errors.Join(faults...)
}

func followsSpecification(root map[string]any) error {
	c := jsonschema.NewCompiler()
	files, err := specification.ReadDir("testdata")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := specification.Open("testdata/" + f.Name())
		if err != nil {
			return err
		}
		schema, err := jsonschema.UnmarshalJSON(text)
		if err != nil {
			return err
		}
		if err := c.AddResource(schema.(map[string]any)["$id"].(string), schema); err != nil {
			return err
		}
	}
	schema, err := c.Compile(specificationURL)
	if err != nil {
		return err
	}
	return schema.Validate(root)
}

// closeObjects refuses members that an object's schema does not name, unless it says
// otherwise: clients have to bear new members, tests must see that they are described.
func closeObjects(node any) {
	switch v := node.(type) {
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, item := range v {
			closeObjects(item)
		}
	}
}

// walk checks the references, schemas and examples below a node.
func (d *Document) walk(pointer string, node any) (faults []error) {
	switch v := node.(type) {
	case []any:
		for i, item := range v {
			faults = append(faults, d.walk(fmt.Sprint(pointer, "/", i), item)...)
		}
	case map[string]any:
		if _, err := d.resolve(v); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", pointer, err))
		}
		if v["schema"] != nil {
			faults = append(faults, d.examples(pointer, v)...)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != "example" && key != "examples" {
				faults = append(faults, d.walk(pointer+"/"+escape(key), v[key])...)
			}
		}
	}
	return faults
}

// examples checks the schema of a parameter, a header or a body, and its examples.
func (d *Document) examples(pointer string, v map[string]any) (faults []error) {
	all := map[string]any{}
	if example, ok := v["example"]; ok {
		all["example"] = example
	}
	if named, ok := v["examples"].(map[string]any); ok {
		for name, example := range named {
			all["examples/"+name] = example.(map[string]any)["value"]
		}
	}
	schema, err := d.compiler.Compile(here + "#" + pointer + "/schema")
	if err != nil {
		return []error{fmt.Errorf("%s/schema: %w", pointer, err)}
	}
	for name, example := range all {
		if err := schema.Validate(example); err != nil {
			faults = append(faults, fmt.Errorf("%s/%s: %w", pointer, name, err))
		}
	}
	return faults
}

// resolve returns what a node refers to, or the node itself.
func (d *Document) resolve(node map[string]any) (map[string]any, error) {
	reference, ok := node["$ref"].(string)
	if !ok {
		return node, nil
	}
	at := any(d.root)
	for _, key := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
		object, _ := at.(map[string]any)
		at = object[unescape(key)]
	}
	target, ok := at.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("$ref %s leads nowhere", reference)
	}
	return target, nil
}

// child returns the object at a key, with its reference followed; nil if there is none.
func (d *Document) child(node map[string]any, key string) map[string]any {
	object, _ := node[key].(map[string]any)
	target, err := d.resolve(object)
	if err != nil {
		return nil // Parse has refused it
	}
	return target
}

func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D").Replace(key)
}

func unescape(key string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(key) }

// variables returns the names in braces of a path.
func variables(path string) (names []string) {
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}
