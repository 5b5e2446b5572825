package connector

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/topics"
)

// recountEvery is how often the partitions of orders topics are counted. It happens at
// full minutes, so that workers whose clocks agree see new partitions at about the same
// moment.
const recountEvery = time.Minute

// recount applies partitions that are added to orders topics, until ctx ends.
//
// A transaction uses one count for all of its records. Another lane or worker may use
// the former count for some seconds more. A key that comes again (a change of an order)
// then goes to the partition that Java's partitioner gives it by that count, as with
// Java producers, each of which refreshes its metadata on its own. One lane of one
// worker writes a shop, so the records of one order are never written by two counts at
// once. A smaller count means a topic that was deleted and created again. It is applied
// when Kafka refuses a record, not here, since a broker that lags may report it too.
func (c *Connector) recount(ctx context.Context) {
	for {
		now := time.Now()
		if backoff.Sleep(ctx, now.Truncate(recountEvery).Add(recountEvery).Sub(now)) != nil {
			return
		}
		c.mu.Lock()
		names, had := c.usedTopics(), c.partitions
		c.mu.Unlock()
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		usable, err := topics.Usable(asking, c.cfg.Addr, c.cfg.Transport, names...)
		cancel()
		if err != nil {
			continue // Kafka is away; the lanes report that
		}
		grown := make(map[string]int)
		for topic, has := range usable {
			if before := had[topic]; before > 0 && has > before {
				grown[topic] = has
			}
		}
		if len(grown) > 0 {
			c.setCounts(grown)
		}
	}
}
