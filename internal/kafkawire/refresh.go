package kafkawire

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go/protocol/metadata"
)

// nowhere cannot be the name of a topic (a colon is not allowed), so no broker
// can be made to create it.
const nowhere = "refresh:metadata"

// refreshLimit bounds a Refresh; a broker that does not answer for so long is
// better asked again on another connection.
const refreshLimit = 5 * time.Second

// Refresh makes the transport ask the cluster which brokers there are and who
// leads what, and returns when it knows.
//
// A kafka-go transport answers metadata requests from its cache, which it
// renews by itself only every few seconds (MetadataTTL). It makes one
// exception, for a request that would create topics the cache does not have,
// and renews the cache after it: so Refresh asks for a topic that cannot exist.
// When the transport has not reached any broker so far it answers even that
// from its cache, with the error of its first try; then it has nothing worth
// keeping and starts again from its bootstrap addresses.
func (w Wire) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	var err error
	for range 2 { // the first may meet a connection that has died meanwhile
		_, err = w.Transport.RoundTrip(ctx, w.Addr, &metadata.Request{
			TopicNames:             []string{nowhere},
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
