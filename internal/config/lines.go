package config

import (
	"fmt"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// shopPlace is how faults name a shop of the file, or a field of it.
var shopPlace = regexp.MustCompile(`shops\[(\d+)\](?:\.(\w+))?( \(line)?`)

// locate adds to what faults say of shops the line of the file that it stands
// in. A field that is not given has the line of its shop.
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
			number, _ := strconv.Atoi(m[1]) // the pattern has digits there
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

// hasLine matches what is told of the file's form, which has its line.
var hasLine = regexp.MustCompile(`\(line \d+\)$`)

// shopLine is the line of a field of a shop, or of the shop itself if it has no
// such field; 0 if there is no such shop.
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
