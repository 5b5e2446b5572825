package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseShops reads the shops file into the text of its fields. The text of a
// value is taken as it stands in the file: YAML would make a date or a number
// of what is an ID or a time here. A fault without a place is one of the whole
// file. No value is ever quoted, since it may be a secret.
func parseShops(data []byte) ([]map[string]string, []Fault) {
	const shape = "give a list of shops: `shops: [{app_id: …}]`"
	root, err := parseTree(data)
	if err != nil {
		return nil, []Fault{{"", err.Error(), "give YAML or JSON"}}
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, []Fault{{"", "is no list of shops", shape}}
	}
	var problems []Fault
	var list *yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value != "shops":
			problems = append(problems, Fault{key.Value, "is an unknown field" + onLine(key), shape})
		case list != nil:
			problems = append(problems, Fault{"shops", "stands there twice" + onLine(key), shape})
		case value.Kind != yaml.SequenceNode:
			return nil, append(problems, Fault{"shops", "is no list" + onLine(key), shape})
		default:
			list = value
		}
	}
	if list == nil {
		return nil, problems
	}
	shops := make([]map[string]string, len(list.Content))
	for i, item := range list.Content {
		shops[i] = map[string]string{}
		for _, p := range readFields(item, shops[i]) {
			p.Where = strings.TrimSuffix(fmt.Sprintf("shops[%d].%s", i, p.Where), ".")
			problems = append(problems, p)
		}
	}
	return shops, problems
}

// readFields puts the fields of one shop into its map.
func readFields(item *yaml.Node, fields map[string]string) []Fault {
	item = target(item)
	if item.Kind != yaml.MappingNode {
		return []Fault{{"", "is no shop" + onLine(item), "give fields such as app_id and app_secret_file"}}
	}
	var problems []Fault
	seen := map[string]bool{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], target(item.Content[i+1])
		switch {
		case !slices.Contains(shopFields, key.Value):
			allowed := "remove it; the fields are " + strings.Join(shopFields, ", ")
			if near := Nearest(key.Value, shopFields); near != "" {
				allowed = "did you mean " + near + "?"
			}
			problems = append(problems, Fault{key.Value, "is an unknown field" + onLine(key), allowed})
		case seen[key.Value]:
			problems = append(problems, Fault{key.Value, "stands there twice" + onLine(key), "give it once"})
		case value.Kind != yaml.ScalarNode:
			problems = append(problems, Fault{key.Value, "is no single value" + onLine(key), "give one text or number"})
		case value.Tag != "!!null":
			fields[key.Value] = strings.TrimSpace(value.Value)
		}
		seen[key.Value] = true
	}
	return problems
}

// target follows a YAML alias.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// onLine says where in the file; JSON keeps no lines.
func onLine(n *yaml.Node) string {
	if n.Line == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d)", n.Line)
}

// parseTree reads YAML, or JSON when the text begins with a brace: not all
// JSON is YAML to the library (tabs, escaped surrogate pairs).
func parseTree(data []byte) (*yaml.Node, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJSON(data)
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document in it")
	}
	return target(doc.Content[0]), nil
}

func parseJSON(data []byte) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	root, err := jsonNode(decoder)
	if err != nil {
		return nil, jsonFault(data, decoder, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the end of the JSON")
	}
	return root, nil
}

// jsonFault says what is wrong and in which line.
func jsonFault(data []byte, decoder *json.Decoder, err error) error {
	offset := decoder.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	line := 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
	return fmt.Errorf("line %d: %w", line, err)
}

// jsonNode reads one value as the node that YAML would have made of it.
// (encoding/json's maps would lose a field that stands there twice.)
func jsonNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if t == '{' {
			node.Kind = yaml.MappingNode
		}
		for decoder.More() {
			child, err := jsonNode(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err := decoder.Token() // the closing bracket
		return node, err
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(t)}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(t)}, nil
	}
}
