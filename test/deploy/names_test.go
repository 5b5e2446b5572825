package deploy

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"

	"orderwalk/internal/config"
	"orderwalk/internal/record"
)

const (
	root  = "../.."
	chart = root + "/helm/orderwalk"
)

// unset are the variables that the chart does not set, and why.
var unset = map[string]string{
	"ORDERWALK_APP_ID":            "shops are a list, also when there is one",
	"ORDERWALK_APP_SECRET_FILE":   "as above",
	"ORDERWALK_ACCESS_TOKEN_FILE": "as above",
	"ORDERWALK_WORKER_ID":         "the pod's name and the port, which is its default",
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sources is the text of all files under dir for which wanted holds.
func sources(t *testing.T, dir string, wanted func(path string) bool) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != dir:
			return fs.SkipDir
		case !entry.IsDir() && wanted(path):
			all.WriteString(read(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Every variable is one the chart sets, one that holds a secret itself, or one
// that is said not to be set; and the chart sets no other.
func TestChartSetsEveryVariable(t *testing.T) {
	templates := sources(t, chart+"/templates", func(string) bool { return true })
	set := map[string]bool{}
	for _, name := range regexp.MustCompile(`"(ORDERWALK_[A-Z0-9_]+)"`).FindAllStringSubmatch(templates, -1) {
		set[name[1]] = true
	}
	for _, v := range config.Variables() {
		why, left := unset[v.Name]
		switch {
		case v.Type == "secret" && set[v.Name]:
			t.Errorf("%s: a secret is given by the chart as text", v.Name)
		case set[v.Name] && left:
			t.Errorf("%s: the chart sets it, although %q", v.Name, why)
		case v.Type != "secret" && !set[v.Name] && !left:
			t.Errorf("%s: the chart does not set it", v.Name)
		}
		delete(set, v.Name)
	}
	for name := range set {
		t.Errorf("%s: the chart sets it, and the program does not know it", name)
	}
}

// A value that has a variable in brackets says what the variable is by default,
// or leaves it to the program; and every variable that is set has its value.
func TestValuesHaveTheProgramsDefaults(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, chart+"/values.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			for _, name := range regexp.MustCompile(`ORDERWALK_[A-Z0-9_]+`).FindAllString(key.HeadComment, -1) {
				values[name] = append(values[name], value.Value)
			}
			walk(value)
		}
	}
	walk(doc.Content[0])
	for _, v := range config.Variables() {
		given, documented := values[v.Name]
		_, left := unset[v.Name]
		delete(values, v.Name)
		switch {
		case v.Type == "secret" || left || v.Name == "ORDERWALK_LISTEN" || v.Name == "ORDERWALK_END_TIME":
			if documented {
				t.Errorf("%s: values.yaml has it", v.Name)
			}
		case !documented:
			t.Errorf("%s: values.yaml does not say which value sets it", v.Name)
		case v.Type != "true, false" && v.Name != "ORDERWALK_PUSH_LISTEN":
			for _, text := range given {
				if text != "" && text != "null" && text != v.Default {
					t.Errorf("%s: %q in values.yaml, the program's default is %q", v.Name, text, v.Default)
				}
			}
		}
	}
	for name := range values {
		t.Errorf("%s: values.yaml names it, and the program does not know it", name)
	}
}

// schema is as much of a JSON schema as ours has.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Enum       []any             `json:"enum"`
	Closed     *bool             `json:"additionalProperties"`
	Properties map[string]schema `json:"properties"`
}

func readSchema(t *testing.T) (whole schema, defs map[string]schema) {
	t.Helper()
	text := []byte(read(t, chart+"/values.schema.json"))
	// additionalProperties may be a schema too; only false is of interest.
	text = regexp.MustCompile(`"additionalProperties": \{`).ReplaceAll(text, []byte(`"otherProperties": {`))
	var file struct {
		Defs map[string]schema `json:"$defs"`
	}
	for _, into := range []any{&whole, &file} {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return whole, file.Defs
}

// The schema has every value there is, no other, and is closed.
func TestSchemaHasEveryValue(t *testing.T) {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, chart+"/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	whole, defs := readSchema(t)
	delete(whole.Properties, "global") // Helm's own
	var compare func(path string, s schema, values map[string]any)
	compare = func(path string, s schema, values map[string]any) {
		if s.Ref != "" {
			s = defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		}
		if s.Properties == nil {
			return // Kubernetes' own, or free
		}
		if s.Closed == nil || *s.Closed {
			t.Errorf("%s: the schema takes anything", path)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			value, ok := values[name]
			if !ok {
				t.Errorf("%s.%s: is in the schema and not in values.yaml", path, name)
			}
			if nested, ok := value.(map[string]any); ok {
				compare(path+"."+name, s.Properties[name], nested)
			}
		}
		for name := range values {
			if _, ok := s.Properties[name]; !ok {
				t.Errorf("%s.%s: is in values.yaml and not in the schema", path, name)
			}
		}
	}
	compare("", whole, values)
}

// The schema accepts every format of order records, and no other.
func TestSchemaHasEveryFormat(t *testing.T) {
	whole, _ := readSchema(t)
	accepted := whole.Properties["topics"].Properties["orders"].Properties["format"].Enum
	var formats []any
	for _, name := range record.Names() {
		formats = append(formats, name)
	}
	if !slices.Equal(accepted, formats) {
		t.Errorf("values.schema.json accepts %v, the program has %v", accepted, formats)
	}
}

// Strimzi is asked for the offsets topic that the program itself would make.
func TestStrimziMakesTheProgramsTopic(t *testing.T) {
	_, config, found := strings.Cut(read(t, root+"/connector/shops.go"), "Config: map[string]string{")
	config, _, closed := strings.Cut(config, "}")
	settings := regexp.MustCompile(`"([a-z.]+)": "([^"]+)"`).FindAllStringSubmatch(config, -1)
	if !found || !closed || len(settings) == 0 {
		t.Fatal("connector/shops.go does not show how the offsets topic is created")
	}
	template := read(t, chart+"/templates/strimzi.yaml")
	for _, s := range settings {
		if !strings.Contains(template, "\n    "+s[1]+": "+s[2]+"\n") {
			t.Errorf("templates/strimzi.yaml does not have %s: %s", s[1], s[2])
		}
	}
}

// secretFields are those of the shops file that hold a secret itself: in a
// ConfigMap they have no place.
var secretFields = []string{"app_secret", "access_token", "access_token_url_secret", "authorizer_refresh_token", "push_token", "push_aes_key"}

// A shop of the values has the fields of a shop of the file.
func TestShopsHaveEveryField(t *testing.T) {
	var fields []string
	for _, v := range config.Variables() {
		if v.Name == "ORDERWALK_SHOPS_FILE" {
			_, list, _ := strings.Cut(v.Meaning, "list of shops: ")
			list, _, _ = strings.Cut(list, ";")
			fields = strings.Split(strings.ReplaceAll(list, " or ", ", "), ", ")
		}
	}
	if len(fields) < 10 {
		t.Fatalf("fields of a shop: %q", fields)
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(secretFields, f) })
	_, defs := readSchema(t)
	var offered []string
	for name, s := range defs["shop"].Properties {
		var b strings.Builder
		for _, r := range name {
			if unicode.IsUpper(r) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		}
		if s.Ref == "#/$defs/secretKey" {
			b.WriteString("_file")
		}
		offered = append(offered, b.String())
	}
	slices.Sort(fields)
	slices.Sort(offered)
	if !slices.Equal(fields, offered) {
		t.Errorf("a shop of the program has %q,\nof the chart %q", fields, offered)
	}
}
