package grouplog

import (
	"context"
	"errors"

	"orderwalk/internal/txn"
)

// MostEntries is the largest number of entries in one transaction.
const MostEntries = 500

// posting is an entry that waits for its commit.
type posting struct {
	entry Entry
	done  chan error
}

// Post commits an entry before it returns nil. Before Follow it returns ErrNotYet.
func (l *Log) Post(ctx context.Context, e Entry) error {
	select {
	case <-l.found:
	default:
		return ErrNotYet
	}
	p := posting{entry: e, done: make(chan error, 1)}
	select {
	case l.posting <- p:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post commits posted entries, all waiting ones together. An entry that it cannot commit
// fails: the caller retries, or the vendor sends it again.
func (l *Log) post(ctx context.Context) {
	var w *txn.Writer
	for {
		var batch []posting
		select {
		case <-ctx.Done():
			return
		case p := <-l.posting:
			batch = append(batch, p)
		}
	more:
		for len(batch) < MostEntries {
			select {
			case p := <-l.posting:
				batch = append(batch, p)
			default:
				break more
			}
		}
		entries := make([]Entry, len(batch))
		for i, p := range batch {
			entries[i] = p.entry
		}
		var err error
		for range 2 {
			if w == nil {
				w, err = l.open(ctx, "post-"+l.cfg.Worker)
			}
			if err == nil {
				err = l.write(ctx, w, entries)
			}
			if err == nil {
				break
			}
			w = nil // the next Open settles the outcome
			if !errors.Is(err, txn.ErrFenced) || errors.Is(err, txn.ErrInDoubt) {
				break
			}
			// Nothing is committed, and only this worker uses the ID: Kafka forgets
			// an ID that has posted nothing for a week.
			err = nil
		}
		for _, p := range batch {
			p.done <- err
		}
	}
}
