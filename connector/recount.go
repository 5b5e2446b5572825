package connector

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/topics"
)

// recountEvery is how often the partitions of the orders topics are counted. It is
// done at full minutes, so that workers whose clocks agree see new partitions at
// about the same moment.
const recountEvery = time.Minute

// recount takes up partitions that are added to the orders topics, until ctx
// ends.
//
// A transaction uses one count for all of its records. Another lane, or another
// worker, may use the former count for some seconds more: then a key that comes
// again (a change of an order) goes to the partition that Java's partitioner gives
// it by that count, as with Java producers, each of which refreshes its metadata
// at a time of its own. A shop is written by one lane of one worker, so the
// records of one order are never written by two counts at once. A smaller count
// is a topic that was deleted and created again; it is taken up when Kafka
// refuses a record, not here, since a broker that is behind may report it too.
func (c *Connector) recount(ctx context.Context) {
	for {
		now := time.Now()
		if backoff.Sleep(ctx, now.Truncate(recountEvery).Add(recountEvery).Sub(now)) != nil {
			return
		}
		c.mu.Lock()
		names, had := c.wanted(), c.partitions
		c.mu.Unlock()
		asking, cancel := context.WithTimeout(ctx, lookLimit)
		usable, err := topics.Usable(asking, c.cfg.Addr, c.cfg.Transport, names...)
		cancel()
		if err != nil {
			continue // Kafka is away, which the lanes tell
		}
		grown := make(map[string]int)
		for topic, has := range usable {
			if before := had[topic]; before > 0 && has > before {
				grown[topic] = has
			}
		}
		if len(grown) > 0 {
			c.counted(grown)
		}
	}
}
