package txn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
)

// describeProducers is an API that kafka-go does not know: who writes to a
// partition, and what he has open there. Brokers have it since Kafka 2.8.
const describeProducers = protocol.ApiKey(61)

// producing is what a leader says of one producer ID on one partition.
type producing struct {
	code     kafka.Error // why it says nothing
	epoch    int16       // of the last batch
	sequence int32       // of the last record
	open     bool        // a transaction is
}

// producersMessage is a DescribeProducers request, version 0, for one producer
// ID: of all that the leader tells the answer keeps that one's part.
type producersMessage struct {
	node       int32
	clientID   string
	producerID int64
	partitions []topicPartition
}

type producersAnswer map[topicPartition]producing

func (*producersMessage) ApiKey() protocol.ApiKey { return describeProducers }
func (producersAnswer) ApiKey() protocol.ApiKey   { return describeProducers }

func (m *producersMessage) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.node}, nil
}

func (*producersMessage) Required(map[protocol.ApiKey]int16) bool { return true }

func (m *producersMessage) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	b := make([]byte, 4, 256) // the size comes last
	b = binary.BigEndian.AppendUint16(b, uint16(describeProducers))
	b = binary.BigEndian.AppendUint16(b, 0) // version
	b = binary.BigEndian.AppendUint32(b, correlation)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.clientID)))
	b = append(b, m.clientID...)
	b = append(b, 0) // tagged fields
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
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	body, err := readAnswer(rw)
	if err != nil {
		return nil, err
	}
	return parseProducers(body, m.producerID)
}

// readAnswer reads an answer's bytes, which its size goes before.
func readAnswer(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return body, err
}

var errProducers = errors.New("DescribeProducers answer cannot be understood")

// parseProducers reads what an answer says of a producer ID.
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
					said.epoch, said.sequence, said.open = int16(epoch), sequence, start >= 0
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

// producers asks a leader about a producer ID. A broker that cannot tell gives
// UnsupportedVersion.
func (c cluster) producers(ctx context.Context, node int32, producerID int64, partitions []topicPartition) (producersAnswer, error) {
	res, err := c.exchange(ctx, node, coordinatorLimit, &apiversions.Request{})
	if err != nil {
		return nil, err
	}
	knows := false
	for _, k := range res.(*apiversions.Response).ApiKeys {
		knows = knows || k.ApiKey == int16(describeProducers) && k.MinVersion == 0
	}
	if !knows {
		return nil, kafka.UnsupportedVersion
	}
	ctx, cancel := context.WithTimeout(ctx, coordinatorLimit)
	defer cancel()
	res, err = c.transport.RoundTrip(ctx, c.addr, &producersMessage{node, c.transport.ClientID, producerID, partitions})
	if err != nil {
		return nil, err
	}
	return res.(producersAnswer), nil
}
