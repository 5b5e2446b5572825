package topics

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"
)

// checkPolicies refuses compacted topics whose cleanup.policy would delete checkpoints.
// If the client may not read the policy it is accepted, as Kafka Connect does for its own
// topics.
func (e *ensuring) checkPolicies(ctx context.Context) error {
	req := &kafka.DescribeConfigsRequest{Addr: e.addr}
	for _, s := range e.specs {
		if s.Compacted {
			req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
				ResourceType: kafka.ResourceTypeTopic,
				ResourceName: s.Name,
				ConfigNames:  []string{"cleanup.policy"},
			})
		}
	}
	if len(req.Resources) == 0 {
		return nil
	}
	client := kafka.Client{Transport: e.transport, Timeout: requestLimit}
	res, err := client.DescribeConfigs(ctx, req)
	if err != nil {
		return fmt.Errorf("read cleanup.policy: %w", err)
	}
	for _, r := range res.Resources {
		switch {
		case errors.Is(r.Error, kafka.TopicAuthorizationFailed), errors.Is(r.Error, kafka.ClusterAuthorizationFailed):
			continue
		case r.Error != nil:
			return fmt.Errorf("read cleanup.policy of topic %q: %w", r.ResourceName, r.Error)
		}
		for _, c := range r.ConfigEntries {
			if c.ConfigName == "cleanup.policy" && !compacts(c.ConfigValue) {
				return notCompacted(r.ResourceName, c.ConfigValue)
			}
		}
	}
	return nil
}

// compacts reports whether a cleanup.policy keeps the last record of every key for ever.
func compacts(policy string) bool {
	compact := false
	for p := range strings.SplitSeq(policy, ",") {
		switch strings.TrimSpace(p) {
		case "compact":
			compact = true
		case "delete":
			return false
		}
	}
	return compact
}

func notCompacted(topic, policy string) error {
	return &Error{
		Spec:    Spec{Name: topic, Compacted: true},
		Problem: fmt.Sprintf("cleanup.policy is %q, which would delete checkpoints", policy),
		Err:     ErrNotCompacted,
	}
}
