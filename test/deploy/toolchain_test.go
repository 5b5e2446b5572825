package deploy

import (
	"regexp"
	"testing"
)

// The image, CI and `make` build with one Go, whichever is installed.
func TestOneToolchain(t *testing.T) {
	find := func(path, pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(read(t, path))
		if found == nil {
			t.Fatalf("%s has nothing that matches %s", path, pattern)
		}
		return found[1]
	}
	want := find(root+"/go.mod", `(?m)^toolchain go(\S+)$`)
	if got := find(root+"/Dockerfile", `(?m)^ARG GO_IMAGE=\S*/golang:([0-9.]+)-`); got != want {
		t.Errorf("the Dockerfile builds with Go %s, go.mod names %s", got, want)
	}
	for _, path := range []string{"/Makefile", "/.ci/run"} {
		find(root+path, `(?m)^export (GOTOOLCHAIN\b)`)
	}
}
