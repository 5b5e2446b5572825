package program

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAShopIsSentBackByCommands: a stopped shop that is sent back to before its orders
// publishes each of them once more, and nothing else; so does one that is reset. The
// other shop of the lane publishes nothing twice.
func TestAShopIsSentBackByCommands(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(-time.Hour)
	from := end.Add(-24 * time.Hour)
	f := startFleet(t, 2, "--live-rate", "0", "--from", fmt.Sprint(from.Unix()), "--to", fmt.Sprint(end.Unix()), "--fault", "per_day_limit=100000")
	f.env = append(f.env, fmt.Sprint("ORDERWALK_START_TIME=", from.Unix()), "ORDERWALK_LOOKBACK=0")
	f.worker("a")
	says := func(code int, text, args string) {
		t.Helper()
		got, stdout, stderr := run(t, nil, append(strings.Fields(args), "--worker", f.pages["a"])...)
		if got != code || !strings.Contains(stdout+stderr, text) {
			t.Errorf("orderwalk %s = %d, want %d and %q\n%s%s", args, got, code, text, stdout, stderr)
		}
	}
	// shop returns what `status --json` says of a shop.
	shop := func(name string) (s struct {
		State     string
		Published int64   `json:"orders_published"`
		Rate      float64 `json:"orders_per_second"`
		CallsLeft int64   `json:"quota_remaining"`
	}) {
		t.Helper()
		_, stdout, stderr := run(t, nil, "status", "--json", name, "--worker", f.pages["a"])
		if err := json.Unmarshal([]byte(strings.Trim(strings.TrimSpace(stdout), "[]")), &s); err != nil {
			t.Fatalf("%v\n%s%s", err, stdout, stderr)
		}
		return s
	}
	published := func(name string, orders int64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s is live with %d orders", name, orders), func() bool {
			s := shop(name)
			return s.State == "live" && s.Published == orders && s.Rate > 0
		})
	}
	published("shop0", 50)
	published("shop1", 50)
	eventually(t, "the quota", func() bool { left := shop("shop1").CallsLeft; return left > 90_000 && left < 100_000 })

	says(1, "Hint: run `orderwalk stop shop0` first", "offsets set shop0 --watermark 2026-01-01 --yes")
	says(0, "stop: shop0", "stop wxsimulated0000001")
	f.all("a", "RUNNING", map[string]string{"shop0": "STOPPED"})
	back := fmt.Sprint("offsets set wxsimulated0000001 --watermark ", from.Unix())
	says(2, "add --yes", back)
	says(0, "The walk goes back from ", back+" --dry-run")
	says(1, "is in the future", "offsets set shop0 --watermark 2200-01-01 --yes")
	says(0, "set: shop0\n", back+" --yes")
	says(0, from.Format(time.RFC3339), "offsets list shop0")
	says(0, "resume: shop0\n", "resume shop0")
	published("shop0", 100)

	says(0, "stop: shop0", "stop shop0")
	f.all("a", "RUNNING", map[string]string{"shop0": "STOPPED"})
	// What list prints, set takes: then nothing is published again.
	_, line, _ := run(t, nil, "offsets", "list", "shop0", "--json", "--worker", f.pages["a"])
	listed := filepath.Join(t.TempDir(), "offsets.json")
	if err := os.WriteFile(listed, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	says(0, "publishes nothing again", "offsets set shop0 --yes --file "+listed)
	says(0, "reset: shop0\n", "offsets reset shop0 --yes")
	says(0, "nothing is stored", "offsets list shop0")
	says(0, "resume: shop0\n", "resume shop0")
	published("shop0", 150)
	published("shop1", 50)

	code, lines, stderr := run(t, f.env, "tail", "--topic", "fleet.orders", "--from-beginning", "--shop", "shop0")
	times := make(map[string]int)
	for line := range strings.Lines(lines) {
		times[strings.Fields(line)[3]]++
	}
	if code != 0 || len(times) != 50 {
		t.Errorf("tail = %d, %d orders\n%s", code, len(times), stderr)
	}
	for id, n := range times {
		if n != 3 {
			t.Errorf("order %s is published %d times, want 3", id, n)
		}
	}
}
