package program

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/simulator"
)

// TestCheckOfThousands checks 3,000 shops, of which eight have a wrong secret: what is
// printed is short and names all eight, and calls are made side by side.
func TestCheckOfThousands(t *testing.T) {
	t.Parallel()
	const shops, wrong = 3000, 8
	world := simulator.Config{Seed: 1}
	file := "shops:\n"
	var names []string
	for i := range shops {
		s := simulator.Shop{AppID: fmt.Sprintf("wxsimulated%07d", i+1), Secret: fmt.Sprintf("simulated-secret-%d", i+1)}
		world.Shops = append(world.Shops, s)
		secret, name := s.Secret, fmt.Sprintf("shop%04d", i)
		if i%(shops/wrong) == 7 {
			secret = "hush-" + s.Secret
			names = append(names, name)
		}
		file += fmt.Sprintf("- app_id: %s\n  app_secret: %s\n  name: %s\n", s.AppID, secret, name)
	}
	path := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	simulated := simulator.New(world)
	var running, most atomic.Int32
	var together atomic.Bool // calls wait until so many are there
	full := make(chan struct{})
	const atOnce = 64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := running.Add(1)
		defer running.Add(-1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		if now == atOnce && together.CompareAndSwap(false, true) {
			close(full)
		}
		select {
		case <-full:
		case <-r.Context().Done():
			return
		}
		simulated.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	env := []string{"ORDERWALK_KAFKA_BROKERS=" + kafka.ListenAddrs()[0], "ORDERWALK_API_URL=" + api.URL, "ORDERWALK_SHOPS_FILE=" + path}

	code, stdout, stderr := run(t, env, "check", "--failed")
	lines := strings.Split(stdout, "\n")
	var failed []string
	for _, line := range lines {
		if word, ok := strings.CutPrefix(line, "failed  token of "); ok {
			failed = append(failed, strings.Fields(word)[0])
		}
	}
	// A line for each, one with what to do, two with counts; and the end of the last.
	if code != 1 || !slices.Equal(failed, names) || len(lines) != wrong+4 || lines[wrong+1] != "8 failed → check the app secret of this shop" ||
		lines[wrong+2] != "8,991 checks: 8,983 passed, 8 failed" || stderr != "orderwalk check: 8 of 8,991 checks failed\n" {
		t.Errorf("check --failed = %d\n%s%s", code, stdout, stderr)
	}
	if got := most.Load(); got != atOnce {
		t.Errorf("%d calls at once, want %d", got, atOnce)
	}

	code, stdout, _ = run(t, env, "check", "--json")
	var answer struct {
		Passed, Failed int
		Checks         []struct {
			Shop string
			OK   bool
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	failed = nil
	of := map[string]int{}
	for _, f := range answer.Checks {
		of[f.Shop]++
		if !f.OK {
			failed = append(failed, f.Shop)
		}
	}
	if code != 1 || answer.Passed != 8983 || answer.Failed != 8 || !slices.Equal(failed, names) || len(of) != shops+1 || of["shop0001"] != 3 {
		t.Errorf("check --json = %d: %d passed, %d failed: %v, of %d shops", code, answer.Passed, answer.Failed, failed, len(of)-1)
	}

	listed := func() (calls int) {
		for _, of := range simulated.Stats().Shops {
			calls += of.ListCalls
		}
		return calls
	}
	before := listed()
	code, stdout, _ = run(t, env, "check", "--shop", "shop1234")
	if calls := listed() - before; code != 0 || calls != 1 || !strings.Contains(stdout, "\nok      list call of shop1234") || !strings.HasSuffix(stdout, "\n10 checks: all passed\n") {
		t.Errorf("check --shop = %d, with %d list calls\n%s", code, calls, stdout)
	}
}
