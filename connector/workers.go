package connector

import (
	"context"

	"orderwalk/internal/group"
	"orderwalk/internal/record"
)

// sidecarLane is the lane of the group's log.
func (c *Connector) sidecarLane() int { return int(record.Partition(c.cfg.Sidecar.Key, c.lanes())) }

// Workers lists the workers of the group; see group.Member.Workers. It returns ErrStarting
// before Run.
func (c *Connector) Workers(ctx context.Context) ([]group.Worker, error) {
	c.mu.Lock()
	member := c.member
	c.mu.Unlock()
	if member == nil {
		return nil, ErrStarting
	}
	return member.Workers(ctx)
}
