package txn

import (
	"errors"
	"fmt"
	"time"
)

// LargestBatch is how many bytes a batch has at most unless [Config] says
// otherwise; a topic has to take that much (max.message.bytes).
const LargestBatch = 900 << 10

// Header is a record header. A nil Value is kept apart from an empty one.
type Header struct {
	Key   string
	Value []byte
}

// Transaction is a buffer of encoded records. It is not safe for use by several
// goroutines at once; it may be filled while another one is being committed.
type Transaction struct {
	limit   int // bytes of a batch
	batches []batch
	open    map[string][]int // topic → partition → 1 + index of the batch that takes its records
	topic   string           // of the last record, and
	indexes []int            // open[topic]
	spare   [][]byte         // buffers of batches long sent
	torn    bool             // kafka-go may still be reading the buffers
	records int
	bytes   int
}

// Records counts what has been appended.
func (t *Transaction) Records() int { return t.records }

// Bytes is the size of the encoded records, before compression.
func (t *Transaction) Bytes() int { return t.bytes }

// partitions are those it has records for.
func (t *Transaction) partitions() []topicPartition {
	var all []topicPartition
	for i := range t.batches {
		if b := &t.batches[i]; b.round == 0 {
			all = append(all, topicPartition{b.topic, b.partition})
		}
	}
	return all
}

// Append encodes a record for a partition. A nil value makes a tombstone. Key,
// value and headers may be used again as soon as it returns. It fails only for
// a record too large for any batch and for a partition below zero.
func (t *Transaction) Append(topic string, partition int32, at time.Time, key, value []byte, headers []Header) error {
	if partition < 0 {
		return fmt.Errorf("append to topic %q: no partition %d", topic, partition)
	}
	size := recordSize(key, value, headers)
	if headSize+size > t.limit {
		return fmt.Errorf("append to topic %q: record of %d bytes does not fit into a batch of %d: %w",
			topic, size, t.limit, errTooLarge)
	}
	b := t.batch(topic, partition, size)
	before := len(b.records)
	b.appendRecord(at.UnixMilli(), key, value, headers)
	t.records++
	t.bytes += len(b.records) - before
	return nil
}

var errTooLarge = errors.New("record too large")

// batch finds the partition's batch with room for size more bytes, or makes it.
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

// buffer takes an empty buffer from those that have served before.
func (t *Transaction) buffer() []byte {
	n := len(t.spare)
	if n == 0 {
		return nil
	}
	b := t.spare[n-1]
	t.spare = t.spare[:n-1]
	return b[:0]
}

// reset empties the transaction. Its buffers serve again, unless kafka-go may
// still be reading them for a request that was given up.
func (t *Transaction) reset() {
	for i := range t.batches {
		b := &t.batches[i]
		t.open[b.topic][b.partition] = 0
		if t.torn {
			continue
		}
		t.spare = append(t.spare, b.records)
		if b.packed != nil {
			t.spare = append(t.spare, b.packed)
		}
	}
	clear(t.batches)
	t.batches = t.batches[:0]
	t.topic, t.indexes, t.torn = "", nil, false
	t.records, t.bytes = 0, 0
}
