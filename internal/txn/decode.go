package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
)

// decoder reads Kafka's numbers from bytes. After the first read beyond the end it is
// bad and returns zeros.
type decoder struct {
	b   []byte
	bad bool
}

// bytes returns the next n bytes, or nil for a negative n, which is null.
func (d *decoder) bytes(n int) []byte {
	if n < 0 {
		return nil
	}
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) int16() int16 {
	if p := d.bytes(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if p := d.bytes(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if p := d.bytes(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 || d.bad {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// length reads a varint that counts bytes or items still to come.
func (d *decoder) length() int {
	n := d.varint()
	if n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(max(n, -1))
}

// count reads the length of an array; null counts as 0.
func (d *decoder) count() int {
	n := int(d.int32())
	if n > len(d.b) {
		d.bad, d.b = true, nil
	}
	if d.bad {
		return 0
	}
	return max(n, 0)
}

// compactCount reads the length of a compact array or string; null counts as 0.
func (d *decoder) compactCount() int { return max(int(d.uvarint())-1, 0) }

// tags skips tagged fields.
func (d *decoder) tags() {
	for range d.uvarint() {
		d.uvarint()               // tag
		d.bytes(int(d.uvarint())) // its value
	}
}

// uvarint reads a number that counts bytes or items, or is a tag.
func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || d.bad || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

var errCorrupt = errors.New("record batch is corrupt")

// rawBatch is a record batch whose records are still encoded.
type rawBatch struct {
	baseOffset     int64
	lastOffset     int64
	attributes     uint16
	firstTimestamp int64
	maxTimestamp   int64
	producerID     int64
	count          int32
	records        []byte
}

// nextBatch cuts the first batch off b. It returns nil if b is empty or holds only a
// part of a batch, as at the end of a broker's answer.
func nextBatch(b []byte) (*rawBatch, []byte, error) {
	if len(b) < headSize {
		return nil, nil, nil
	}
	if magic := b[atMagic]; magic != 2 {
		return nil, nil, fmt.Errorf("record batch of version %d, from before Kafka 0.11, holds no transactions", magic)
	}
	size := int64(atLeaderEpoch) + int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	if size < headSize {
		return nil, nil, errCorrupt
	}
	if size > int64(len(b)) {
		return nil, nil, nil
	}
	head, rest := b[:size:size], b[size:]
	if crc32.Checksum(head[atAttributes:], castagnoli) != binary.BigEndian.Uint32(head[atCRC:]) {
		return nil, nil, errCorrupt
	}
	base := int64(binary.BigEndian.Uint64(head))
	return &rawBatch{
		baseOffset:     base,
		lastOffset:     base + int64(binary.BigEndian.Uint32(head[atLastOffsetDelta:])),
		attributes:     binary.BigEndian.Uint16(head[atAttributes:]),
		firstTimestamp: int64(binary.BigEndian.Uint64(head[atFirstTimestamp:])),
		maxTimestamp:   int64(binary.BigEndian.Uint64(head[atMaxTimestamp:])),
		producerID:     int64(binary.BigEndian.Uint64(head[atProducerID:])),
		count:          int32(binary.BigEndian.Uint32(head[atRecordCount:])),
		records:        head[headSize:],
	}, rest, nil
}

// intake receives committed records.
type intake struct {
	deliver func(Record) error
	// wanted, if any, selects records by their keys; the others of a compressed batch
	// are not kept.
	wanted func(key []byte) bool
	// unread, if any, is called for records that are too large to read; with a nil key,
	// for the rest of a batch, whose keys are unknown.
	unread func(offset int64, key []byte, err error)
	unpacker
}

// each decodes the records with from <= offset < end, in order. Keys and values of a
// batch that is not compressed share its memory.
func (b *rawBatch) each(from, end int64, in *intake) error {
	c := kafka.Compression(b.attributes & attributeCodec)
	if c != 0 {
		return b.eachPacked(c, from, end, in)
	}
	d := decoder{b: b.records}
	for range b.count {
		record := decoder{b: d.bytes(d.length())}
		r := b.head(&record)
		if d.bad || record.bad {
			return errCorrupt
		}
		if r.Offset < from || r.Offset >= end || in.wanted != nil && !in.wanted(r.Key) {
			continue
		}
		if err := in.pass(r, &record); err != nil {
			return err
		}
	}
	return nil
}

// head decodes a record up to its key.
func (b *rawBatch) head(record *decoder) Record {
	const appendTime = 0x08 // the topic uses the broker's clock, one time for the whole batch
	record.bytes(1)         // attributes, unused by Kafka
	at := b.firstTimestamp + record.varint()
	if b.attributes&appendTime != 0 {
		at = b.maxTimestamp
	}
	r := Record{Offset: b.baseOffset + record.varint(), Time: time.UnixMilli(at)}
	r.Key = record.bytes(record.length())
	return r
}

// pass decodes the rest of a record and delivers it.
func (in *intake) pass(r Record, record *decoder) error {
	r.Value = record.bytes(record.length())
	n := record.length()
	if n > maxHeaders && !record.bad {
		in.skipped(r.Offset, r.Key, fmt.Errorf("%w: a record with %d headers", errBound, n))
		return nil
	}
	if n > 0 {
		r.Headers = make([]Header, n)
		for i := range r.Headers {
			r.Headers[i] = Header{Key: string(record.bytes(record.length())), Value: record.bytes(record.length())}
		}
	}
	if record.bad {
		return errCorrupt
	}
	return in.deliver(r)
}

func (in *intake) skipped(offset int64, key []byte, err error) {
	if in.unread != nil {
		in.unread(offset, key, err)
	}
}

// eachPacked is each for a compressed batch.
func (b *rawBatch) eachPacked(c kafka.Compression, from, end int64, in *intake) error {
	next := b.baseOffset
	done, err := in.open(c, b.records)
	if err != nil {
		return fmt.Errorf("decompress record batch (%v): %w", c, err)
	}
	defer done()
	for i := range b.count {
		var r Record
		whole, more, err := in.record(i == b.count-1, func(head *decoder) bool {
			r = b.head(head)
			return r.Offset >= from && r.Offset < end && (in.wanted == nil || in.wanted(r.Key))
		})
		switch {
		case errors.Is(err, errBound) && more:
			in.skipped(r.Offset, r.Key, err)
		case errors.Is(err, errBound):
			in.skipped(next, nil, err)
			return nil
		case err != nil:
			return fmt.Errorf("decompress record batch (%v): %w", c, err)
		case whole != nil:
			record := decoder{b: whole}
			if err := in.pass(b.head(&record), &record); err != nil {
				return err
			}
		}
		next = max(next, r.Offset+1)
	}
	return nil
}

// abortMarker reports whether a control batch aborts a transaction.
func (b *rawBatch) abortMarker() (bool, error) {
	abort := false
	err := b.each(math.MinInt64, math.MaxInt64, &intake{deliver: func(r Record) error {
		if len(r.Key) < 4 {
			return errCorrupt
		}
		abort = abort || binary.BigEndian.Uint16(r.Key[2:]) == 0
		return nil
	}})
	return abort, err
}

// committed delivers the committed records of an answer with from <= offset < end, in
// order, and returns the offset to fetch next. It delivers no record of an aborted
// transaction and no control record.
//
// The broker lists the transactions aborted within the answer by first offset. From
// there on all records of that producer are void, up to its abort marker.
func (f fetched) committed(from, end int64, in *intake) (next int64, err error) {
	aborted := append([]abortedTransaction(nil), f.aborted...)
	sort.Slice(aborted, func(i, j int) bool { return aborted[i].firstOffset < aborted[j].firstOffset })
	void := make(map[int64]bool)
	next = from
	for rest := f.batches; ; {
		var b *rawBatch
		if b, rest, err = nextBatch(rest); err != nil || b == nil || b.baseOffset >= end {
			return next, err
		}
		for len(aborted) > 0 && aborted[0].firstOffset <= b.lastOffset {
			void[aborted[0].producerID] = true
			aborted = aborted[1:]
		}
		switch {
		case b.attributes&attributeControl != 0:
			abort, err := b.abortMarker()
			if err != nil {
				return next, err
			}
			if abort {
				delete(void, b.producerID)
			}
		case b.attributes&attributeTransactional != 0 && void[b.producerID]:
		default:
			if err := b.each(from, end, in); err != nil {
				return next, err
			}
		}
		next = max(next, b.lastOffset+1)
	}
}
