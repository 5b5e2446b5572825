package txn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/segmentio/kafka-go"
)

// The head of a record batch, as Kafka writes it since 0.11 (version 2). All
// numbers are big endian; offsets count from the start of the batch.
const (
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17 // CRC-32C of everything from atAttributes on
	atAttributes      = 21
	atLastOffsetDelta = 23
	atFirstTimestamp  = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atRecordCount     = 57
	headSize          = 61

	attributeCodec         = 0x07
	attributeTransactional = 0x10
	attributeControl       = 0x20
)

// castagnoli is read-only; the variable saves the lookup at each use.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is one record batch of one partition. Records are encoded when they are
// appended, the head when the batch is sent, since producer ID, epoch and sequence may
// have changed by then.
type batch struct {
	topic     string
	partition int32
	round     int // how many batches of the partition precede it
	count     int32
	first     int64 // timestamp in milliseconds
	max       int64
	records   []byte
	packed    []byte // the compressed records, if compression is on
	codec     kafka.Compression

	acknowledged bool // by its leader, in the current transaction
}

// appendRecord encodes a record after the existing ones.
func (b *batch) appendRecord(at int64, key, value []byte, headers []Header) {
	if b.count == 0 {
		b.first, b.max = at, at
	}
	b.max = max(b.max, at)
	delta, offset := at-b.first, int64(b.count)

	p := b.records
	p = binary.AppendVarint(p, int64(bodySize(delta, offset, key, value, headers)))
	p = append(p, 0) // attributes, unused by Kafka
	p = binary.AppendVarint(p, delta)
	p = binary.AppendVarint(p, offset)
	p = appendBytes(p, key)
	p = appendBytes(p, value)
	p = binary.AppendVarint(p, int64(len(headers)))
	for i := range headers {
		p = binary.AppendVarint(p, int64(len(headers[i].Key)))
		p = append(p, headers[i].Key...)
		p = appendBytes(p, headers[i].Value)
	}
	b.records = p
	b.count++
}

// recordSize bounds the bytes that appendRecord adds.
func recordSize(key, value []byte, headers []Header) int {
	const lengths = 3 * binary.MaxVarintLen32 // of the record, and its two deltas
	return lengths + binary.MaxVarintLen64 + bodySize(0, 0, key, value, headers)
}

func bodySize(delta, offset int64, key, value []byte, headers []Header) int {
	n := 1 + varintSize(delta) + varintSize(offset) + bytesSize(key) + bytesSize(value) + varintSize(int64(len(headers)))
	for i := range headers {
		n += varintSize(int64(len(headers[i].Key))) + len(headers[i].Key) + bytesSize(headers[i].Value)
	}
	return n
}

func varintSize(v int64) int {
	zigzag := uint64(v<<1) ^ uint64(v>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func appendBytes(p, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(p, -1)
	}
	p = binary.AppendVarint(p, int64(len(b)))
	return append(p, b...)
}

// pack compresses the records into buf.
func (b *batch) pack(c kafka.Compression, buf []byte) error {
	codec := c.Codec()
	if codec == nil {
		return fmt.Errorf("compress: no codec %d", c)
	}
	out := bytes.NewBuffer(buf[:0])
	w := codec.NewWriter(out)
	if _, err := w.Write(b.records); err != nil {
		w.Close()
		return fmt.Errorf("compress with %v: %w", c, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress with %v: %w", c, err)
	}
	b.packed, b.codec = out.Bytes(), c
	return nil
}

// stamp is what a batch carries of its producer.
type stamp struct {
	producerID int64
	epoch      int16
	sequence   int32 // of the batch's first record
}

// seal returns the batch as it is sent by this producer. Each has its own head and only
// reads the records, so that a request that was given up half-way, which kafka-go may
// still be writing, and its repetition do not interfere.
func (b *batch) seal(s stamp) *sealed {
	body := b.records
	if b.packed != nil {
		body = b.packed
	}
	r := &sealed{body: body}
	binary.BigEndian.PutUint32(r.head[:], uint32(headSize+len(body)))
	h := r.head[4:]
	binary.BigEndian.PutUint32(h[atLength:], uint32(headSize+len(body)-atLeaderEpoch))
	binary.BigEndian.PutUint32(h[atLeaderEpoch:], 0xffffffff)
	h[atMagic] = 2
	binary.BigEndian.PutUint16(h[atAttributes:], attributeTransactional|uint16(b.codec))
	binary.BigEndian.PutUint32(h[atLastOffsetDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(h[atFirstTimestamp:], uint64(b.first))
	binary.BigEndian.PutUint64(h[atMaxTimestamp:], uint64(b.max))
	binary.BigEndian.PutUint64(h[atProducerID:], uint64(s.producerID))
	binary.BigEndian.PutUint16(h[atProducerEpoch:], uint16(s.epoch))
	binary.BigEndian.PutUint32(h[atBaseSequence:], uint32(s.sequence))
	binary.BigEndian.PutUint32(h[atRecordCount:], uint32(b.count))
	crc := crc32.Checksum(h[atAttributes:], castagnoli)
	binary.BigEndian.PutUint32(h[atCRC:], crc32.Update(crc, castagnoli, body))
	return r
}

// sealed is a batch with its size in front, as in a Produce request.
type sealed struct {
	head [4 + headSize]byte
	body []byte
}

func (s *sealed) size() int { return len(s.head) + len(s.body) }

// writeTo leaves errors to Flush, which returns the first one.
func (s *sealed) writeTo(w *bufio.Writer) {
	_, _ = w.Write(s.head[:])
	_, _ = w.Write(s.body)
}
