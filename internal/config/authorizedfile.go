package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileKeys are the keys of the shops file. All but shops are for authorised shops.
var fileKeys = []string{"shops", "exclude", "limit", "overrides"}

// authorizedText is what the shops file says of shops that have authorised the platform.
type authorizedText struct {
	wanted    bool     // shops: authorized
	keys      []string // the other keys that are given
	exclude   []string
	limit     string
	overrides []map[string]string
}

// isAuthorized reports whether the value of shops is the word authorized.
func isAuthorized(value *yaml.Node) bool {
	return value.Kind == yaml.ScalarNode && value.Value == walkAuthorized
}

// readAuthorized reads the part of the shops file that is about authorised shops.
func readAuthorized(root *yaml.Node) (out authorizedText, problems []Fault) {
	if root == nil || root.Kind != yaml.MappingNode {
		return out, nil // reported by readList
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], target(root.Content[i+1])
		if key.Value == "shops" {
			out.wanted = out.wanted || isAuthorized(value)
			continue
		}
		if !slices.Contains(fileKeys, key.Value) {
			continue // reported by readList
		}
		if slices.Contains(out.keys, key.Value) {
			problems = append(problems, Fault{Where: key.Value, Line: key.Line, Problem: "is given twice", Allowed: "give it once"})
			continue
		}
		out.keys = append(out.keys, key.Value)
		var found []Fault
		switch key.Value {
		case "exclude":
			out.exclude, found = readTexts(key, value)
		case "limit":
			if value.Kind != yaml.ScalarNode {
				found = []Fault{{Where: "limit", Line: key.Line, Problem: "is not a number", Allowed: "give the largest number of shops"}}
				break
			}
			out.limit = strings.TrimSpace(value.Value)
		default:
			out.overrides, found = readOverrides(key, value)
		}
		if problems = append(problems, found...); len(problems) > maxFaults {
			break
		}
	}
	return out, problems
}

// readTexts reads a list of single values.
func readTexts(key, list *yaml.Node) (texts []string, problems []Fault) {
	if list.Kind != yaml.SequenceNode {
		return nil, []Fault{{Where: key.Value, Line: key.Line, Problem: "is not a list", Allowed: "give a list of app IDs"}}
	}
	for i, item := range list.Content {
		line := item.Line
		if item = target(item); item.Kind != yaml.ScalarNode || len(item.Value) > maxValue {
			return nil, []Fault{{Where: fmt.Sprintf("%s[%d]", key.Value, i), Line: line, Problem: "is not an app ID", Allowed: "give a list of app IDs"}}
		}
		texts = append(texts, strings.TrimSpace(item.Value))
	}
	return texts, nil
}

// readOverrides reads a list of maps with the fields of an override.
func readOverrides(key, list *yaml.Node) (out []map[string]string, problems []Fault) {
	if list.Kind != yaml.SequenceNode {
		return nil, []Fault{{Where: key.Value, Line: key.Line, Problem: "is not a list", Allowed: "give a list: `overrides: [{match: …}]`"}}
	}
	allowed, values := newFieldNames(overrideFields, ""), 0
	for i, item := range list.Content {
		fields := map[string]string{}
		found := []Fault{{Line: item.Line, Problem: "has no fields", Allowed: "give match and what is different for these shops"}}
		if target(item).Kind == yaml.MappingNode {
			found = readFields(item, fields, allowed)
		}
		for _, p := range found {
			p.Where = strings.TrimSuffix(fmt.Sprintf("%s[%d].%s", key.Value, i, p.Where), ".")
			problems = append(problems, p)
		}
		out = append(out, fields)
		if values += len(fields); values > maxShopsParts || len(problems) > maxFaults {
			return nil, append(problems, Fault{Problem: errTooMany.Error(), Allowed: "give fewer overrides"})
		}
	}
	return out, problems
}
