//go:build connect

package connect_test

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/connect"
	"orderwalk/test/kafkatest"
	"orderwalk/test/logtest"
)

// A worker of orderwalk answers the session as Kafka Connect does, and all calls of the
// tools that show and steer Connect, except for the differences that are meant; and the
// clients that other programs use find what they need.
func TestOrderwalk(t *testing.T) {
	url, dir := startOrderwalk(t)
	allowed, err := connect.ParseAllowed(read(t, "testdata/orderwalk.allowed"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"session", "kcctl", "console", "kafbat", "strimzi"} {
		t.Run(script, func(t *testing.T) {
			target, err := connect.NewTarget(url, read(t, "testdata/orderwalk.vars"), "dir="+dir)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join("testdata", script)
			result, err := connect.Session(t.Context(), target, read(t, base+".http"), read(t, base+".recording"), allowed)
			t.Logf("%d calls, %d allowed differences", result.Calls, result.Allowed)
			if err != nil {
				t.Error(err)
			}
			for _, d := range result.Differences {
				t.Error(d)
			}
		})
	}
	for _, line := range allowed.Unused() {
		t.Errorf("allowed, but does not happen: %s", line)
	}
	driveClients(t, url, []string{"connector.class=orderwalk.WeChatOrderSource", "app_id=wx0000000000000001",
		"app_secret=${file:" + filepath.Join(dir, "secret") + "}", "kafka.topic=clients", "tasks.max=1"})
}

// startOrderwalk starts a broker, a simulated API, and a worker that has no shop of its
// own; dir is where its secrets are.
func startOrderwalk(t *testing.T) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	program := filepath.Join(dir, "orderwalk")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "orderwalk").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const secret = "the-secret-of-all-shops"
	shopsFile := filepath.Join(dir, "shops.yaml")
	for path, text := range map[string]string{filepath.Join(dir, "secret"): secret, shopsFile: "shops: []\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var shops []simulator.Shop
	for _, number := range []int{1, 2, 4, 5} {
		shops = append(shops, simulator.Shop{AppID: fmt.Sprintf("wx%016d", number), Secret: secret, Backlog: simulator.Backlog{Orders: 50}})
	}
	api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: shops}))
	t.Cleanup(api.Close)
	brokers := kafkatest.Start(t)

	// The worker's ID is its address, as Connect's is.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	worker := exec.Command(program, "run")
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "ORDERWALK_") {
			worker.Env = append(worker.Env, pair)
		}
	}
	worker.Env = append(worker.Env, "ORDERWALK_KAFKA_BROKERS="+strings.Join(brokers, ","), "ORDERWALK_API_URL="+api.URL,
		"ORDERWALK_SHOPS_FILE="+shopsFile, "ORDERWALK_REST_SECRET_DIRS="+dir, "ORDERWALK_LISTEN="+address, "ORDERWALK_WORKER_ID="+address,
		fmt.Sprint("ORDERWALK_START_TIME=", time.Now().Add(-7*24*time.Hour).Unix()))
	var log logtest.Buffer
	worker.Stdout, worker.Stderr = &log, &log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = worker.Wait() // it is ended below, or its log says why it ended
		close(ended)
	}()
	t.Cleanup(func() {
		_ = worker.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = worker.Process.Kill()
			<-ended
		}
		if strings.Contains(log.String(), secret) {
			t.Error("the log has the shops' secret")
		}
		if t.Failed() {
			t.Logf("the worker's log:\n%s", log.String())
		}
	})
	url = "http://" + address
	awaitHealth(t, url, ended)
	return url, dir
}
