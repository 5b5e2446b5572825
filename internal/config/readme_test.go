package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// The table in the README is the one the program prints. With -update it is
// written again.
func TestReadmeHasTheTable(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- begin: orderwalk config --format md -->\n", "<!-- end -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("the README has no marked block for the table")
	}
	var want strings.Builder
	if err := config.WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if table == want.String() {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table in README.md is not what `orderwalk config --format md` prints; `go test ./internal/config -update` rewrites it")
}

// What --format env prints is a file of an environment in which nothing is set
// and every variable is named.
func TestEnvFile(t *testing.T) {
	var b strings.Builder
	if err := config.WriteEnv(&b); err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(b.String()) {
		if line != "\n" && !strings.HasPrefix(line, "#") {
			t.Errorf("sets something: %q", line)
		}
		if strings.HasPrefix(line, "#ORDERWALK_") {
			named++
		}
	}
	if all := len(config.Variables()); named != all {
		t.Errorf("%d of %d variables are named", named, all)
	}
}

// docs/CALLS.md has a part for each way, and names no variable or field that
// there is not.
func TestCallsAreTheWays(t *testing.T) {
	data, err := os.ReadFile("../../docs/CALLS.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, way := range config.Ways() {
		if !strings.Contains(text, "\n## "+way+"\n") || !strings.Contains(text, "](#"+way+")") {
			t.Errorf("no part about %s", way)
		}
	}
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	for _, name := range regexp.MustCompile(`ORDERWALK_[A-Z_]+`).FindAllString(text, -1) {
		if !known[name] {
			t.Errorf("names %s", name)
		}
	}
}
