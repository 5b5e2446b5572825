package program

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ways are the values of auth that store nothing.
var ways = []string{"stable_token", "token", "static", "cloud_file", "cloud_open"}

// For each auth, check and run work with the settings that simulate prints.
func TestEveryWayIsReadByRun(t *testing.T) {
	t.Parallel()
	dev := start(t, nil, "dev", "--data", t.TempDir(), "--orders", "1")
	brokers := dev.line("Kafka")
	const from, to = 1_790_000_000, 1_790_086_400
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"simulate", "--listen", "127.0.0.1:0", "--orders", "300", "--from", fmt.Sprint(from), "--to", fmt.Sprint(to), "--auth", way}
			if way == "cloud_file" {
				args = append(args, "--token-file", filepath.Join(dir, "token"))
			}
			api := start(t, nil, args...)
			env := []string{"ORDERWALK_KAFKA_BROKERS=" + brokers, "ORDERWALK_LISTEN=127.0.0.1:0", "ORDERWALK_GROUP=" + way,
				"ORDERWALK_TOPIC=orders." + way, "ORDERWALK_LOOKBACK=0", "ORDERWALK_RATE_LIMIT=1000", fmt.Sprint("ORDERWALK_END_TIME=", to)}
			for {
				text, err := api.readLine()
				if err != nil {
					t.Fatalf("%v\n%s", err, api.stderr.String())
				}
				if pair, ok := strings.CutPrefix(strings.TrimSpace(text), "export "); ok {
					env = append(env, pair)
				} else if len(env) > 7 && text == "\n" {
					break
				}
			}
			code, stdout, stderr := run(t, env, "check")
			if code != 0 || !strings.Contains(stdout, "list call of wxsimulated0000001") || !strings.Contains(stdout, "quota of wxsimulated0000001") {
				t.Errorf("check = %d\n%s%s", code, stdout, stderr)
			}
			if code, _, stderr := run(t, env, "run"); code != 0 {
				t.Fatalf("run = %d\n%s", code, stderr)
			}
			_, lines, stderr := run(t, []string{"ORDERWALK_KAFKA_BROKERS=" + brokers}, "tail", "--from-beginning", "--topic", "orders."+way)
			ids := map[string]bool{}
			for line := range strings.Lines(lines) {
				ids[strings.Fields(line)[3]] = true
			}
			if len(ids) != 300 || strings.Count(lines, "\n") != 300 {
				t.Errorf("%d lines, %d order IDs\n%s", strings.Count(lines, "\n"), len(ids), stderr)
			}
			api.signal(syscall.SIGTERM)
			if code := api.end(); code != 0 {
				t.Errorf("simulate = %d\n%s", code, api.stderr.String())
			}
		})
	}
}

// For each auth, dev starts, publishes, stops and resumes.
func TestEveryWayInDev(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			env, data := []string{"ORDERWALK_AUTH=" + way}, filepath.Join(t.TempDir(), "data")
			for range 2 {
				dev := start(t, env, "dev", "--data", data, "--orders", "50")
				page := dev.line("Connector")
				eventually(t, "orders", func() bool { return published(t, page) >= 3 })
				dev.signal(syscall.SIGTERM)
				if code := dev.end(); code != 0 {
					t.Errorf("dev = %d\n%s", code, dev.stderr.String())
				}
				if strings.Contains(dev.stderr.String(), "level=ERROR") {
					t.Errorf("errors:\n%s", dev.stderr.String())
				}
			}
			if _, err := os.Stat(filepath.Join(data, "cloudbase_access_token")); (err == nil) != (way == "cloud_file") {
				t.Errorf("token file: %v", err)
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, _, stderr := run(t, nil, "simulate", "--listen", taken.Addr().String())
	if code != 1 || !strings.Contains(stderr, "address already in use") || !strings.Contains(stderr, "Hint: another program listens there") {
		t.Errorf("simulate = %d\n%s", code, stderr)
	}
}
