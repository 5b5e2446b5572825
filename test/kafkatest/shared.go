package kafkatest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// shared is the broker of this test process. It is the package's only variable: tests
// run in any order and in parallel, a broker takes seconds to start, and package
// testing has no other place that outlives a test. Its guard stops it when the process
// ends.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Start returns the address of a broker shared by all tests of this process, and
// starts it at the first call; so each test uses unique names for topics, groups and
// transactional IDs. It fails the test without Java, Maven or a serving broker; if the
// test fails for another reason it logs the end of the broker's log.
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
