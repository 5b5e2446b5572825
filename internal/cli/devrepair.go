package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// recovery describes the files of a broker at its start.
type recovery struct {
	// records counts the committed records of each topic.
	records map[string]int64
	// ended are the transactions that a killed broker left open, and whether
	// they were committed.
	ended map[transaction]bool
}

// orders counts the committed records of the topics.
func (r recovery) orders(topics []string) (sum int64) {
	for _, t := range topics {
		sum += r.records[t]
	}
	return sum
}

// recoverPartitions reads the partitions of a broker, and ends every transaction
// that a killed broker left open: it commits the one being committed, and aborts
// the others. It cuts off an incomplete last batch.
//
// A partition is a folder TOPIC-N with two files: 0.dat has record batches as on
// the wire, 0.idx an entry of 15 bytes for each of them.
func recoverPartitions(dir string, killed bool, committing transaction) (recovery, error) {
	r := recovery{records: map[string]int64{}, ended: map[transaction]bool{}}
	partitions, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil // nothing has been written yet
	}
	for _, p := range partitions {
		if err != nil {
			break
		}
		topic := p.Name()[:max(0, strings.LastIndexByte(p.Name(), '-'))]
		err = r.partition(topic, filepath.Join(dir, p.Name()), killed, committing)
	}
	if err != nil {
		return r, fmt.Errorf("read Kafka's data: %w", err)
	}
	return r, nil
}

func (r recovery) partition(topic, dir string, killed bool, committing transaction) error {
	path := filepath.Join(dir, "0.dat")
	batches, whole, err := readBatches(path)
	if err != nil {
		return err
	}
	open, records := map[int64]transaction{}, map[int64]int64{} // by producer ID
	for _, b := range batches {
		switch {
		case b.Attributes&isControl != 0:
			if commits(b) {
				r.records[topic] += records[b.ProducerID]
			}
			delete(open, b.ProducerID)
			delete(records, b.ProducerID)
		case b.Attributes&isTransactional != 0:
			open[b.ProducerID] = transaction{b.ProducerID, b.ProducerEpoch}
			records[b.ProducerID] += int64(b.NumRecords)
		default:
			r.records[topic] += int64(b.NumRecords)
		}
	}
	if !killed {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(whole); err != nil {
		return err
	}
	for id, t := range open {
		r.ended[t] = t == committing
		if r.ended[t] {
			r.records[topic] += records[id]
		}
		marker := endMarker(t, r.ended[t], batches[len(batches)-1])
		batches = append(batches, marker)
		n, err := file.WriteAt(marker.AppendTo(nil), whole)
		if err != nil {
			return err
		}
		whole += int64(n)
	}
	return os.WriteFile(filepath.Join(dir, "0.idx"), index(batches), 0o644)
}

// Attributes of a record batch, and byte offsets in it.
const (
	isTransactional = 0x10
	isControl       = 0x20

	lengthAt = 8
	crcAt    = 17
	bodyAt   = 21 // the checksum covers the rest from here
)

// readBatches returns the batches of a partition and their length in bytes. It
// leaves out an incomplete last batch.
func readBatches(path string) (batches []kmsg.RecordBatch, whole int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	for len(data) > bodyAt {
		size := int64(binary.BigEndian.Uint32(data[lengthAt:])) + lengthAt + 4
		if size > int64(len(data)) {
			break
		}
		var b kmsg.RecordBatch
		if size <= bodyAt || checksum(data[bodyAt:size]) != binary.BigEndian.Uint32(data[crcAt:]) || b.ReadFrom(data[:size]) != nil {
			return nil, 0, fmt.Errorf("%s is damaged at byte %d; start again with --fresh", path, whole)
		}
		batches, data, whole = append(batches, b), data[size:], whole+size
	}
	return batches, whole, nil
}

// index returns the entries of batches: version, checksum, leader epoch, a time
// that no reader uses, and whether the batch is part of a transaction.
func index(batches []kmsg.RecordBatch) (all []byte) {
	for _, b := range batches {
		var entry [15]byte
		entry[0] = 1
		binary.LittleEndian.PutUint32(entry[2:], uint32(b.PartitionLeaderEpoch))
		if b.Attributes&(isTransactional|isControl) == isTransactional {
			entry[14] = 1
		}
		entry[1] = byte(checksum(entry[2:]))
		all = append(all, entry[:]...)
	}
	return all
}

// commits reports whether a control batch is a commit marker.
func commits(b kmsg.RecordBatch) bool {
	var record kmsg.Record
	var key kmsg.ControlRecordKey
	return record.ReadFrom(b.Records) == nil && key.ReadFrom(record.Key) == nil && key.Type == kmsg.ControlRecordKeyTypeCommit
}

// endMarker returns the control batch that ends a transaction, for the offset
// after the last batch of its partition.
func endMarker(t transaction, commit bool, last kmsg.RecordBatch) kmsg.RecordBatch {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	var value kmsg.EndTxnMarker
	record := kmsg.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)}
	record.Length = int32(len(record.AppendTo(nil)) - 1) // excludes the length field, a varint of one byte
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		FirstOffset: last.FirstOffset + int64(last.LastOffsetDelta) + 1, PartitionLeaderEpoch: last.PartitionLeaderEpoch, Magic: 2,
		Attributes: isTransactional | isControl, FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: t.producerID, ProducerEpoch: t.epoch, FirstSequence: -1,
		NumRecords: 1, Records: record.AppendTo(nil),
	}
	b.Length = int32(len(b.AppendTo(nil)) - lengthAt - 4)
	b.CRC = int32(checksum(b.AppendTo(nil)[bodyAt:]))
	return b
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
