package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Forgetful are Options.Properties of brokers that forget a transactional ID
// after three seconds or four without use, instead of 7 days, and a producer ID too.
func Forgetful() []string {
	return []string{
		"transactional.id.expiration.ms=3000", "transaction.remove.expired.transaction.cleanup.interval.ms=300",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms=300",
		"producer.id.expiration.ms=4000", "producer.id.expiration.check.interval.ms=500",
	}
}

// Forgotten waits until no broker knows any of the transactional IDs.
func Forgotten(ctx context.Context, brokers []string, transactionalIDs ...string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("wait until IDs are forgotten: %w", err)
	}
	defer client.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := kadm.NewClient(client).DescribeTransactions(ctx, transactionalIDs...)
		left := 0
		for _, id := range transactionalIDs {
			if d, ok := found[id]; err != nil || !ok || !errors.Is(d.Err, kerr.TransactionalIDNotFound) {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until IDs are forgotten: %d of %d are known: %w", left, len(transactionalIDs), errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}
