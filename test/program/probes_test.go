package program

import (
	"strings"
	"syscall"
	"testing"
)

// A worker that waits for Kafka is alive, and not ready.
func TestAWorkerWithoutKafkaIsAlive(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"ORDERWALK_KAFKA_BROKERS=127.0.0.1:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN=a-token-of-a-shop", "ORDERWALK_LISTEN=127.0.0.1:0"}, "run")
	page := "http://" + p.logged("orderwalk starts", "listen")
	if code, body := get(t, page+"/livez"); code != 200 {
		t.Errorf("livez = %d %s", code, body)
	}
	if code, body := get(t, page+"/readyz"); code != 503 || !strings.Contains(body, "starting") {
		t.Errorf("readyz = %d %s", code, body)
	}
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d\n%s", code, p.stderr.String())
	}
}
