package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entryPlace matches the place of an entry of one of the file's lists, or of one of its
// fields.
var entryPlace = regexp.MustCompile(`(shops|exclude|overrides)\[(\d+)\](?:\.(\w+))?`)

// filePlaces finds what faults name in the shops file. The zero value is that of no file.
type filePlaces struct {
	keys  map[string]int // the lines of the file's keys
	lists map[string]*yaml.Node
	// found holds the entries that have been looked up.
	found map[fileEntry]filePlace
}

// fileEntry is an entry of a list of the file, such as a shop.
type fileEntry struct {
	list   string
	number int
}

// filePlace is where an entry is. Its name and app ID are empty if they could be a
// misplaced secret, or if it is for more than one shop.
type filePlace struct {
	line        int
	fields      map[string]int // their lines; none for an alias of another entry
	name, appID string
}

// placesIn returns the places in a file; root is parseTree's.
func placesIn(root *yaml.Node) filePlaces {
	if root == nil || root.Kind != yaml.MappingNode {
		return filePlaces{}
	}
	p := filePlaces{keys: map[string]int{}, lists: map[string]*yaml.Node{}, found: map[fileEntry]filePlace{}}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		if slices.Contains(fileKeys, key.Value) && p.keys[key.Value] == 0 { // the first one counts
			p.keys[key.Value], p.lists[key.Value] = key.Line, target(root.Content[i+1])
		}
	}
	return p
}

// locate adds the line to the faults of the file, and name and app ID of the shop if they
// are about one; and these to the places that other faults name.
func (p filePlaces) locate(found faults) {
	if len(p.keys) == 0 {
		return
	}
	for i := range found {
		f := &found[i]
		f.Line = cmp.Or(f.Line, p.keys[f.Where])
		var own fileEntry
		if m := entryPlace.FindStringSubmatch(f.Where); m != nil && m[0] == f.Where {
			own = entryOf(m)
			place := p.entry(own)
			f.Line = cmp.Or(f.Line, place.fields[m[3]], place.line)
			f.Shop, f.AppID = place.name, place.appID
		}
		f.Problem = entryPlace.ReplaceAllStringFunc(f.Problem, func(text string) string {
			m := entryPlace.FindStringSubmatch(text)
			entry := entryOf(m)
			place := p.entry(entry)
			if entry == own {
				place.name, place.appID = "", "" // they are at the begin of the text
			}
			return text + inFile(cmp.Or(place.fields[m[3]], place.line), place.name, place.appID)
		})
	}
}

// entryOf returns the entry that entryPlace has matched.
func entryOf(match []string) fileEntry {
	number, _ := strconv.Atoi(match[2]) // digits only
	return fileEntry{match[1], number}
}

// entry returns the place of an entry; zero values if it does not exist.
func (p filePlaces) entry(e fileEntry) filePlace {
	place, ok := p.found[e]
	if list := p.lists[e.list]; !ok && list != nil && e.number < len(list.Content) {
		place = placeOf(list.Content[e.number])
		p.found[e] = place
	}
	return place
}

// placeOf returns the place of a shop, an override or an excluded app ID.
func placeOf(item *yaml.Node) filePlace {
	place := filePlace{line: item.Line, fields: map[string]int{}}
	alias := item.Kind == yaml.AliasNode
	if item = target(item); item.Kind == yaml.ScalarNode {
		place.identify("app_id", item)
	}
	if item.Kind != yaml.MappingNode {
		return place
	}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], target(item.Content[i+1])
		if !alias {
			place.fields[key.Value] = key.Line
		}
		if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			place.identify(key.Value, value)
		}
	}
	return place
}

// identify keeps a value that says which shop the place is about.
func (p *filePlace) identify(field string, value *yaml.Node) {
	switch text := strings.TrimSpace(value.Value); {
	case field == "name" && likeName(text):
		p.name = text
	case (field == "app_id" || field == "match") && likeAppID(text):
		p.appID = text
	}
}

// inFile formats a place in the shops file: (line 3, "red", wx0123456789abcdef).
func inFile(line int, name, appID string) string {
	var parts []string
	if line > 0 {
		parts = append(parts, fmt.Sprintf("line %d", line))
	}
	if name != "" && name != appID {
		parts = append(parts, strconv.Quote(name))
	}
	if appID != "" {
		parts = append(parts, appID)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
