package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"orderwalk/internal/config"
)

var update = flag.Bool("update", false, "write the error texts in testdata/broken anew")

// TestBrokenConfigs holds a gallery of configurations, each named for its
// fault, to the text a user gets. "env" is the environment, where $DIR is the
// folder of the other files; "error" is the text. Every secret in it contains
// the word hush, which must not come out.
func TestBrokenConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("gallery: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var env, want string
			for _, f := range archive.Files {
				switch f.Name {
				case "env":
					env = string(f.Data)
				case "error":
					want = string(f.Data)
				default:
					if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			setenv(t, strings.Fields(strings.ReplaceAll(env, "$DIR", dir))...)

			c, err := config.Load(nil)
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("accepted as %v, error %v", c, err)
			}
			got := strings.ReplaceAll(err.Error(), dir, "$DIR") + "\n"
			if strings.Contains(got, "hush") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			settings, _, err := config.Effective()
			if len(settings) != len(config.Variables()) || err == nil || strings.ReplaceAll(err.Error(), dir, "$DIR")+"\n" != got {
				t.Errorf("%d settings in force, error %v", len(settings), err)
			}
			for _, s := range settings {
				if strings.Contains(s.Value, "hush") {
					t.Errorf("a secret is shown: %s is %s", s.Name, s.Value)
				}
			}
			if *update {
				writeError(t, file, archive, got)
			} else if got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func writeError(t *testing.T, file string, archive *txtar.Archive, text string) {
	t.Helper()
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != "error" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "error", Data: []byte(text)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
