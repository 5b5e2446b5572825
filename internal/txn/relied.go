package txn

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrOutdated means that the caller has not read all that it relies on: a broker that
// takes itself for the leader still had answered, and lacked the latest commits. Nothing
// of the failed commit is on the topics. The caller opens another Writer and reads again.
var ErrOutdated = errors.New("a broker that was no longer the leader did not show the latest commits")

// relied is what a caller relies on before its first commit: the records of a partition up
// to an offset, and that no wanted record comes between that and its own first one.
type relied struct {
	partition topicPartition
	from      int64
	to        int64 // offset of the first record of this attempt; −1 = unknown
	wanted    func(key []byte) bool
}

// Relies notes that the caller depends on the wanted records of a partition, has read them
// up to an offset, and that only holders of the transactional ID write such records. The
// first commit fails with ErrOutdated if there are more of them.
func (w *Writer) Relies(topic string, partition int32, end int64, wanted func(key []byte) bool) {
	w.committing.Lock()
	defer w.committing.Unlock()
	key := topicPartition{topic, partition}
	w.ends[key] = end
	w.relied = &relied{key, end, -1, wanted}
}

// End returns the end of a partition's log as this Writer knows it: after its last batch,
// or where Relies said. Only the goroutine that commits may call it.
func (w *Writer) End(topic string, partition int32) int64 {
	return w.ends[topicPartition{topic, partition}]
}

// verifyRelied checks, before the first commit, what Relies has noted. The leader that has
// stored our records with its replicas is the true one, so the log up to them is complete.
func (w *Writer) verifyRelied(ctx context.Context, until time.Time) outcome {
	r := w.relied
	switch {
	case r == nil:
		return outcome{}
	case r.to < 0: // a duplicate whose offset is unknown; another attempt has another one
		return outcome{call: callProduce, action: abandon, answer: answer{code: kafka.DuplicateSequenceNumber}}
	case r.to <= r.from:
		w.relied = nil
		return outcome{}
	}
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	missed := false
	reader := Reader{Addr: w.cfg.Addr, Transport: w.cfg.Transport, Log: w.cfg.Log, OnRetry: w.cfg.OnRetry, Ahead: true, Wanted: r.wanted,
		OnUnread: func([]byte, *UnreadError) { missed = true }}
	_, err := reader.ReadTo(limited, r.partition.topic, r.partition.partition, r.from, r.to, func(Record) error {
		missed = true
		return ErrOutdated
	})
	switch about := (answer{topic: r.partition.topic, partition: r.partition.partition}); {
	case missed:
		about.err = ErrOutdated
		return outcome{call: callProduce, action: stop, answer: about}
	case err != nil:
		about.code, about.err = noAnswer, err
		return outcome{call: callProduce, action: repeat, answer: about}
	}
	w.relied = nil
	return outcome{}
}
