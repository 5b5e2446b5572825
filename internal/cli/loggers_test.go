package cli

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderwalk/internal/loglevel"
)

// GET /admin/loggers lists every package that logs, and no other.
func TestLoggersAreThePackagesThatLog(t *testing.T) {
	const root = "../.."
	var want []string
	for _, top := range []string{"connector", "internal", "offsets"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			folder, err := filepath.Rel(root, filepath.Dir(path))
			name := loglevel.NameOfPackage("orderwalk/" + filepath.ToSlash(folder))
			for _, i := range file.Imports {
				if i.Path.Value == `"log/slog"` && !slices.Contains(want, name) {
					want = append(want, name)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// These use slog for the values that hide secrets, and for levels; they log nothing.
	want = slices.DeleteFunc(want, func(name string) bool { return name == "orderwalk.config" || name == "orderwalk.loglevel" })
	slices.Sort(want)
	if !slices.Equal(loggers, want) {
		t.Errorf("loggers are\n%q, want\n%q", loggers, want)
	}
}
