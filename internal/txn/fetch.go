package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"orderwalk/internal/kafkawire"
)

// fetched is a broker's answer about one partition.
type fetched struct {
	code     kafka.Error
	high     int64 // the high watermark: the end of the log that all replicas have
	stable   int64 // the last stable offset: the first one of an open transaction, or high
	logStart int64 // the first offset that is not deleted; −1 from brokers before Kafka 1.0
	aborted  []abortedTransaction
	batches  []byte // whole record batches, and perhaps a part of one more
}

type abortedTransaction struct {
	producerID  int64
	firstOffset int64
}

// fetchAnswer is an undecoded answer. kafka-go would decode it without showing where a
// batch ends whose last records compaction has removed.
type fetchAnswer struct {
	version int16
	body    []byte
}

func (*fetchAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch }

func readFetch(version int16, body []byte) (protocol.Message, error) {
	return &fetchAnswer{version, body}, nil
}

// maxAnswer is so large that PartitionMaxBytes always limits the answer first: see fetch.
const maxAnswer = 256 << 20

// A broker without new records answers after fetchWait; one answer carries about
// fetchBytes.
const (
	fetchWait  = time.Second
	fetchBytes = 1 << 20
	fetchLimit = 15 * time.Second
)

const (
	readUncommitted = 0
	readCommitted   = 1
)

// fetch asks the leader for records from an offset on.
func (c cluster) fetch(ctx context.Context, node int32, topic string, partition int32, offset int64, isolation int8) (fetched, error) {
	req := &fetch.Request{
		ReplicaID:   -1,
		MaxWaitTime: int32(fetchWait.Milliseconds()),
		MinBytes:    1,
		// kfake leaves the list of aborted transactions out of an answer that
		// reaches this limit.
		MaxBytes:       maxAnswer,
		IsolationLevel: isolation,
		SessionEpoch:   -1, // no session
		Topics: []fetch.RequestTopic{{Topic: topic, Partitions: []fetch.RequestPartition{{
			Partition:          partition,
			CurrentLeaderEpoch: -1,
			FetchOffset:        offset,
			LogStartOffset:     -1,
			PartitionMaxBytes:  fetchBytes,
		}}}},
	}
	res, err := c.ToBroker(ctx, node, kafkawire.Request{Message: req, Limit: fetchLimit, Read: readFetch})
	if err != nil {
		return fetched{}, err
	}
	answer := res.Message.(*fetchAnswer)
	return parseFetch(answer.version, answer.body, partition)
}

var errFetchAnswer = errors.New("invalid Fetch answer")

// parseFetch reads an answer of version 4 to 11 that is about one partition.
func parseFetch(version int16, body []byte, partition int32) (fetched, error) {
	if version < 4 || version > 11 {
		return fetched{}, fmt.Errorf("%w: version %d; transactions need Kafka 0.11 or later", errFetchAnswer, version)
	}
	d := decoder{b: body}
	d.int32() // correlation ID
	throttled := d.int32()
	if version >= 7 {
		if code := kafka.Error(d.int16()); code != 0 {
			return fetched{code: code}, nil
		}
		d.int32() // session ID
	}
	for range d.count() {
		d.bytes(int(d.int16())) // topic
		for range d.count() {
			index := d.int32()
			f := fetched{code: kafka.Error(d.int16()), high: d.int64(), stable: d.int64(), logStart: -1}
			if version >= 5 {
				f.logStart = d.int64()
			}
			for range d.count() {
				f.aborted = append(f.aborted, abortedTransaction{d.int64(), d.int64()})
			}
			if version >= 11 {
				d.int32() // preferred replica
			}
			f.batches = d.bytes(int(d.int32()))
			if d.bad {
				return fetched{}, errFetchAnswer
			}
			if index == partition {
				return f, nil
			}
		}
	}
	if throttled > 0 && !d.bad {
		// Over a quota a broker answers at once, without data.
		return fetched{code: kafka.ThrottlingQuotaExceeded}, nil
	}
	return fetched{}, errFetchAnswer
}
