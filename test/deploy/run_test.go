package deploy

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a program to its end, which must be a good one, and returns what it
// has printed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	return runIn(t, "", program, args...)
}

func runIn(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	var out, fault bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, fault.String(), out.String())
	}
	return out.String()
}
