package txn

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"

	"orderwalk/internal/kafkawire"
)

// describeProducers is an API that kafka-go does not have. It lists the producers of a
// partition and their open transactions. Brokers have it since Kafka 2.8.
const describeProducers = protocol.ApiKey(61)

// producing is a leader's answer about one producer ID on one partition.
type producing struct {
	code     kafka.Error // the error for this partition; 0 = none
	epoch    int16       // of the last batch
	sequence int32       // of the last record
	open     bool        // has an open transaction
	start    int64       // of the open transaction: the offset of its first record
}

// producersRequest is a DescribeProducers request, version 0.
type producersRequest struct{ partitions []topicPartition }

type producersAnswer map[topicPartition]producing

func (producersRequest) ApiKey() protocol.ApiKey { return describeProducers }
func (producersAnswer) ApiKey() protocol.ApiKey  { return describeProducers }

func (m producersRequest) write(w io.Writer, _ int16, correlation int32, clientID string) error {
	b := newRequest(describeProducers, correlation, clientID)
	byTopic := make(map[string][]int32)
	for _, p := range m.partitions {
		byTopic[p.topic] = append(byTopic[p.topic], p.partition)
	}
	b = binary.AppendUvarint(b, uint64(len(byTopic)+1))
	for topic, partitions := range byTopic {
		b = binary.AppendUvarint(b, uint64(len(topic)+1))
		b = append(b, topic...)
		b = binary.AppendUvarint(b, uint64(len(partitions)+1))
		for _, p := range partitions {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
		b = append(b, 0)
	}
	b = append(b, 0)
	return writeRequest(w, b)
}

// newRequest returns the head of a request of version 0 with tagged fields; writeRequest
// adds its size.
func newRequest(key protocol.ApiKey, correlation int32, clientID string) []byte {
	b := make([]byte, 4, 256)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 0) // version
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientID)))
	b = append(b, clientID...)
	return append(b, 0) // tagged fields
}

func writeRequest(w io.Writer, b []byte) error {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err := w.Write(b)
	return err
}

var errProducers = errors.New("invalid DescribeProducers answer")

// parseProducers decodes an answer and keeps the entries of one producer ID.
func parseProducers(body []byte, producerID int64) (producersAnswer, error) {
	all := make(producersAnswer)
	d := decoder{b: body}
	d.int32() // correlation ID
	d.tags()
	d.int32() // throttle time
	for range d.compactCount() {
		topic := string(d.bytes(d.compactCount()))
		for range d.compactCount() {
			p := topicPartition{topic, d.int32()}
			said := producing{code: kafka.Error(d.int16())}
			d.bytes(d.compactCount()) // error message
			for range d.compactCount() {
				id, epoch, sequence := d.int64(), d.int32(), d.int32()
				d.int64() // timestamp
				d.int32() // coordinator epoch
				start := d.int64()
				d.tags()
				if id == producerID {
					said.epoch, said.sequence, said.open, said.start = int16(epoch), sequence, start >= 0, max(start, 0)
				}
			}
			d.tags()
			all[p] = said
		}
		d.tags()
	}
	d.tags()
	if d.bad {
		return nil, errProducers
	}
	return all, nil
}

// producers asks a leader about a producer ID. It returns UnsupportedVersion if the
// broker does not have the API.
func (c cluster) producers(ctx context.Context, node int32, producerID int64, partitions []topicPartition) (producersAnswer, error) {
	if err := c.supports(ctx, node, describeProducers); err != nil {
		return nil, err
	}
	m := producersRequest{partitions}
	answer, err := c.ToBroker(ctx, node, kafkawire.Request{Message: m, Limit: coordinatorLimit, Write: m.write,
		Read: func(_ int16, body []byte) (protocol.Message, error) { return parseProducers(body, producerID) }})
	if err != nil {
		return nil, err
	}
	return answer.Message.(producersAnswer), nil
}

// supports returns UnsupportedVersion if a broker lacks version 0 of an API.
func (c cluster) supports(ctx context.Context, node int32, key protocol.ApiKey) error {
	res, err := c.exchange(ctx, node, coordinatorLimit, &apiversions.Request{})
	if err != nil {
		return err
	}
	for _, k := range res.(*apiversions.Response).ApiKeys {
		if k.ApiKey == int16(key) && k.MinVersion == 0 {
			return nil
		}
	}
	return kafka.UnsupportedVersion
}
