package leaktest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// CheckTopics searches all records of the topics with a prefix, aborted ones too:
// keys, values and headers. It returns the number of records.
func (s *Search) CheckTopics(ctx context.Context, t testing.TB, prefix string, brokers []string, opts ...kgo.Opt) (records int, err error) {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...)}, opts...)...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return 0, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range topics.Names() {
		if !strings.HasPrefix(topic, prefix) {
			continue
		}
		all, err := kafkatest.ReadEverything(ctx, brokers, topic, opts...)
		if err != nil {
			return records, err
		}
		for _, r := range all {
			text := fmt.Sprintf("%s\n%s", r.Key, r.Value)
			for _, h := range r.Headers {
				text += fmt.Sprintf("\n%s: %s", h.Key, h.Value)
			}
			s.Check(t, fmt.Sprintf("record %d/%d of topic %s", r.Partition, r.Offset, topic), text)
		}
		records += len(all)
	}
	return records, nil
}
