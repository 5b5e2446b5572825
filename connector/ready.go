package connector

import (
	"errors"
	"fmt"
	"strings"
)

// Ready returns nil once Kafka has answered and the group has assigned lanes; until
// then, what the worker waits for.
func (c *Connector) Ready() error {
	c.mu.Lock()
	err := c.ready
	c.mu.Unlock()
	if waits := c.outage.describe(); err != nil && waits != "" {
		return fmt.Errorf("%w; waiting for Kafka: %s", err, waits)
	}
	return err
}

// stage marks the worker as not ready, with a reason.
func (c *Connector) stage(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = errors.New(reason)
}

// unfinished returns the error of a run that ends with shops that are not done, out of
// all. Without an end a walk is never done, so its shops have failed.
func unfinished(shops []string, all int, bounded bool) error {
	which := fmt.Sprintf("%d of %d shops", len(shops), all)
	one, many := "is not done", "are not done"
	if !bounded {
		one, many = "has failed", "have failed"
	}
	switch {
	case all == 1:
		which = "the shop " + one
	case len(shops) == 1:
		which += " " + one
	case len(shops) == all:
		which = fmt.Sprintf("all %d shops %s", all, many)
	default:
		which += " " + many
	}
	return fmt.Errorf("%s:\n%s", which, strings.Join(shops, "\n"))
}
