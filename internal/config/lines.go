package config

import (
	"fmt"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// shopPlace matches the place of a shop of the file, or of one of its fields.
var shopPlace = regexp.MustCompile(`shops\[(\d+)\](?:\.(\w+))?( \(line)?`)

// locate adds the line of the file to the places of shops in faults. A missing
// field gets the line of its shop.
func (f faults) locate(root *yaml.Node) {
	if len(f) == 0 || root == nil || root.Kind != yaml.MappingNode {
		return
	}
	var list *yaml.Node
	for i := 0; i+1 < len(root.Content) && list == nil; i += 2 {
		if root.Content[i].Value == "shops" {
			list = target(root.Content[i+1])
		}
	}
	if list == nil {
		return
	}
	locate := func(text string) string {
		return shopPlace.ReplaceAllStringFunc(text, func(place string) string {
			m := shopPlace.FindStringSubmatch(place)
			number, _ := strconv.Atoi(m[1]) // m[1] is digits only
			line := shopLine(list, number, m[2])
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

// hasLine matches faults of the file's syntax, which name their line already.
var hasLine = regexp.MustCompile(`\(line \d+\)$`)

// shopLine returns the line of a field of a shop, the line of the shop if it lacks
// the field, or 0 if the shop does not exist.
func shopLine(list *yaml.Node, number int, field string) int {
	if number >= len(list.Content) {
		return 0
	}
	item := list.Content[number]
	line := item.Line
	if item = target(item); item.Kind != yaml.MappingNode {
		return line
	}
	for i := 0; i+1 < len(item.Content); i += 2 {
		if item.Content[i].Value == field {
			line = item.Content[i].Line
		}
	}
	return line
}
