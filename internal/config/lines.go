package config

import (
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// shopPlace is how faults name a shop of the file, or a field of it.
var shopPlace = regexp.MustCompile(`shops\[(\d+)\](?:\.(\w+))?( \(line)?`)

// locate adds to what faults say of shops the line of the file that it stands
// in. A field that is not given has the line of its shop.
func (f faults) locate(data []byte) {
	if len(f) == 0 {
		return
	}
	root, err := parseTree(data)
	if err != nil || root == nil || root.Kind != yaml.MappingNode {
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "shops" {
			shopLines(target(root.Content[i+1]), lines)
		}
	}
	locate := func(text string) string {
		return shopPlace.ReplaceAllStringFunc(text, func(place string) string {
			m := shopPlace.FindStringSubmatch(place)
			line := lines[m[1]+"."+m[2]]
			if line == 0 {
				line = lines[m[1]+"."]
			}
			if line == 0 || m[3] != "" {
				return place
			}
			return fmt.Sprintf("%s (line %d)", place, line)
		})
	}
	for i := range f {
		if !hasLine.MatchString(f[i].Problem) {
			f[i].Where, f[i].Problem = locate(f[i].Where), locate(f[i].Problem)
		}
	}
}

// hasLine matches what is told of the file's form, which has its line.
var hasLine = regexp.MustCompile(`\(line \d+\)$`)

// shopLines notes the lines of a list of shops and of their fields.
func shopLines(list *yaml.Node, lines map[string]int) {
	for i, item := range list.Content {
		lines[fmt.Sprintf("%d.", i)] = item.Line
		if item = target(item); item.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j+1 < len(item.Content); j += 2 {
			lines[fmt.Sprintf("%d.%s", i, item.Content[j].Value)] = item.Content[j].Line
		}
	}
}
