package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"orderwalk": main})
}

// TestScripts runs the program as a user does: by its command line, in
// processes of its own. The scripts are in internal/cli/testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "internal/cli/testdata/script"})
}
