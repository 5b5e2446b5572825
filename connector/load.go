package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// mostReadings bounds how often a lane is read until two readings agree.
const mostReadings = 20

// errCleaned reports that no two readings of a lane agree.
var errCleaned = errors.New("the log cleaner keeps removing tombstones while the partition is read: raise delete.retention.ms of the offsets topic to a minute or more")

// load reads the lane's partition from its beginning to its end, read_committed. It
// also returns the end. wanted selects source partitions; nil = all of the group's.
//
// The log cleaner may remove a tombstone during the reading, after the older value of
// its key has been read: a forgotten value would seem to exist. It does so only when
// delete.retention.ms have passed since it removed that value, which was after the
// reading began. So a reading that takes less time than that is right. A longer one is
// repeated until two agree: a value that appeared only because its tombstone was missed
// had been removed before the second reading began, so the second does not have it.
// Nothing else changes meanwhile, since older owners are fenced.
func (l *lane) load(ctx context.Context, wanted func(offsets.Partition) bool) (offsets.Lane, int64, error) {
	var before *offsets.Loader
	for range mostReadings {
		loader := &offsets.Loader{Group: l.cfg.Group, Of: wanted}
		reader := txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.log, OnRetry: l.outage.of(l.name()),
			// A dead worker may have left a transaction open in what the group shares.
			Ahead: true, Wanted: loader.Wants, OnUnread: func(key []byte, err *txn.UnreadError) { loader.Refuse(key, err) }}
		began := time.Now()
		end, err := reader.HighWatermark(ctx, l.cfg.OffsetsTopic, int32(l.number))
		if err != nil {
			return offsets.Lane{}, 0, fmt.Errorf("read checkpoints of lane %d: %w", l.number, err)
		}
		_, err = reader.ReadTo(ctx, l.cfg.OffsetsTopic, int32(l.number), 0, end, func(r txn.Record) error {
			loader.Add(r.Key, r.Value)
			return nil
		})
		if err != nil {
			return offsets.Lane{}, 0, fmt.Errorf("read checkpoints of lane %d: %w", l.number, err)
		}
		if time.Since(began) < l.tombstones/2 || before != nil && loader.Agrees(before) {
			return loader.Drain(), end, nil
		}
		before = loader
	}
	return offsets.Lane{}, 0, fmt.Errorf("read checkpoints of lane %d: %w", l.number, errCleaned)
}
