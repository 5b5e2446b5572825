//go:build chart

package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// writeSchemas makes the JSON schemas that kubeconform looks for, out of
// Kubernetes' own description of its API and the operator's of its types.
func writeSchemas(t *testing.T, dir string) {
	t.Helper()
	var api struct{ Definitions map[string]object }
	swagger := filepath.Join(moduleDir(t, root+"/tools/kubernetes", "k8s.io/kubernetes"), "api/openapi-spec/swagger.json")
	if err := json.Unmarshal([]byte(read(t, swagger)), &api); err != nil {
		t.Fatal(err)
	}
	for name, definition := range api.Definitions {
		switch {
		case strings.HasSuffix(name, ".IntOrString"), strings.HasSuffix(name, ".Quantity"):
			definition["type"] = []string{"string", "number"}
		case strings.HasSuffix(name, ".JSONSchemaProps"):
		default:
			shut(definition)
		}
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			k := kind.(object)
			writeJSON(t, filepath.Join(dir, schemaFile(k["kind"].(string), k["group"].(string), k["version"].(string))),
				object{"$ref": "all.json#/definitions/" + name})
		}
	}
	writeJSON(t, filepath.Join(dir, "all.json"), object{"definitions": point(api.Definitions)})

	crds, err := filepath.Glob(filepath.Join(moduleDir(t, t.TempDir(), operatorModule), "example/prometheus-operator-crd/*.yaml"))
	if err != nil || len(crds) == 0 {
		t.Fatalf("no types in %s: %v", operatorModule, err)
	}
	for _, path := range crds {
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						Root object `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, path)), &crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec.Versions {
			shutAll(v.Schema.Root)
			writeJSON(t, filepath.Join(dir, schemaFile(crd.Spec.Names.Kind, crd.Spec.Group, v.Name)), v.Schema.Root)
		}
	}
}

// schemaFile is the name that kubeconform asks for.
func schemaFile(kind, group, version string) string {
	group, _, _ = strings.Cut(group, ".")
	if group != "" {
		group = "-" + group
	}
	return strings.ToLower(kind + group + "-" + version + ".json")
}

// shut refuses fields that an object does not have: a misspelt one is taken by
// Kubernetes without a word.
func shut(s object) {
	if s["properties"] != nil && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
		s["additionalProperties"] = false
	}
}

func shutAll(s object) {
	shut(s)
	if s["x-kubernetes-int-or-string"] != nil {
		s["type"] = []string{"string", "integer"}
		delete(s, "anyOf")
	}
	for _, value := range s {
		switch v := value.(type) {
		case object:
			shutAll(v)
		case []any:
			for _, item := range v {
				if o, ok := item.(object); ok {
					shutAll(o)
				}
			}
		}
	}
}

// point turns references within the description into ones within our file.
func point(value any) any {
	switch v := value.(type) {
	case map[string]object:
		for _, item := range v {
			point(item)
		}
	case object:
		if ref, ok := v["$ref"].(string); ok {
			v["$ref"] = "all.json" + ref
		}
		for _, item := range v {
			point(item)
		}
	case []any:
		for _, item := range v {
			point(item)
		}
	}
	return value
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
