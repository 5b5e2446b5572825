package txn

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// TestProduceIsByteForByteKafkaGos also covers batches larger than the buffer, and topics
// that take turns.
func TestProduceIsByteForByteKafkaGos(t *testing.T) {
	for version := int16(leastProduce); version <= mostProduce; version++ {
		ours := produceRequest{transactionalID: "group-7", timeout: 8 * time.Second, index: make(map[string]int)}
		theirs := rawproduce.Request{TransactionalID: "group-7", Acks: requireAll, Timeout: 8000,
			Topics: []rawproduce.RequestTopic{{Topic: "orders"}, {Topic: "offsets"}}}
		for i, n := range []int{1, 400, 3, 50} {
			b := encode(t, someRecords(n, uint64(n)))
			batch := b.seal(stamp{producerID: 5, epoch: 3, sequence: int32(n)})
			topic := &theirs.Topics[i%2]
			ours.add(topicPartition{topic.Topic, int32(i)}, batch)
			topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{Partition: int32(i),
				RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(wire(t, b, stamp{producerID: 5, epoch: 3, sequence: int32(n)}))}})
		}
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			var got, want bytes.Buffer
			if err := ours.write(&got, version, 9, "a client"); err != nil {
				t.Fatal(err)
			}
			if err := protocol.WriteRequest(&want, version, 9, "a client", &theirs); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("requests of %d and %d bytes differ", got.Len(), want.Len())
			}
		})
	}
}

func TestProduceNeedsAVersionWithTransactions(t *testing.T) {
	for _, version := range []int16{leastProduce - 1, mostProduce + 1} {
		var m produceRequest
		var sent bytes.Buffer
		if err := m.write(&sent, version, 1, ""); err == nil || sent.Len() > 0 {
			t.Errorf("version %d: %d bytes are sent, %v", version, sent.Len(), err)
		}
	}
}
