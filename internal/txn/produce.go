package txn

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// produceRequest is a Produce request with at most one batch of each partition. It is
// written by hand: kafka-go copies all records before it sends the first byte, which
// doubles the memory of a transaction.
type produceRequest struct {
	transactionalID string
	timeout         time.Duration // for the followers
	topics          []producedTopic
	index           map[string]int // of topics, by name
	size            int            // of all batches, with their sizes in front
}

type producedTopic struct {
	name       string
	partitions []int32
	batches    []*sealed
}

func (*produceRequest) ApiKey() protocol.ApiKey { return protocol.Produce }

func (m *produceRequest) add(p topicPartition, b *sealed) {
	i, ok := m.index[p.topic]
	if !ok {
		i = len(m.topics)
		m.index[p.topic] = i
		m.topics = append(m.topics, producedTopic{name: p.topic})
	}
	t := &m.topics[i]
	t.partitions = append(t.partitions, p.partition)
	t.batches = append(t.batches, b)
	m.size += b.size()
}

const (
	// Produce requests of versions 3 to 8 are all the same, but for the range of errors
	// that the client knows.
	leastProduce, mostProduce = 3, 8
	requireAll                = -1 // acks of every replica in sync
	// writeBuffer makes one packet of a small request.
	writeBuffer = 16 << 10
)

func (m *produceRequest) write(w io.Writer, version int16, correlation int32, clientID string) error {
	if version < leastProduce || version > mostProduce {
		return kafka.UnsupportedVersion
	}
	head := make([]byte, 4, 256)
	head = binary.BigEndian.AppendUint16(head, uint16(protocol.Produce))
	head = binary.BigEndian.AppendUint16(head, uint16(version))
	head = binary.BigEndian.AppendUint32(head, uint32(correlation))
	head = appendString(head, clientID)
	head = appendString(head, m.transactionalID)
	head = binary.BigEndian.AppendUint16(head, requireAll&math.MaxUint16)
	head = binary.BigEndian.AppendUint32(head, uint32(m.timeout.Milliseconds()))
	head = binary.BigEndian.AppendUint32(head, uint32(len(m.topics)))
	size := len(head) - 4 + m.size
	for _, t := range m.topics {
		size += 2 + len(t.name) + 4 + 4*len(t.partitions)
	}
	binary.BigEndian.PutUint32(head, uint32(size))

	out := bufio.NewWriterSize(w, writeBuffer) // Flush returns the first error
	_, _ = out.Write(head)
	for _, t := range m.topics {
		head = appendString(head[:0], t.name)
		head = binary.BigEndian.AppendUint32(head, uint32(len(t.partitions)))
		_, _ = out.Write(head)
		for i, p := range t.partitions {
			_, _ = out.Write(binary.BigEndian.AppendUint32(head[:0], uint32(p)))
			t.batches[i].writeTo(out)
		}
	}
	return out.Flush()
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}
