package topics

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// defaultTombstones is Kafka's own delete.retention.ms.
const defaultTombstones = 24 * time.Hour

// Tombstones returns how long a topic's cleaner keeps tombstones after it has removed the
// records before them (delete.retention.ms), or Kafka's default if the client may not
// read the setting.
func Tombstones(ctx context.Context, addr net.Addr, transport *kafka.Transport, topic string) time.Duration {
	const name = "delete.retention.ms"
	client := kafka.Client{Transport: transport, Timeout: requestLimit}
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Addr: addr, Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}}}})
	if err != nil {
		return defaultTombstones
	}
	for _, r := range res.Resources {
		for _, c := range r.ConfigEntries {
			if ms, err := strconv.ParseInt(c.ConfigValue, 10, 64); err == nil && r.Error == nil && c.ConfigName == name {
				return time.Duration(min(ms, int64(10*defaultTombstones/time.Millisecond))) * time.Millisecond
			}
		}
	}
	return defaultTombstones
}
