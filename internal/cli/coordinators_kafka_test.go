//go:build kafka

package cli

import (
	"bufio"
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// brokerWith starts a broker of these properties, and an environment for it and
// an API.
func brokerWith(t *testing.T, properties ...string) *kafkatest.Cluster {
	t.Helper()
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	now := time.Now().Unix()
	shop := simulatedShop(0, 10, now-3600, now-60, 0)
	api := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{shop}}))
	t.Cleanup(api.Close)
	t.Setenv("ORDERWALK_KAFKA_BROKERS", cluster.Brokers()[0])
	t.Setenv("ORDERWALK_APP_ID", shop.AppID)
	t.Setenv("ORDERWALK_APP_SECRET", shop.Secret)
	t.Setenv("ORDERWALK_API_URL", api.URL)
	t.Setenv("ORDERWALK_LISTEN", "127.0.0.1:0")
	return cluster
}

// The configuration that Kafka comes with wants three replicas of its own topics.
// With one broker it cannot make them, so there is neither a group nor a
// transaction. check fails and says what to set; run says what it waits for.
func TestNoCoordinators(t *testing.T) {
	brokerWith(t, "offsets.topic.replication.factor=3", "transaction.state.log.replication.factor=3")
	code, stdout, stderr := orderwalk(t, "check")
	for _, want := range []string{
		"2 of", "no broker coordinates the group: ", "set offsets.topic.replication.factor to 1",
		"no broker has coordinated transactions for 10s: ", "set transaction.state.log.replication.factor and transaction.state.log.min.isr to 1",
	} {
		if !strings.Contains(stdout+stderr, want) {
			t.Errorf("check says nothing of %q", want)
		}
	}
	if code != 1 || strings.Contains(stdout, "offset fetch") || strings.Contains(stdout, "kafka.(") {
		t.Errorf("check = %d\n%s%s", code, stdout, stderr)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan int)
	go func() {
		code := Main(ctx, []string{"run"}, Streams{Out: io.Discard, Err: write})
		write.Close()
		ended <- code
	}()
	told := false
	var all []string
	for lines := bufio.NewScanner(read); lines.Scan(); {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), "no broker coordinates the group") {
			told = true
			cancel()
		}
	}
	text := strings.Join(all, "\n")
	if code := <-ended; code != 0 || !told || strings.Contains(text, "offset fetch") || strings.Contains(text, "kafka.(") {
		t.Errorf("run = %d\n%s", code, text)
	}
}

// Limits of the brokers that run would meet later. Nothing is joined, and no
// lane's transactional ID is used, by looking.
func TestBrokersLimits(t *testing.T) {
	cluster := brokerWith(t, "transaction.max.timeout.ms=10000", "group.min.session.timeout.ms=15000")
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	small := "500000"
	if _, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &small}, "wechat.orders"); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := orderwalk(t, "check")
	for _, want := range []string{"ORDERWALK_TRANSACTION_TIMEOUT", "ORDERWALK_SESSION_TIMEOUT", "max.message.bytes=1048588"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("check says nothing of %q", want)
		}
	}
	if code != 1 || strings.Count(stdout, "failed ") != 3 {
		t.Errorf("check = %d\n%s", code, stdout)
	}

	t.Setenv("ORDERWALK_TRANSACTION_TIMEOUT", "10s")
	t.Setenv("ORDERWALK_SESSION_TIMEOUT", "20s")
	t.Setenv("ORDERWALK_TOPIC", "other.orders")
	if code, stdout, _ := orderwalk(t, "check"); code != 0 {
		t.Errorf("check = %d\n%s", code, stdout)
	}
	used, err := admin.ListTransactions(t.Context(), nil, nil)
	if err != nil || len(used) != 1 || used["orderwalk-check"].TxnID == "" {
		t.Errorf("transactional IDs %v, %v, want check's own", used, err)
	}
	groups, err := admin.ListGroups(t.Context())
	if err != nil || len(groups) > 0 {
		t.Errorf("groups %v, %v, want none", groups, err)
	}
}
