package kafkawire

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go/protocol/metadata"
)

// invalidTopic is not a valid topic name (a colon is not allowed), so no broker can create
// it.
const invalidTopic = "refresh:metadata"

// refreshLimit bounds a Refresh; after that another connection is more likely to get an
// answer.
const refreshLimit = 5 * time.Second

// Refresh renews the transport's metadata, brokers and leaders, and returns when it is
// up to date.
//
// A kafka-go transport answers metadata requests from its cache, which it renews only
// every few seconds (MetadataTTL). The exception is a request that would create topics
// missing in the cache: the transport renews the cache after it. So Refresh requests a
// topic that cannot exist. A transport that has not reached any broker yet answers even
// that from its cache, with the error of its first try; then Refresh drops the cache, and
// the transport starts again from its bootstrap addresses.
func (w Wire) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	var err error
	for range 2 { // the first may meet a connection that has died
		_, err = w.Transport.RoundTrip(ctx, w.Addr, &metadata.Request{
			TopicNames:             []string{invalidTopic},
			AllowAutoTopicCreation: true,
		})
		if err == nil {
			return nil
		}
	}
	if ctx.Err() == nil {
		w.Transport.CloseIdleConnections()
	}
	return fmt.Errorf("refresh metadata: %w", err)
}
