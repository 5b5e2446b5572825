//go:build kafka

package topics

import (
	"errors"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"orderwalk/internal/kafkawire"
	"orderwalk/test/kafkatest"
)

// A broker that creates every requested topic does not create the one that Refresh
// requests, and Ensure reports the same as on kfake.
func TestKafka(t *testing.T) {
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{
		Properties: []string{"auto.create.topics.enable=true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	addr := kafka.TCP(cluster.Brokers()...)
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()

	for range 2 { // creates, then finds
		got, err := Ensure(t.Context(), addr, transport, both...)
		if err != nil {
			t.Fatal(err)
		}
		if got["orders"] != 6 || got["offsets"] != 16 {
			t.Errorf("partitions = %v", got)
		}
	}
	// Another process makes the offsets topic unsuitable.
	other := &kafka.Transport{}
	defer other.CloseIdleConnections()
	if _, err := Ensure(t.Context(), addr, other, Spec{Name: "plain", Partitions: 1, Config: map[string]string{"cleanup.policy": "compact,delete"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), addr, transport, Spec{Name: "plain", Compacted: true}); err == nil || !strings.Contains(err.Error(), `"compact,delete"`) {
		t.Errorf("a topic that deletes was taken: %v", err)
	}
	for code, spec := range map[kafka.Error]Spec{
		kafka.InvalidTopic:             {Name: "no such:name"},
		kafka.InvalidReplicationFactor: {Name: "replicas", ReplicationFactor: 5},
		kafka.InvalidConfiguration:     {Name: "config", Config: map[string]string{"no.such": "thing"}},
	} {
		var refused *Error
		if _, err := Ensure(t.Context(), addr, transport, spec); !errors.As(err, &refused) || refused.Err != code {
			t.Errorf("Ensure(%+v) = %v, want %v", spec, err, code)
		}
	}

	for range 5 {
		if err := (kafkawire.Wire{Addr: addr, Transport: transport}).Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m, err := transport.RoundTrip(t.Context(), addr, &metadata.Request{})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range m.(*metadata.Response).Topics {
		if strings.Contains(topic.Name, "refresh") {
			t.Errorf("Refresh created topic %q", topic.Name)
		}
	}
}
