package kafkatest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/test/kafkatest"
)

func TestFetchWithoutJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module empty\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := kafkatest.Fetch(t.Context())
	if !errors.Is(err, kafkatest.ErrNoJava) || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("fetch without Java: %v, want what to install", err)
	}
}

func TestFetchOutsideAModule(t *testing.T) {
	t.Chdir("/")
	if _, err := kafkatest.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("fetch outside a module: %v, want an error about go.mod", err)
	}
}
