package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"

	"orderwalk/internal/backoff"
)

// Record is a committed record. The caller may keep Key, Value and Headers. nil is
// Kafka's null, so a nil Value is a tombstone.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
	Key       []byte
	Value     []byte
	Headers   []Header
	// Ahead reports that the record was delivered ahead of an open transaction before it
	// (Reader.Ahead). A later reading from behind it would miss that transaction.
	Ahead bool
}

// Reader reads committed records: none of an aborted or open transaction, and no
// control records. Several goroutines may call its methods.
type Reader struct {
	Addr      net.Addr         // bootstrap brokers
	Transport *kafka.Transport // may be shared with writers
	Log       *slog.Logger     // nil discards
	// OnRetry is as in Config. A retry that it is called for is not logged.
	OnRetry func(request, reason string, err error)
	// OnAnswer, if any, is called when a request that OnRetry was called for is answered,
	// and when a reading no longer waits for an open transaction.
	OnAnswer func()
	// Wanted, if any, selects records by their keys. The others are neither kept nor
	// delivered.
	Wanted func(key []byte) bool
	// Ahead delivers committed records without waiting for open transactions before them
	// that have no wanted record. ReadToEnd then ends when all wanted records before
	// the end are decided, and next is the first offset of an open transaction. Follow
	// may deliver such a record several times, and once more in its turn.
	Ahead bool
	// OnUnread, if any, is called for wanted records that are too large to read; with a
	// nil key, for the rest of a batch, whose keys are unknown. A Writer never writes
	// such a record. The Reader logs it and continues after it.
	OnUnread func(key []byte, err *UnreadError)
}

// UnreadError is a record, or the rest of a batch, that is too large when
// decompressed.
type UnreadError struct {
	Topic     string
	Partition int32
	Offset    int64
	Err       error
}

func (e *UnreadError) Error() string {
	return fmt.Sprintf("skipped a record of %s/%d at offset %d: %v; orderwalk does not write records of that size: find the program that does, then restore the record of that key from a copy, or write a tombstone (null value) for it: a shop whose checkpoint it held then starts over and publishes again",
		e.Topic, e.Partition, e.Offset, e.Err)
}

func (e *UnreadError) Unwrap() error { return e.Err }

// waitQuiet is how long a read may wait for an open transaction before it reports
// that.
const waitQuiet = 3 * time.Second

// ReadToEnd delivers every committed record of a partition from an offset up to the
// high watermark at the time of the call. It waits for transactions that are open
// before that, at most for the longest of their timeouts, and logs the wait after a few
// seconds. Offsets that have been deleted are skipped.
//
// next is the offset to continue at. An error of deliver ends the call and is returned
// unwrapped.
func (r *Reader) ReadToEnd(ctx context.Context, topic string, partition int32, from int64, deliver func(Record) error) (next int64, err error) {
	end, err := r.HighWatermark(ctx, topic, partition)
	if err != nil {
		return from, err
	}
	return r.ReadTo(ctx, topic, partition, from, end, deliver)
}

// HighWatermark returns the offset after the last record of a partition, committed or not.
func (r *Reader) HighWatermark(ctx context.Context, topic string, partition int32) (int64, error) {
	end, err := r.listOffset(ctx, topic, partition, latestOffset, readUncommitted)
	if err != nil {
		return 0, fmt.Errorf("read %s/%d: %w", topic, partition, err)
	}
	return end, nil
}

// Follow delivers committed records from an offset on until ctx ends or deliver
// fails, and returns that error.
func (r *Reader) Follow(ctx context.Context, topic string, partition int32, from int64, deliver func(Record) error) error {
	_, err := r.ReadTo(ctx, topic, partition, from, math.MaxInt64, deliver)
	return err
}

// First returns the first offset of a partition that is not deleted.
func (r *Reader) First(ctx context.Context, topic string, partition int32) (int64, error) {
	offset, err := r.listOffset(ctx, topic, partition, earliestOffset, readUncommitted)
	if err != nil {
		return 0, fmt.Errorf("first offset of %s/%d: %w", topic, partition, err)
	}
	return offset, nil
}

// Last returns the last stable offset: the one after the last readable record, before
// the first open transaction.
func (r *Reader) Last(ctx context.Context, topic string, partition int32) (int64, error) {
	offset, err := r.listOffset(ctx, topic, partition, latestOffset, readCommitted)
	if err != nil {
		return 0, fmt.Errorf("last offset of %s/%d: %w", topic, partition, err)
	}
	return offset, nil
}

func (r *Reader) log() *slog.Logger {
	if r.Log != nil {
		return r.Log
	}
	return slog.New(slog.DiscardHandler)
}

// ReadTo is ReadToEnd with a known end. With Ahead next may be before it. If the partition
// is found to be shorter, it returns a Retriable *Error.
func (r *Reader) ReadTo(ctx context.Context, topic string, partition int32, from, end int64, deliver func(Record) error) (next int64, err error) {
	next = from
	var failed error // of deliver, returned unwrapped
	in := intake{
		wanted: r.Wanted,
		deliver: func(record Record) error {
			record.Topic, record.Partition = topic, partition
			failed = deliver(record)
			return failed
		},
		unread: func(offset int64, key []byte, err error) {
			unread := &UnreadError{topic, partition, offset, err}
			r.log().Warn("skipping a record that is too large to read", "reason", unread)
			if r.OnUnread != nil {
				r.OnUnread(key, unread)
			}
		},
	}
	defer in.close()
	progress, waiting, stalled := time.Now(), end != math.MaxInt64, false
	over := func() {
		if stalled && r.OnAnswer != nil {
			r.OnAnswer()
		}
		stalled = false
	}
	defer over()
	for next < end {
		var f fetched
		err := r.atLeader(ctx, topic, partition, func(c cluster, node int32) (kafka.Error, error) {
			var err error
			f, err = c.fetch(ctx, node, topic, partition, next, readCommitted)
			return f.code, err
		})
		if errors.Is(err, kafka.OffsetOutOfRange) {
			if next, err = r.afterGap(ctx, topic, partition, next); err == nil {
				continue
			}
		}
		if err != nil {
			return next, fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
		before := next
		next, err = f.committed(next, end, &in)
		if failed != nil {
			return next, failed
		}
		if err != nil {
			return next, fmt.Errorf("read %s/%d after offset %d: %w", topic, partition, next, err)
		}
		if next == before && r.Ahead && f.stable < f.high {
			decided, err := r.readAhead(ctx, topic, partition, next, f.high, end, &in)
			if failed != nil {
				return next, failed
			}
			if err != nil {
				return next, fmt.Errorf("read %s/%d: %w", topic, partition, err)
			}
			if decided && end != math.MaxInt64 {
				return next, nil
			}
		}
		switch {
		case next > before:
			progress = time.Now()
			over()
		case end != math.MaxInt64 && f.high < end && time.Since(progress) > waitQuiet:
			return next, fmt.Errorf("read %s/%d: %w", topic, partition, &Error{
				Request: fetchName, Topic: topic, Partition: partition, Code: kafka.OffsetOutOfRange, Retriable: true,
				Err: fmt.Errorf("%w: the partition has ended at %d and ends at %d now", ErrBeyondEnd, end, f.high),
			})
		case !waiting || time.Since(progress) <= waitQuiet:
		case r.OnRetry != nil:
			stalled = true
			r.OnRetry(fetchName, "open transaction", fmt.Errorf("another producer has a transaction open in %s/%d; it ends at its timeout at the latest; if not, abort it with kafka-transactions.sh", topic, partition))
		default:
			waiting = false
			r.log().Warn("waiting for an open transaction of another producer; it ends at its timeout at the latest; if not, abort it with kafka-transactions.sh",
				"topic", topic, "partition", partition, "offset", next, "end", end)
		}
	}
	return next, nil
}

// afterGap returns where to continue when an offset is out of range: at the first
// offset if the records before that have been deleted.
func (r *Reader) afterGap(ctx context.Context, topic string, partition int32, offset int64) (int64, error) {
	first, err := r.First(ctx, topic, partition)
	switch {
	case err != nil:
		return offset, err
	case first > offset:
		return first, nil
	}
	return offset, &Error{
		Request: fetchName, Topic: topic, Partition: partition, Code: kafka.OffsetOutOfRange, Retriable: true,
		Err: fmt.Errorf("%w: offset %d", ErrBeyondEnd, offset),
	}
}

const (
	latestOffset   = -1
	earliestOffset = -2
)

func (r *Reader) listOffset(ctx context.Context, topic string, partition int32, which int64, isolation int8) (offset int64, err error) {
	err = r.atLeader(ctx, topic, partition, func(c cluster, node int32) (kafka.Error, error) {
		res, err := c.exchange(ctx, node, coordinatorLimit, &listoffsets.Request{
			ReplicaID:      -1,
			IsolationLevel: isolation,
			Topics: []listoffsets.RequestTopic{{Topic: topic, Partitions: []listoffsets.RequestPartition{{
				Partition: partition, CurrentLeaderEpoch: -1, Timestamp: which,
			}}}},
		})
		if err != nil {
			return 0, err
		}
		for _, t := range res.(*listoffsets.Response).Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic && p.Partition == partition {
					offset = p.Offset
					return kafka.Error(p.ErrorCode), nil
				}
			}
		}
		return kafka.UnknownTopicOrPartition, nil
	})
	return offset, err
}

// atLeader repeats a request to the leader of a partition until its answer is
// definite or ctx ends. It returns a code that a retry does not change:
// OffsetOutOfRange unwrapped, others as *Error.
func (r *Reader) atLeader(ctx context.Context, topic string, partition int32, request func(cluster, int32) (kafka.Error, error)) error {
	c := clusterAt(r.Addr, r.Transport)
	var pause *backoff.Backoff
	started := time.Now()
	warned, retried := started, false
	for {
		known, err := c.leaders(ctx, []string{topic})
		code := kafka.Error(0)
		if err == nil {
			var node int32
			if node, code = known.of(topic, partition); code == 0 {
				code, err = request(c, node)
			}
		}
		if err == nil && code == 0 {
			if retried && r.OnAnswer != nil {
				r.OnAnswer()
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errFetchAnswer) {
			return err
		}
		if code == 0 {
			code = codeOf(err)
		}
		switch reactToRead(code) {
		case missing:
			if time.Since(started) > missingPatience {
				return &Error{Request: fetchName, Topic: topic, Partition: partition, Code: code}
			}
		case stop:
			if code == kafka.OffsetOutOfRange {
				return code
			}
			return &Error{Request: fetchName, Topic: topic, Partition: partition, Code: code}
		}
		if r.OnRetry != nil {
			retried = true
			r.OnRetry(fetchName, reason(code), err)
		} else if time.Since(warned) > quietRetries {
			warned = time.Now()
			r.log().Warn("cannot read from Kafka; trying again",
				"topic", topic, "partition", partition, "reason", reason(code), "error", err)
		}
		if pause == nil {
			pause = newPause()
		}
		if !wait(ctx, time.Time{}, pause) {
			return ctx.Err()
		}
		// Without fresh leaders the next try fails like this one.
		_ = clusterAt(r.Addr, r.Transport).Refresh(ctx)
	}
}

// reactToRead decides how a reader reacts to a code.
func reactToRead(code kafka.Error) action {
	switch code {
	case noAnswer, kafka.BrokerNotAvailable,
		kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.ReplicaNotAvailable,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.OffsetNotAvailable,
		kafka.RequestTimedOut, kafka.NetworkException, kafka.KafkaStorageError,
		kafka.FetchSessionIDNotFound, kafka.InvalidFetchSessionEpoch,
		kafka.ThrottlingQuotaExceeded, kafka.Unknown:
		return repeat
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID, kafka.InconsistentTopicID:
		return missing
	}
	return stop
}
