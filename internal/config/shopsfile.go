package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseShops reads the shops file into the text of its fields. It keeps the text of
// each value, because YAML would convert some IDs and times to numbers or dates. A
// fault without a place concerns the whole file. Faults never quote a value, since
// it may be a secret.
func parseShops(data []byte) ([]map[string]string, []Fault) {
	root, err := parseTree(data)
	return readList(root, err)
}

// readList is parseShops for the result of parseTree.
func readList(root *yaml.Node, err error) ([]map[string]string, []Fault) {
	const shape = "give a list of shops: `shops: [{app_id: …}]`"
	if err != nil {
		return nil, []Fault{{"", err.Error(), "give YAML or JSON"}}
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, []Fault{{"", "is not a list of shops", shape}}
	}
	var problems []Fault
	var list *yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value != "shops":
			problems = append(problems, unknownField(key, []string{"shops"}, shape))
		case list != nil:
			problems = append(problems, Fault{"shops", "is given twice" + onLine(key), shape})
		case value.Kind != yaml.SequenceNode:
			return nil, append(problems, Fault{"shops", "is not a list" + onLine(key), shape})
		default:
			list = value
		}
	}
	if list == nil {
		return nil, problems
	}
	shops := make([]map[string]string, len(list.Content))
	values := 0
	for i, item := range list.Content {
		shops[i] = map[string]string{}
		for _, p := range readFields(item, shops[i]) {
			p.Where = strings.TrimSuffix(fmt.Sprintf("shops[%d].%s", i, p.Where), ".")
			problems = append(problems, p)
		}
		// A short alias can repeat a whole shop.
		if values += len(shops[i]); values > maxShopsParts || len(problems) > maxFaults {
			return nil, append(problems, Fault{"", errTooMany.Error(), "give fewer shops or fields"})
		}
	}
	return shops, problems
}

// readFields puts the fields of one shop into its map.
func readFields(item *yaml.Node, fields map[string]string) []Fault {
	item = target(item)
	if item.Kind != yaml.MappingNode {
		return []Fault{{"", "is not a shop" + onLine(item), "give fields such as app_id and app_secret_file"}}
	}
	var problems []Fault
	seen := map[string]bool{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], target(item.Content[i+1])
		switch {
		case !slices.Contains(shopFields, key.Value):
			problems = append(problems, unknownField(key, shopFields, "remove it; the fields are "+strings.Join(shopFields, ", ")))
		case seen[key.Value]:
			problems = append(problems, Fault{key.Value, "is given twice" + onLine(key), "give it once"})
		case value.Kind != yaml.ScalarNode:
			problems = append(problems, Fault{key.Value, "is not a single value" + onLine(key), "give one text or number"})
		case len(value.Value) > maxValue:
			problems = append(problems, Fault{key.Value, fmt.Sprintf("has more than %d bytes", maxValue) + onLine(key), "give a shorter value"})
		case value.Tag != "!!null":
			fields[key.Value] = strings.TrimSpace(value.Value)
		}
		seen[key.Value] = true
		if len(problems) > maxFaults {
			break
		}
	}
	return problems
}

// unknownField returns the fault of a field that is not in fields. It names the
// field only if the name is close to a known one: a misplaced value may be a
// secret.
func unknownField(key *yaml.Node, fields []string, allowed string) Fault {
	const longest = 64
	name, problem := "", "has an unknown field"+onLine(key)
	if len(key.Value) > longest {
		return Fault{"", problem, allowed}
	}
	if near := Nearest(key.Value, fields); near != "" {
		allowed = "did you mean " + near + "?"
	}
	words := slices.Clone(fields)
	for _, v := range Variables() {
		words = append(words, strings.ToLower(strings.TrimPrefix(v.Name, prefix+"_")))
	}
	if near := Nearest(key.Value, words); near != "" && distance(strings.ToLower(key.Value), near) <= 2 {
		name, problem = key.Value, "is an unknown field"+onLine(key)
	}
	return Fault{name, problem, allowed}
}

// target follows a YAML alias.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// onLine returns the node's line in parentheses, or "" if it is unknown.
func onLine(n *yaml.Node) string {
	if n.Line == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d)", n.Line)
}
