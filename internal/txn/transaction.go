package txn

import (
	"errors"
	"fmt"
	"time"
)

// LargestBatch is the default of [Config.MaxBatchBytes]; topics have to accept it
// (max.message.bytes).
const LargestBatch = 900 << 10

// Header is a record header. A nil Value is kept apart from an empty one.
type Header struct {
	Key   string
	Value []byte
}

// Transaction is a buffer of encoded records. One goroutine at a time may use it; it
// may be filled while the Writer commits another one.
type Transaction struct {
	limit       int // of a batch, in bytes
	batches     []batch
	open        map[string][]int // topic → partition → 1 + index of the batch that new records go to
	topic       string           // of the last record
	indexes     []int            // open[topic]
	freeBuffers [][]byte         // free buffers
	inUse       bool             // kafka-go may still read the buffers
	records     int
}

// Records returns the number of appended records.
func (t *Transaction) Records() int { return t.records }

// unsend forgets what the leaders have acknowledged: the next attempt sends all records.
func (t *Transaction) unsend() {
	for i := range t.batches {
		t.batches[i].acknowledged = false
	}
}

// partitions lists the partitions that have records.
func (t *Transaction) partitions() []topicPartition {
	var all []topicPartition
	for i := range t.batches {
		if b := &t.batches[i]; b.round == 0 {
			all = append(all, topicPartition{b.topic, b.partition})
		}
	}
	return all
}

// rounds sorts batches into rounds with at most one batch of each partition.
func rounds(batches []batch) [][]*batch {
	var sorted [][]*batch
	for i := range batches {
		b := &batches[i]
		if b.round == len(sorted) {
			sorted = append(sorted, nil)
		}
		sorted[b.round] = append(sorted[b.round], b)
	}
	return sorted
}

// Append encodes a record for a partition. A nil value is a tombstone. The caller may
// reuse key, value and headers when it returns. It fails only if the record is too
// large for a batch or the partition is negative.
func (t *Transaction) Append(topic string, partition int32, at time.Time, key, value []byte, headers []Header) error {
	if partition < 0 {
		return fmt.Errorf("append to topic %q: invalid partition %d", topic, partition)
	}
	size := recordSize(key, value, headers)
	if headSize+size > t.limit {
		return fmt.Errorf("append to topic %q: record of %d bytes exceeds the batch limit of %d: %w",
			topic, size, t.limit, errTooLarge)
	}
	b := t.batch(topic, partition, size)
	b.appendRecord(at.UnixMilli(), key, value, headers)
	t.records++
	return nil
}

var errTooLarge = errors.New("record too large")

// batch returns the partition's batch with room for size more bytes; it adds one if needed.
func (t *Transaction) batch(topic string, partition int32, size int) *batch {
	if topic != t.topic || t.indexes == nil {
		t.topic, t.indexes = topic, t.open[topic]
	}
	for int(partition) >= len(t.indexes) {
		t.indexes = append(t.indexes, 0)
		t.open[topic] = t.indexes
	}
	round := 0
	if i := t.indexes[partition]; i > 0 {
		b := &t.batches[i-1]
		if headSize+len(b.records)+size <= t.limit {
			return b
		}
		round = b.round + 1
	}
	t.batches = append(t.batches, batch{topic: topic, partition: partition, round: round, records: t.buffer()})
	t.indexes[partition] = len(t.batches)
	return &t.batches[len(t.batches)-1]
}

// buffer returns a free buffer, or nil.
func (t *Transaction) buffer() []byte {
	n := len(t.freeBuffers)
	if n == 0 {
		return nil
	}
	b := t.freeBuffers[n-1]
	t.freeBuffers = t.freeBuffers[:n-1]
	return b[:0]
}

// reset empties the transaction. It keeps the buffers for later batches, unless
// kafka-go may still read them for a request that was given up.
func (t *Transaction) reset() {
	for i := range t.batches {
		b := &t.batches[i]
		t.open[b.topic][b.partition] = 0
		if t.inUse {
			continue
		}
		t.freeBuffers = append(t.freeBuffers, b.records)
		if b.packed != nil {
			t.freeBuffers = append(t.freeBuffers, b.packed)
		}
	}
	clear(t.batches)
	t.batches = t.batches[:0]
	t.topic, t.indexes, t.inUse = "", nil, false
	t.records = 0
}
