package program

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestDevResumesAfterKills kills `orderwalk dev` several times in its backfill,
// lets the next one finish, and compares the topic, as `orderwalk tail` shows it,
// with what the simulated API says there is: each order once.
func TestDevResumesAfterKills(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	// Slow enough to be killed half-way.
	env := []string{"ORDERWALK_RATE_LIMIT=20", "ORDERWALK_LOOKBACK=0"}

	resumed := 0
	for i, orders := range []float64{300, 1, 150, 0, 400} {
		dev := start(t, env, "dev", "--data", data, "--orders", "3000")
		page := dev.line("Connector")
		if i > 0 {
			n := ordersResumed(t, dev, "; the last run was killed")
			if n < resumed {
				t.Errorf("%d orders are resumed, %d were before", n, resumed)
			}
			resumed = n
		}
		eventually(t, "some orders", func() bool { return published(t, page) >= orders })
		if i == 0 {
			if code, _, stderr := run(t, env, "dev", "--data", data); code != 1 || !strings.Contains(stderr, "in use by another orderwalk dev") {
				t.Errorf("a second one on the same folder = %d\n%s", code, stderr)
			}
		}
		dev.signal(os.Kill)
		dev.end()
	}

	var world struct{ Started int64 }
	text, err := os.ReadFile(filepath.Join(data, "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &world); err != nil {
		t.Fatal(err)
	}
	bounded := []string{"ORDERWALK_RATE_LIMIT=1000", "ORDERWALK_LOOKBACK=0", fmt.Sprint("ORDERWALK_END_TIME=", world.Started)}
	if code, _, stderr := run(t, bounded, "dev", "--data", data); code != 0 {
		t.Fatalf("after the kills = %d\n%s", code, stderr)
	}

	last := start(t, env, "dev", "--data", data)
	api := last.line("API")
	if n := ordersResumed(t, last, ""); n < 5000 {
		t.Errorf("%d orders are resumed at the end", n)
	}
	code, lines, stderr := run(t, nil, "tail", "--data", data, "--from-beginning", "--json")
	if code != 0 {
		t.Fatalf("tail = %d\n%s", code, stderr)
	}
	seen := map[string]map[string]int{}
	for line := range strings.Lines(lines) {
		var record struct {
			Key   string
			Value struct {
				OrderID string `json:"order_id"`
				Shop    string
			}
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if record.Key != record.Value.OrderID {
			t.Errorf("key and value differ: %s", line)
		}
		if seen[record.Value.Shop] == nil {
			seen[record.Value.Shop] = map[string]int{}
		}
		seen[record.Value.Shop][record.Key]++
	}
	for _, shop := range []string{"wxsimulated0000001", "wxsimulated0000002"} {
		var truth []struct{ ID string }
		_, body := get(t, fmt.Sprintf("%s/simulator/orders?app_id=%s&until=%d", api, shop, world.Started))
		if err := json.Unmarshal([]byte(body), &truth); err != nil || len(truth) < 2000 {
			t.Fatalf("truth of %s: %d orders, %v", shop, len(truth), err)
		}
		for _, order := range truth {
			if n := seen[shop][order.ID]; n != 1 {
				t.Errorf("order %s of %s is in the topic %d times", order.ID, shop, n)
			}
		}
		for id, n := range seen[shop] {
			if n != 1 {
				t.Errorf("order %s of %s is in the topic %d times", id, shop, n)
			}
		}
	}

	// A signal for the process and one for its group, as timeout sends them.
	last.signal(syscall.SIGTERM)
	last.signal(syscall.SIGTERM)
	if code := last.end(); code != 0 {
		t.Errorf("SIGTERM twice = %d\n%s", code, last.stderr.String())
	}
}

var resumedLine = regexp.MustCompile(`(?m)^Resumed +([\d,]+) orders? on wechat\.orders(; the last run was killed)?`)

// ordersResumed reads how many orders dev says it found on the topic, and checks
// what it says of the last run.
func ordersResumed(t *testing.T, dev *process, ofLastRun string) int {
	t.Helper()
	dev.line("Resumed")
	m := resumedLine.FindStringSubmatch(dev.said.String())
	if m == nil || m[2] != ofLastRun {
		t.Fatalf("it says of the last run:\n%s", dev.said.String())
	}
	n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Where no broker is set, tail, check, plan and health use the dev that runs in a
// folder; what a killed one has left there does not mislead them.
func TestDevIsFoundByItsFolder(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	dev := start(t, []string{"ORDERWALK_TOPIC=mine"}, "dev", "--data", data, "--orders", "50")
	brokers, page := dev.line("Kafka"), dev.line("Connector")
	eventually(t, "orders", func() bool { return published(t, page) >= 50 })

	uses := "Using the orderwalk dev that runs in " + data + ": Kafka " + brokers + ", connector " + strings.TrimPrefix(page, "http://") + ".\n"
	for _, command := range [][]string{{"tail", "--shop", "wxsimulated0000001"}, {"check"}, {"plan"}, {"health", "--ready"}} {
		code, stdout, stderr := run(t, nil, append(command, "--data", data)...)
		if code != 0 || stderr != uses || stdout == "" {
			t.Errorf("%s = %d\n%s%s", command, code, stdout, stderr)
		}
	}
	// What is set goes before.
	code, _, stderr := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--data", data)
	if code != 2 || !strings.Contains(stderr, "--data: ORDERWALK_KAFKA_BROKERS is set too; give one of the two") {
		t.Errorf("tail with both = %d\n%s", code, stderr)
	}

	// --fresh starts over, also after a kill.
	dev.signal(os.Kill)
	dev.end()
	for _, command := range []string{"tail", "check", "plan", "health"} {
		if code, _, stderr := run(t, nil, command, "--data", data); code != 1 || !strings.Contains(stderr, "find orderwalk dev: none runs in "+data) {
			t.Errorf("%s of a dead one = %d\n%s", command, code, stderr)
		}
	}
	if code, _, stderr := run(t, nil, "dev", "--data", data, "--orders", "60"); code != 2 || !strings.Contains(stderr, "add --fresh to create a new one") {
		t.Errorf("another world = %d\n%s", code, stderr)
	}
	dev = start(t, nil, "dev", "--data", data, "--orders", "60", "--fresh")
	dev.line("Data")
	dev.signal(os.Interrupt)
	if code := dev.end(); code != 0 || strings.Contains(dev.said.String(), "Resumed") {
		t.Errorf("--fresh = %d\n%s%s", code, dev.said.String(), dev.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(data, "running.json")); !os.IsNotExist(err) {
		t.Errorf("running.json is left after an orderly end: %v", err)
	}
}

// A port that another program has is left to it, and dev says so. The test is not parallel:
// the dev of another test could have the port, and give it back at any time.
func TestDevTakesTheNextFreePort(t *testing.T) {
	if other, err := net.Listen("tcp", "127.0.0.1:8083"); err == nil {
		defer other.Close() // else a program of this machine has it, which is as good
	}
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1")
	page := dev.line("Connector")
	_, text, err := net.SplitHostPort(strings.TrimPrefix(page, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if port, err := strconv.Atoi(text); err != nil || port <= 8083 || port >= 8183 {
		t.Errorf("the connector listens at %s", page)
	}
	first, _, _ := strings.Cut(dev.said.String(), "\n")
	if !strings.HasPrefix(first, "In use by another program: port") || !strings.Contains(first, "8083") {
		t.Errorf("its first line is %q", first)
	}
}
