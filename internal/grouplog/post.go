package grouplog

import (
	"context"
	"errors"

	"orderwalk/internal/txn"
)

// MostEntries are committed together.
const MostEntries = 500

// posting is an entry on its way.
type posting struct {
	entry Entry
	done  chan error
}

// Post commits an entry before it returns nil. Before Follow it is ErrNotYet.
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

// post commits what is posted, all that has come meanwhile at once. What it cannot
// commit fails: the caller tries again, or the vendor does.
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
			w = nil // what stands is found out by the next epoch
			if !errors.Is(err, txn.ErrFenced) || errors.Is(err, txn.ErrInDoubt) {
				break
			}
			// Nothing is committed, and the ID is this worker's alone: Kafka forgets
			// one that has posted nothing for a week.
			err = nil
		}
		for _, p := range batch {
			p.done <- err
		}
	}
}
