//go:build connect

package connect_test

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/test/connect"
	"orderwalk/test/kafkatest"
)

var update = flag.Bool("update", false, "write the recordings from what the real worker answers")

// One worker for all, for it takes longer to start than a script to play.
func TestConnectWorker(t *testing.T) {
	worker := startConnect(t)
	t.Run("recordings", func(t *testing.T) { testRecordings(t, worker) })
	t.Run("clients", func(t *testing.T) { testClients(t, worker) })
}

// The recordings are what a real Kafka Connect worker answers: it plays each script
// and is compared with them, or, with -update, makes them.
func testRecordings(t *testing.T, worker *kafkatest.ConnectWorker) {
	scripts, err := filepath.Glob("testdata/*.http")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %d found, %v", len(scripts), err)
	}
	target := realTarget(t, worker)
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".http"), func(t *testing.T) {
			recording := strings.TrimSuffix(script, ".http") + ".recording"
			began := time.Now()
			if *update {
				calls := parseScript(t, script)
				answers, err := connect.Play(t.Context(), target, calls)
				if err := os.WriteFile(recording, []byte(connect.Format(calls[:len(answers)], answers)), 0o644); err != nil {
					t.Fatal(err)
				}
				for i, answer := range answers {
					if answer.Missed != "" {
						t.Errorf("%s: %s", calls[i].Name, answer.Missed)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			result, err := connect.Session(t.Context(), target, read(t, script), read(t, recording), &connect.Allowed{})
			t.Logf("%d calls in %v", result.Calls, time.Since(began).Round(time.Millisecond))
			if err != nil {
				t.Error(err)
			}
			for _, d := range result.Differences {
				t.Error(d)
			}
		})
	}
}

// The drivers of other programs' clients ask only for what a real worker does.
func testClients(t *testing.T, worker *kafkatest.ConnectWorker) {
	driveClients(t, worker.URL, []string{
		"connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector",
		"file=" + filepath.Join(worker.Dir, "one.txt"), "topic=clients", "tasks.max=1",
	})
}

// driveClients drives the API at url with AKHQ's client and with two from PyPI.
func driveClients(t *testing.T, url string, config []string) {
	for name, drive := range map[string]func(context.Context, string, string, string, []string) (string, error){
		"akhq":   connect.DriveSourceLab,
		"python": connect.DrivePython,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			out, err := drive(t.Context(), t.TempDir(), url, name, config)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%d calls in %v", strings.Count(out, "ok "), time.Since(began).Round(time.Millisecond))
		})
	}
}

// awaitHealth waits until a worker says that it is healthy.
func awaitHealth(t *testing.T, url string, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answer, err := http.Get(url + "/health"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatal("the worker has ended before it was healthy")
		case <-ctx.Done():
			t.Fatal("the worker does not become healthy")
		}
	}
}

// startConnect starts a broker and a Connect worker with files to read.
func startConnect(t *testing.T) *kafkatest.ConnectWorker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cluster, err := kafkatest.Launch(ctx, kafkatest.Options{Properties: []string{"auto.create.topics.enable=true"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	worker, err := kafkatest.LaunchConnect(ctx, cluster.Brokers())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Stop)
	for _, name := range []string{"one.txt", "two.txt", "three.txt", "four.txt", "five.txt"} {
		if err := os.WriteFile(filepath.Join(worker.Dir, name), []byte("1001\n1002\n1003\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return worker
}

func realTarget(t *testing.T, worker *kafkatest.ConnectWorker) *connect.Target {
	t.Helper()
	target, err := connect.NewTarget(worker.URL, read(t, "testdata/connect.vars"), "dir="+worker.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return target
}
