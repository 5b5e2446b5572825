package program

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fleet is some workers of one group, on the Kafka of a dev and the API of a simulate.
type fleet struct {
	*testing.T
	env     []string
	workers map[string]*process
	pages   map[string]string // by worker
}

var listens = regexp.MustCompile(`"listen":"([^"]+)"`)

// startFleet starts Kafka and the API, with flags of simulate.
func startFleet(t *testing.T, shops int, flags ...string) *fleet {
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1")
	brokers := dev.line("Kafka")
	api := start(t, nil, append([]string{"simulate", "--listen", "127.0.0.1:0", "--shops", fmt.Sprint(shops), "--orders", "50", "--live-rate", "0.5"}, flags...)...)
	url := api.line("export ORDERWALK_API_URL=")
	file := "shops:\n"
	for i := range shops {
		file += fmt.Sprintf("- app_id: wxsimulated%07d\n  app_secret: simulated-secret-%d\n  name: shop%d\n", i+1, i+1, i)
	}
	path := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return &fleet{T: t, workers: make(map[string]*process), pages: make(map[string]string), env: []string{
		"ORDERWALK_KAFKA_BROKERS=" + brokers, "ORDERWALK_API_URL=" + url, "ORDERWALK_SHOPS_FILE=" + path,
		"ORDERWALK_GROUP=fleet", "ORDERWALK_TOPIC=fleet.orders", "ORDERWALK_OFFSETS_TOPIC=fleet.offsets",
		"ORDERWALK_LISTEN=127.0.0.1:0", "ORDERWALK_SESSION_TIMEOUT=6s"}}
}

// worker starts a worker and waits until it is ready.
func (f *fleet) worker(name string) {
	f.Helper()
	p := start(f.T, append(f.env, "ORDERWALK_WORKER_ID="+name), "run")
	go func() { _, _ = io.Copy(io.Discard, p.stdout) }()
	eventually(f.T, "worker "+name, func() bool {
		found := listens.FindStringSubmatch(p.stderr.String())
		if found == nil {
			return false
		}
		f.pages[name] = "http://" + found[1]
		code, _ := get(f.T, f.pages[name]+"/readyz")
		return code == 200
	})
	f.workers[name] = p
}

// kill ends a worker with kill −9.
func (f *fleet) kill(name string) {
	f.Helper()
	f.workers[name].signal(os.Kill)
	_ = f.workers[name].cmd.Wait() // the kill
	delete(f.workers, name)
}

// call makes a call to a worker and returns its status.
func (f *fleet) call(worker, method, path, body string) int {
	f.Helper()
	code, _ := f.body(worker, method, path, body)
	return code
}

// body makes a call to a worker and returns its status and its body.
func (f *fleet) body(worker, method, path, body string) (int, string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.pages[worker]+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// states returns the state of each shop and how many shops each worker walks, as a worker
// tells.
func (f *fleet) states(worker string) (states map[string]string, of map[string]int) {
	f.Helper()
	_, body := get(f.T, f.pages[worker]+"/connectors?expand=status")
	var all map[string]struct {
		Status struct {
			Connector struct {
				State  string
				Worker string `json:"worker_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		f.Fatalf("%v: %s", err, body)
	}
	states, of = make(map[string]string), make(map[string]int)
	for name, s := range all {
		states[name] = s.Status.Connector.State
		of[s.Status.Connector.Worker]++
	}
	return states, of
}

// all waits until a worker tells the same state of all shops but some.
func (f *fleet) all(worker, state string, but map[string]string) {
	f.Helper()
	var last map[string]string
	defer func() { f.Log(worker, last) }()
	eventually(f.T, fmt.Sprintf("worker %s tells %s, and %v", worker, state, but), func() bool {
		last, _ = f.states(worker)
		for name, got := range last {
			want := state
			if special, ok := but[name]; ok {
				want = special
			}
			if got != want {
				return false
			}
		}
		return len(last) > 0
	})
}

// TestAnyWorkerAnswersForAll: each of two workers tells the states of all shops and
// changes what is wanted of them, whichever walks them; what was acknowledged survives
// kill −9 of the worker that did so, and of all.
func TestAnyWorkerAnswersForAll(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 8)
	f.worker("a")
	f.worker("b")
	f.all("a", "RUNNING", nil)
	eventually(t, "each worker has some of the shops", func() bool { _, of := f.states("a"); return of["a"] > 0 && of["b"] > 0 && of["a"]+of["b"] == 8 })
	for i := range 8 {
		want := 202
		if got := f.call("a", "PUT", fmt.Sprintf("/connectors/shop%d/pause", i), ""); got != want {
			t.Errorf("pause = %d", got)
		}
	}
	f.all("b", "PAUSED", nil)
	if got := f.call("b", "PUT", "/connectors/shop1/resume", ""); got != 202 {
		t.Errorf("resume = %d", got)
	}
	if got := f.call("b", "PUT", "/connectors/shop2/stop", ""); got != 204 {
		t.Errorf("stop = %d", got)
	}
	f.kill("b")
	f.all("a", "PAUSED", map[string]string{"shop1": "RUNNING", "shop2": "STOPPED"})
	if got := f.call("a", "PUT", "/connectors/shop3/resume", ""); got != 202 {
		t.Errorf("resume = %d", got)
	}
	f.kill("a")
	f.worker("c")
	f.all("c", "PAUSED", map[string]string{"shop1": "RUNNING", "shop2": "STOPPED", "shop3": "RUNNING"})
}

// TestAWorkerThatDoesNotListAShop: two workers of a group have different shops files, and the
// one that has a shop's lane does not list it. That is what the other one says of the shop.
func TestAWorkerThatDoesNotListAShop(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 8)
	f.worker("a")
	f.all("a", "RUNNING", nil)
	few := filepath.Join(t.TempDir(), "few.yaml")
	if err := os.WriteFile(few, []byte("shops:\n- {app_id: wxsimulated0000001, app_secret: simulated-secret-1, name: shop0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "ORDERWALK_SHOPS_FILE="+few)
	f.worker("b")
	eventually(t, "worker a says why", func() bool {
		_, body := get(t, f.pages["a"]+"/shops")
		return strings.Contains(body, "its configuration does not list the shop") && strings.Contains(body, "worker b has lane ")
	})
}
