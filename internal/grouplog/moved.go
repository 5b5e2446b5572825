package grouplog

import (
	"context"
	"errors"
	"fmt"

	"orderwalk/internal/txn"
)

// MovedError reports that the group's log is in another partition than its own: an
// operator has changed the number of partitions of the topic. A worker that went on would
// forget what the group has kept: walk shops that are paused, and none that was created.
type MovedError struct {
	Topic      string
	Own, Found int
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("find the group's log: it is in partition %d of topic %s, but by the topic's current number of partitions it belongs in partition %d; nothing was started over",
		e.Found, e.Topic, e.Own)
}

var errFound = errors.New("a record is there")

// Moved returns a *MovedError if the log has no record but another partition has one of
// this group. It does not read the other partitions if the last one has records: then
// none has been added since the group ran. Call it after CatchUp.
func (l *Log) Moved(ctx context.Context) error {
	l.mu.Lock()
	empty := len(l.seen) == 0
	l.mu.Unlock()
	if !empty {
		return nil
	}
	reader := l.reader()
	reader.Wanted = func(key []byte) bool {
		_, ours := Parse(l.cfg.Group, key)
		return ours
	}
	ends := reader.HighWatermarks(ctx, l.cfg.Topic)
	last := int32(0)
	for partition := range ends {
		last = max(last, partition)
	}
	if ends[last] > 0 {
		return nil
	}
	for partition, end := range ends {
		if partition == l.partition || end == 0 {
			continue
		}
		switch _, err := reader.ReadToEnd(ctx, l.cfg.Topic, partition, 0, func(txn.Record) error { return errFound }); {
		case errors.Is(err, errFound):
			return &MovedError{Topic: l.cfg.Topic, Own: int(l.partition), Found: int(partition)}
		case err != nil:
			return fmt.Errorf("look for the group's log: %w", err)
		}
	}
	return nil
}
