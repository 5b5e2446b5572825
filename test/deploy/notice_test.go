package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write NOTICE")

// NOTICE holds the licences of what is linked into the program, which have to go
// with it wherever it goes. It names no versions: the SBOM does, and a licence
// seldom changes.
func TestNoticeHoldsTheLicenceOfEveryDependency(t *testing.T) {
	got, err := os.ReadFile(root + "/NOTICE")
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := notice(t)
	if *update {
		if err := os.WriteFile(root+"/NOTICE", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, want) {
		t.Error("NOTICE does not hold the licences of what is linked: go test ./test/deploy -run Notice -update")
	}
}

// legal matches the files of a module that have to be passed on.
var legal = regexp.MustCompile(`(?i)^(licen[sc]e|notice|copying)(\.(txt|md))?$`)

func notice(t *testing.T) []byte {
	var text bytes.Buffer
	text.WriteString("orderwalk\nCopyright 2026 the orderwalk authors\n\n" +
		"Licensed under the Apache License, Version 2.0; see LICENSE.\n\n" +
		"The program contains the following software, under the licences given.\n")
	add := func(name, dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, e := range entries {
			if !legal.MatchString(e.Name()) {
				continue
			}
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found = true
			fmt.Fprintf(&text, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("-", 80), name, e.Name(), bytes.TrimSpace(content))
		}
		if !found {
			t.Errorf("%s has no licence", name)
		}
	}
	modules := strings.Split(runIn(t, root, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", "."), "\n")
	slices.Sort(modules)
	for _, module := range slices.Compact(modules) {
		path, dir, ok := strings.Cut(module, " ")
		if !ok {
			continue
		}
		if path == "golang.org/x/sys" {
			path += ", and Go's standard library and runtime" // one licence, of the same authors
		}
		add(path, dir)
	}
	return text.Bytes()
}
