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
		return nil, []Fault{{Problem: err.Error(), Allowed: "give YAML or JSON"}}
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, []Fault{{Problem: "is not a list of shops", Allowed: shape}}
	}
	var problems []Fault
	var list *yaml.Node
	top, fields := newFieldNames(fileKeys, shape), newFieldNames(shopFields, "")
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], target(root.Content[i+1])
		switch {
		case key.Value != "shops" && slices.Contains(fileKeys, key.Value): // readAuthorized reads it
		case key.Value != "shops":
			problems = append(problems, top.fault(key))
		case list != nil:
			problems = append(problems, Fault{Where: "shops", Line: key.Line, Problem: "is given twice", Allowed: shape})
		case isAuthorized(value):
			list = &yaml.Node{Kind: yaml.SequenceNode}
		case value.Kind != yaml.SequenceNode:
			return nil, append(problems, Fault{Where: "shops", Line: key.Line, Problem: "is not a list", Allowed: shape})
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
		for _, p := range readFields(item, shops[i], fields) {
			p.Where = strings.TrimSuffix(fmt.Sprintf("shops[%d].%s", i, p.Where), ".")
			problems = append(problems, p)
		}
		// A short alias can repeat a whole shop.
		if values += len(shops[i]); values > maxShopsParts || len(problems) > maxFaults {
			return nil, append(problems, Fault{Problem: errTooMany.Error(), Allowed: "give fewer shops or fields"})
		}
	}
	return shops, problems
}

// readFields puts the fields of one shop into its map.
func readFields(item *yaml.Node, fields map[string]string, allowed fieldNames) []Fault {
	item = target(item)
	if item.Kind != yaml.MappingNode {
		return []Fault{{Line: item.Line, Problem: "is not a shop", Allowed: "give fields such as app_id and app_secret_file"}}
	}
	var problems []Fault
	add := func(key *yaml.Node, problem, allowed string) {
		problems = append(problems, Fault{Where: key.Value, Line: key.Line, Problem: problem, Allowed: allowed})
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], target(item.Content[i+1])
		switch {
		case !slices.Contains(allowed.names, key.Value):
			problems = append(problems, allowed.fault(key))
		case seen[key.Value]:
			add(key, "is given twice", "give it once")
		case value.Kind != yaml.ScalarNode:
			add(key, "is not a single value", "give one text or number")
		case len(value.Value) > maxValue:
			add(key, fmt.Sprintf("has more than %d bytes", maxValue), "give a shorter value")
		case value.Tag != "!!null":
			fields[key.Value] = strings.TrimSpace(value.Value)
		}
		seen[key.Value] = true
		if len(problems) > listedFaults {
			break
		}
	}
	return problems
}

// fieldNames are the fields that a map of the file may have. It keeps the faults of other
// fields by name: all shops of a fleet may have the same one.
type fieldNames struct {
	names   []string
	allowed string // of the faults
	unknown map[string]Fault
}

// newFieldNames returns the fields. allowed is what the faults of others advise; empty =
// to remove them.
func newFieldNames(names []string, allowed string) fieldNames {
	if allowed == "" {
		allowed = "remove it; the fields are " + strings.Join(names, ", ")
	}
	return fieldNames{names, allowed, map[string]Fault{}}
}

// fault returns the fault of a field that is none of these.
func (n fieldNames) fault(key *yaml.Node) Fault {
	fault, ok := n.unknown[key.Value]
	if !ok {
		fault = unknownField(key, n.names, n.allowed)
		n.unknown[key.Value] = fault
	}
	fault.Line = key.Line
	return fault
}

// unknownField names the field only if the name is close to a known one: a misplaced
// value may be a secret.
func unknownField(key *yaml.Node, fields []string, allowed string) Fault {
	const longest = 64
	fault := Fault{Problem: "has an unknown field", Allowed: allowed}
	if len(key.Value) > longest {
		return fault
	}
	if near := Nearest(key.Value, fields); near != "" {
		fault.Allowed = "did you mean " + near + "?"
	}
	words := slices.Clone(fields)
	for _, v := range Variables() {
		words = append(words, strings.ToLower(strings.TrimPrefix(v.Name, prefix+"_")))
	}
	if near := Nearest(key.Value, words); near != "" && distance(strings.ToLower(key.Value), near) <= 2 {
		fault.Where, fault.Problem = key.Value, "is an unknown field"
	}
	return fault
}

// target follows a YAML alias.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
