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

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// A broker that answers where one starts from, and sends everybody on to an
// address that cannot be reached from there: how Kafka is most often set up
// wrong. check fails, and run says what it waits for, not only that it has no
// group.
func TestAdvertisedAddressThatCannotBeReached(t *testing.T) {
	const nowhere = "127.0.0.1:1"
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Properties: []string{"advertised.listeners=DIRECT://" + nowhere}})
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

	code, stdout, stderr := orderwalk(t, "check")
	if code != 1 || !strings.Contains(stdout, nowhere) || !strings.Contains(stdout, "advertised.listeners") {
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
		if line := lines.Text(); strings.Contains(line, `"request":"CreateTopics"`) && strings.Contains(line, nowhere+", the address a broker advertises") {
			told = true
			cancel()
		}
	}
	if code := <-ended; code != 0 || !told {
		t.Errorf("run = %d\n%s", code, strings.Join(all, "\n"))
	}
}
