package topics

import (
	"context"
	"net"

	"github.com/segmentio/kafka-go"
)

// There returns the number of partitions of each topic that exists and may be seen. It
// creates none. While Kafka does not answer it retries until ctx ends.
func There(ctx context.Context, addr net.Addr, transport *kafka.Transport, names ...string) (map[string]int, error) {
	e := ensuring{addr: addr, transport: transport}
	for _, name := range names {
		e.specs = append(e.specs, Spec{Name: name})
	}
	there := make(map[string]int, len(names))
	err := e.retry(ctx, func() error {
		found, err := e.describe(ctx)
		for name, f := range found {
			if f.code == 0 && f.partitions > 0 {
				there[name] = f.partitions
			}
		}
		return err
	})
	return there, err
}
