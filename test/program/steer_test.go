package program

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCommandsSteerTheShopsOfAGroup looks at shops and steers them from the command
// line, by name and by app ID, through a worker.
func TestCommandsSteerTheShopsOfAGroup(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 4)
	f.worker("a")
	f.all("a", "RUNNING", nil)
	says := func(code int, text, args string) {
		t.Helper()
		got, stdout, stderr := run(t, nil, append(strings.Fields(args), "--worker", f.pages["a"])...)
		if got != code || !strings.Contains(stdout+stderr, text) {
			t.Errorf("orderwalk %s = %d, want %d and %q\n%s%s", args, got, code, text, stdout, stderr)
		}
	}
	says(0, "pause: shop0, shop2\n", "pause shop2 wxsimulated0000001")
	f.all("a", "RUNNING", map[string]string{"shop0": "PAUSED", "shop2": "PAUSED"})
	says(0, "paused", "status shop2")
	says(1, "Hint: did you mean shop1?", "status shop1x")
	says(1, `no shop has the name or app ID "nothing-like-it"`, "stop nothing-like-it")
	says(2, "add --yes", "pause --all")
	says(0, "stop: shop3\n", "stop shop3")
	f.all("a", "RUNNING", map[string]string{"shop0": "PAUSED", "shop2": "PAUSED", "shop3": "STOPPED"})
	says(0, "resume: 4 shops\n", "resume --all")
	f.all("a", "RUNNING", nil)
	says(0, "restart: 4 shops, if failed\n", "restart --all --only-failed --yes")
	says(0, "restart: shop1\n", "restart shop1")
	says(0, "pause: 4 shops\n", "pause --all --yes")
	f.all("a", "PAUSED", nil)
	says(0, "4 shops: 4 paused; 0/s\n", "status")

	code, stdout, stderr := run(t, nil, "status", "--json", "wxsimulated0000002", "--worker", f.pages["a"])
	var shops []struct {
		Name, State, Target, Worker string
	}
	if err := json.Unmarshal([]byte(stdout), &shops); err != nil || code != 0 {
		t.Fatalf("status --json = %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if got, want := fmt.Sprint(shops), "[{shop1 paused PAUSED a}]"; got != want {
		t.Errorf("status --json: %s, want %s", got, want)
	}

	// The state of each shop at each look.
	watching := start(t, nil, "status", "--json", "--watch", "shop1", "--worker", f.pages["a"])
	says(0, "resume: shop1\n", "resume shop1")
	for {
		line, err := watching.readLine()
		if err != nil {
			t.Fatalf("the watch ends: %v\n%s", err, watching.stderr.String())
		}
		var shop struct {
			At     int64
			Target string
		}
		if err := json.Unmarshal([]byte(line), &shop); err != nil || shop.At == 0 {
			t.Fatalf("%v in %s", err, line)
		}
		if shop.Target == "RUNNING" {
			break
		}
	}
	watching.signal(os.Interrupt)
	if code := watching.end(); code != 0 {
		t.Errorf("the watch, interrupted = %d\n%s", code, watching.stderr.String())
	}

	f.kill("a")
	says(1, "no worker listens there", "status")
}
