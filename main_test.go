package main

import (
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"orderwalk/simulator"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"orderwalk": main})
}

// TestScripts runs the program as a user does: by its command line, in
// processes of its own. The scripts are in internal/cli/testdata/script; each
// has a simulated API at $SIMULATED_API.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "internal/cli/testdata/script", Setup: func(env *testscript.Env) error {
		api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{{
			AppID: "wxsimulated0000001", Secret: "simulated-secret-1",
			// The first week of November 2026.
			Backlog: simulator.Backlog{Orders: 10000, From: 1793491200, To: 1794096000},
		}}}))
		env.Defer(api.Close)
		env.Setenv("SIMULATED_API", api.URL)
		return nil
	}})
}
