package grouplog

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"orderwalk/internal/txn"
)

// rewind reads the log from its beginning, because it is shorter than what was read of
// it: offsets mean other records now. It delivers only the last record of each name: an
// older one would undo for a moment what is wanted since. What the log has lost stays as
// it was delivered.
func (l *Log) rewind(ctx context.Context) error {
	latest := make(map[Name]txn.Record)
	next, err := l.reader().ReadToEnd(ctx, l.cfg.Topic, l.partition, 0, func(r txn.Record) error {
		if n, ours := Parse(l.cfg.Group, r.Key); ours && r.Offset >= latest[n].Offset {
			latest[n] = r
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.next, l.seen = next, make(map[Name]int64)
	l.mu.Unlock()
	for _, r := range slices.SortedFunc(maps.Values(latest), func(a, b txn.Record) int { return cmp.Compare(a.Offset, b.Offset) }) {
		if err := l.add(r); err != nil {
			return err
		}
	}
	return nil
}
