package program

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"

	// So that a result of these tests that go test has kept ends with a change of the program.
	_ "orderwalk/internal/cli"
	"orderwalk/simulator"
)

// TestMain builds the program and puts it first in the PATH.
func TestMain(m *testing.M) {
	os.Exit(withProgram(m.Run))
}

func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "orderwalk")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", filepath.Join(dir, "orderwalk"), "orderwalk")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// TestScripts runs scripts of command lines, with a simulated API at $SIMULATED_API
// for each script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(env *testscript.Env) error {
		api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{{
			AppID: "wxsimulated0000001", Secret: "simulated-secret-1",
			// The first week of November 2026.
			Backlog: simulator.Backlog{Orders: 10000, From: 1793491200, To: 1794096000},
		}}}))
		env.Defer(api.Close)
		env.Setenv("SIMULATED_API", api.URL)
		kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return err
		}
		env.Defer(kafka.Close)
		env.Setenv("KAFKA", kafka.ListenAddrs()[0])
		return nil
	}})
}
