package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

var quiet = slog.New(slog.DiscardHandler)

// dialFunc opens a connection, as net.Dialer's DialContext does.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// startKafka starts a broker on a network of its own, so that the tests can run
// in bubbles, where waiting costs nothing.
func startKafka(t *testing.T, opts ...kfake.Opt) (dialFunc, []string) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ClusterID("c1"), kfake.ListenFn(network.Listen))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return network.DialContext, cluster.ListenAddrs()
}

// reach connects as run does and returns what an operator would see.
func reach(t *testing.T, brokers []string, dial dialFunc) (clusterID string, err error) {
	t.Helper()
	cfg := kafkaConfig(config.Kafka{Brokers: brokers}, "test", quiet)
	cfg.Dial = dial
	k := kafkaconn.New(cfg)
	defer k.Close()
	return reachKafka(t.Context(), k, quiet)
}

// A Kafka that is away is waited for a while, then the error says where it was
// looked for and what to check.
func TestKafkaAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		away := func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		_, err := reach(t, []string{"kafka.test:9092"}, away)
		if err == nil || !strings.Contains(err.Error(), "reach Kafka at kafka.test:9092") ||
			!errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(hintFor(err), "ORDERWALK_KAFKA_BROKERS") {
			t.Errorf("error = %v, hint %q", err, hintFor(err))
		}
		if dials < 3 {
			t.Errorf("gave up after %d dials", dials)
		}
	})
}

func TestKafkaThatComesUpLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, brokers := startKafka(t)
		up := time.Now().Add(5 * time.Second)
		late := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if time.Now().Before(up) {
				return nil, syscall.ECONNREFUSED
			}
			return dial(ctx, network, addr)
		}
		if id, err := reach(t, brokers, late); err != nil || id != "c1" {
			t.Errorf("reach = %q, %v", id, err)
		}
	})
}

func TestStoppedWhileKafkaIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkaconn.New(kafkaconn.Config{Brokers: []string{"kafka.test:9092"}, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, syscall.ECONNREFUSED
		}})
		defer k.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := reachKafka(ctx, k, quiet); err == nil || ctx.Err() == nil {
			t.Errorf("error = %v, context: %v", err, ctx.Err())
		}
	})
}
