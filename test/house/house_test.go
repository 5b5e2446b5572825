package house

import (
	"bytes"
	"errors"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "orderwalk"

// rows are all packages, from the top of the house to the bottom: a package
// imports only packages of rows below its own. docs/DESIGN.md says what each is.
var rows = [][]string{
	// Tests of the whole, and their kits: nothing imports them but tests.
	{"bench", "test/connect/play", "test/deploy", "test/house", "test/leaktest", "test/logtest", "test/openapitest", "test/program", "test/trial"},
	{"test/connect"},
	{"test/certtest", "test/kafkatest"},
	{"."},
	{"internal/cli"},
	// What runs, and what is asked about it.
	{"internal/control"},
	{"internal/fleet"},
	{"connector", "internal/forecast", "internal/roster"},
	{"internal/config", "internal/desired", "internal/platform", "internal/push"},
	// What a walk decides, and what is kept.
	{"connector/window", "internal/budget", "internal/grouplog"},
	{"offsets", "internal/record"},
	// Kafka and the API.
	{"internal/access", "internal/group", "internal/topics", "internal/txn", "internal/wechat"},
	{"internal/httpserve", "internal/kafkaconn", "internal/kafkawire"},
	{"docs", "internal/backoff", "internal/incident", "internal/loglevel", "internal/redact"},
	// A product of its own, which others can take out of the house.
	{"simulator"},
}

// row is where a package stands; -1 if it does not.
func row(name string) int {
	return slices.IndexFunc(rows, func(r []string) bool { return slices.Contains(r, name) })
}

const root = "../.."

// list finds the packages of the module, by their folders. It looks itself and does
// not ask `go list`, so that a cached result counts only for the files it was made of.
func list(t *testing.T) map[string]*build.Package {
	t.Helper()
	all := make(map[string]*build.Package)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); name == "testdata" || path != root && strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
			return fs.SkipDir // a module of its own
		}
		found, err := build.ImportDir(path, 0)
		var none *build.NoGoError
		if errors.As(err, &none) {
			return nil
		}
		name, _ := filepath.Rel(root, path)
		all[name] = found
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// folder is that of an import path.
func folder(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func TestImportsPointDown(t *testing.T) {
	all := list(t)
	for name, p := range all {
		if row(name) < 0 {
			t.Errorf("package %s has no row: give it one in rows of test/house/house_test.go, below what imports it and above what it imports", name)
			continue
		}
		for _, path := range p.Imports {
			ours := path == module || strings.HasPrefix(path, module+"/")
			if below := folder(path); ours && row(below) >= 0 && row(below) <= row(name) {
				t.Errorf("package %s imports %s, which does not stand below it: see rows in test/house/house_test.go", name, below)
			}
		}
	}
	for _, name := range slices.Concat(rows...) {
		if all[name] == nil {
			t.Errorf("package %s has a row, and is not there", name)
		}
	}
}

func TestPackagesHaveAComment(t *testing.T) {
	for name, p := range list(t) {
		if p.Doc == "" {
			t.Errorf("package %s has no comment: say what it is, what it is not and who uses it, in doc.go where that is long", name)
		}
	}
}

// Errors below the command line name causes; what an operator can set stands in
// internal/cli/hints.go.
func TestOnlyTheCommandLineKnowsVariables(t *testing.T) {
	for name, p := range list(t) {
		if row(name) <= row("internal/cli") || name == "internal/config" {
			continue
		}
		for _, file := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(root, name, file))
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range bytes.Split(source, []byte("\n")) {
				if bytes.Contains(line, []byte("ORDERWALK_")) {
					t.Errorf("%s/%s:%d knows a variable: return an error with a name, and say in internal/cli/hints.go what to do about it", name, file, i+1)
				}
			}
		}
	}
}
