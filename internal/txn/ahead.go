package txn

import (
	"context"
	"math"

	"github.com/segmentio/kafka-go"
)

// ahead holds what was read behind the last stable offset of a partition. No transaction
// that is open there began before that offset, so the markers behind it decide all
// records; and no cleaner has removed any, since cleaners stop at that offset too.
type ahead struct {
	open    map[int64][]Record // by producer ID
	decided []Record           // committed, in the order of their markers
}

// readAhead reads the records from the last stable offset up to the high watermark and
// delivers those whose transactions are committed, if every wanted record before end is
// decided. Without an end it delivers what is decided.
func (r *Reader) readAhead(ctx context.Context, topic string, partition int32, from, high, end int64, in *intake) (decided bool, err error) {
	a := ahead{open: make(map[int64][]Record)}
	for next := from; next < high; {
		var f fetched
		err := r.atLeader(ctx, topic, partition, func(c cluster, node int32) (kafka.Error, error) {
			var err error
			f, err = c.fetch(ctx, node, topic, partition, next, readUncommitted)
			return f.code, err
		})
		if err != nil {
			return false, err
		}
		before := next
		if next, err = a.take(f.batches, next, in); err != nil {
			return false, err
		}
		if next == before {
			return false, nil // the log has become shorter
		}
	}
	for _, records := range a.open {
		if end != math.MaxInt64 && records[0].Offset < end {
			return false, nil
		}
	}
	for _, record := range a.decided {
		record.Ahead = true
		if err := in.deliver(record); err != nil {
			return false, err
		}
	}
	return true, nil
}

// take adds the batches of an answer, and returns the offset to fetch next.
func (a *ahead) take(batches []byte, from int64, in *intake) (next int64, err error) {
	next = from
	for rest := batches; ; {
		var b *rawBatch
		if b, rest, err = nextBatch(rest); err != nil || b == nil {
			return next, err
		}
		switch {
		case b.attributes&attributeControl != 0:
			abort, err := b.abortMarker()
			if err != nil {
				return next, err
			}
			if !abort {
				a.decided = append(a.decided, a.open[b.producerID]...)
			}
			delete(a.open, b.producerID)
		default:
			keep := intake{wanted: in.wanted, unread: in.unread, deliver: func(record Record) error {
				if b.attributes&attributeTransactional != 0 {
					a.open[b.producerID] = append(a.open[b.producerID], record)
				} else {
					a.decided = append(a.decided, record)
				}
				return nil
			}}
			err := b.each(from, math.MaxInt64, &keep)
			keep.close()
			if err != nil {
				return next, err
			}
		}
		next = max(next, b.lastOffset+1)
	}
}
