package program

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAGroupWhoseLogHasMovedDoesNotStart: partitions were added to the offsets topic, so
// what was created and paused over HTTP is in another partition than the one where it is
// looked for. A worker that went on would walk what is paused, and no shop that was created.
func TestAGroupWhoseLogHasMovedDoesNotStart(t *testing.T) {
	t.Parallel()
	f, secrets := createdFleet(t)
	f.worker("a")
	if code, body := f.body("a", "PUT", "/connectors/one/config", shopConfig("wxsimulated0000001", "${file:"+secrets+"/one}", "")); code != 201 {
		t.Fatalf("create: %d %s", code, body)
	}
	f.all("a", "RUNNING", nil)
	f.kill("a")
	brokers, _ := strings.CutPrefix(f.env[0], "ORDERWALK_KAFKA_BROKERS=")
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).UpdatePartitions(t.Context(), 17, "fleet.offsets"); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, append(f.env, "ORDERWALK_WORKER_ID=b"), "run")
	if code != 1 || !strings.Contains(stderr, "it is in partition") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
