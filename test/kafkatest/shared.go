package kafkatest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// shared is the broker of this test process. It is the one variable of the
// package: tests run one after the other or side by side without knowing of
// each other, a broker takes seconds to start, and package testing has no other
// place that outlives a test. Nobody stops it; its guard does when the process
// ends.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Start returns the address of a broker that all tests of this process share,
// starting it at the first call; a test therefore uses topics, groups and
// transactional ids of its own name. Without Java, Maven or a broker that
// serves it fails the test; when the test fails for another reason it logs the
// end of the broker's log.
func Start(t testing.TB) []string {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		shared.cluster, shared.err = Launch(ctx, Options{})
	})
	if shared.err != nil {
		t.Fatalf("start Kafka: %v", shared.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the broker's log %s:\n%s", shared.cluster.Log(0), shared.cluster.nodes[0].tail())
		}
	})
	return shared.cluster.Brokers()
}
