package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// repairPartitions ends every transaction that is open in the files of a
// broker that was killed: it appends the marker that says what committed says.
// A batch or an index entry that was not written to its end is cut off.
//
// A partition is a folder of segments: NNN.dat with record batches as on the
// wire, NNN.idx with an entry of 15 bytes for each of them.
func repairPartitions(dir string, committed func(producerID int64, epoch int16) bool) error {
	partitions, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing has been written yet
	}
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := repairPartition(filepath.Join(dir, p.Name()), committed); err != nil {
			return fmt.Errorf("partition %s: %w", p.Name(), err)
		}
	}
	return nil
}

// Places in a record batch, and its attributes.
const (
	batchLengthAt = 8
	leaderEpochAt = 12
	batchCRCAt    = 17
	attributesAt  = 21
	lastDeltaAt   = 23
	producerIDAt  = 43
	epochAt       = 51
	batchHead     = 61

	isTransactional = 0x10
	isControl       = 0x20
)

// openTransaction is one whose marker is not there.
type openTransaction struct {
	producerID int64
	epoch      int16
}

func repairPartition(dir string, committed func(int64, int16) bool) error {
	bases, err := segments(dir)
	if err != nil || len(bases) == 0 {
		return err
	}
	var open []openTransaction
	var next int64
	var leaderEpoch int32
	for _, base := range bases {
		whole, entries, err := readSegment(dir, base, func(b []byte) {
			next = int64(binary.BigEndian.Uint64(b)) + int64(binary.BigEndian.Uint32(b[lastDeltaAt:])) + 1
			leaderEpoch = int32(binary.BigEndian.Uint32(b[leaderEpochAt:]))
			tx := openTransaction{int64(binary.BigEndian.Uint64(b[producerIDAt:])), int16(binary.BigEndian.Uint16(b[epochAt:]))}
			switch attributes := binary.BigEndian.Uint16(b[attributesAt:]); {
			case attributes&isControl != 0:
				open = slices.DeleteFunc(open, func(o openTransaction) bool { return o.producerID == tx.producerID })
			case attributes&isTransactional != 0 && !slices.Contains(open, tx):
				open = append(open, tx)
			}
		})
		if err != nil {
			return err
		}
		if err := mend(segmentFile(dir, base, "dat"), whole, nil); err != nil {
			return err
		}
		if err := mendIndex(dir, base, entries); err != nil {
			return err
		}
	}
	last := bases[len(bases)-1]
	for _, tx := range open {
		marker := endMarker(tx, committed(tx.producerID, tx.epoch), next, leaderEpoch)
		if err := mend(segmentFile(dir, last, "dat"), -1, marker); err != nil {
			return err
		}
		if err := mend(segmentFile(dir, last, "idx"), -1, indexEntry(marker)); err != nil {
			return err
		}
		next++
	}
	return nil
}

func segmentFile(dir string, base int64, kind string) string {
	return filepath.Join(dir, fmt.Sprintf("%d.%s", base, kind))
}

// segments are the first offsets of a partition's segments, in order.
func segments(dir string) ([]int64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, f := range files {
		name, isData := strings.CutSuffix(f.Name(), ".dat")
		if base, err := strconv.ParseInt(name, 10, 64); isData && err == nil {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// readSegment visits the whole batches of a segment. It returns how many bytes
// they are and the index entries they should have.
func readSegment(dir string, base int64, visit func(batch []byte)) (whole int64, entries []byte, err error) {
	data, err := os.ReadFile(segmentFile(dir, base, "dat"))
	if err != nil {
		return 0, nil, err
	}
	for rest := data; len(rest) >= batchHead; rest = data[whole:] {
		size := batchLengthAt + 4 + int64(binary.BigEndian.Uint32(rest[batchLengthAt:]))
		if size < batchHead || size > int64(len(rest)) {
			break
		}
		batch := rest[:size]
		if crc32.Checksum(batch[attributesAt:], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(batch[batchCRCAt:]) {
			break
		}
		visit(batch)
		entries = append(entries, indexEntry(batch)...)
		whole += size
	}
	return whole, entries, nil
}

// mendIndex completes the index of a segment, or cuts off what is too much. The
// entries that are there stay.
func mendIndex(dir string, base int64, entries []byte) error {
	path := segmentFile(dir, base, "idx")
	info, err := os.Stat(path)
	have := 0
	switch {
	case err == nil:
		have = min(int(info.Size())/indexEntrySize*indexEntrySize, len(entries))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return mend(path, int64(have), entries[have:])
}

// mend cuts a file to a size, unless that is negative, and appends to it.
func mend(path string, size int64, more []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if size >= 0 {
		if err := file.Truncate(size); err != nil {
			return err
		}
	}
	if _, err := file.Write(more); err != nil {
		return err
	}
	return file.Sync()
}

const indexEntrySize = 15

// indexEntry describes a batch: version, checksum, leader epoch, a time that is
// not used when the entry is read, and whether the batch is part of a
// transaction.
func indexEntry(batch []byte) []byte {
	e := make([]byte, indexEntrySize)
	e[0] = 1
	binary.LittleEndian.PutUint32(e[2:], binary.BigEndian.Uint32(batch[leaderEpochAt:]))
	if attributes := binary.BigEndian.Uint16(batch[attributesAt:]); attributes&isTransactional != 0 && attributes&isControl == 0 {
		e[14] = 1
	}
	e[1] = byte(crc32.Checksum(e[2:], crc32.MakeTable(crc32.Castagnoli)))
	return e
}

// endMarker is the control batch that ends a transaction.
func endMarker(tx openTransaction, commit bool, offset int64, leaderEpoch int32) []byte {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	var value kmsg.EndTxnMarker
	record := kmsg.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)}
	record.Length = int32(len(record.AppendTo(nil)) - 1) // without the length itself, a varint of one byte
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		FirstOffset: offset, PartitionLeaderEpoch: leaderEpoch, Magic: 2,
		Attributes: isTransactional | isControl, FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: tx.producerID, ProducerEpoch: tx.epoch, FirstSequence: -1,
		NumRecords: 1, Records: record.AppendTo(nil),
	}
	bytes := b.AppendTo(nil)
	binary.BigEndian.PutUint32(bytes[batchLengthAt:], uint32(len(bytes)-batchLengthAt-4))
	binary.BigEndian.PutUint32(bytes[batchCRCAt:], crc32.Checksum(bytes[attributesAt:], crc32.MakeTable(crc32.Castagnoli)))
	return bytes
}
