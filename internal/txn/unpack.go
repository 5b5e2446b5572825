package txn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
)

// A broker bounds the compressed size of a batch (max.message.bytes) and nothing
// else: 82 KB of it can be gigabytes of records. So records are decompressed one
// after the other and skipped without being kept unless they are wanted, within
// bounds that none of our own comes near: a Writer closes a batch at
// MaxBatchBytes, 900 KiB, before it compresses.
const (
	// mostPlain is how many bytes of a batch are decompressed; that takes a second
	// or two.
	mostPlain = 1 << 30
	// mostRecord bounds a compressed record that is kept.
	mostRecord = 16 << 20
	// mostBlock bounds what is decompressed at once. Clients that know no framing
	// for snappy, such as librdkafka, put a whole batch into one block.
	mostBlock = 64 << 20
	// A zstd frame says how far it refers back, and the reader keeps that much.
	// Writers say 8 MiB at most, unless the level is above 19: then up to 128 MiB,
	// also for a batch of a few bytes. Such a batch may unpack to mostRecord.
	mostWindow  = 8 << 20
	widerWindow = 128 << 20
	// mostKey is how much of a record is read to find its key; ours have some 500
	// bytes at most.
	mostKey = 16 << 10
	// mostHeaders bounds the headers of a record; ours have two.
	mostHeaders = 1 << 12
)

// errBound is what is behind every refusal to read more of a batch.
var errBound = errors.New("it exceeds what is read")

// unpacker decompresses batches, one after the other.
type unpacker struct {
	zstd    *zstd.Decoder
	in      *bufio.Reader
	limited io.LimitedReader
	bound   int64 // what limited began with
	snappy  snappyReader
	head    []byte // scratch for keys
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
		u.zstd = nil
	}
}

// open begins with the records of a batch.
func (u *unpacker) open(c kafka.Compression, packed []byte) (done func(), err error) {
	if u.in == nil {
		u.in = bufio.NewReaderSize(nil, 32<<10)
		u.head = make([]byte, mostKey)
	}
	done = func() {}
	u.bound = mostPlain
	switch c {
	case kafka.Snappy:
		u.snappy.reset(packed)
		u.limited.R = &u.snappy
	case kafka.Zstd:
		var header zstd.Header
		if header.Decode(packed) == nil && header.WindowSize > mostWindow {
			wide, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(widerWindow))
			if err != nil {
				return nil, err
			}
			u.limited.R, u.bound = wide, mostRecord
			done = wide.Close
			break
		}
		if u.zstd == nil {
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(mostWindow)); err != nil {
				return nil, err
			}
		}
		if err := u.zstd.Reset(bytes.NewReader(packed)); err != nil {
			return nil, err
		}
		u.limited.R = u.zstd
	default:
		codec := c.Codec()
		if codec == nil {
			return nil, fmt.Errorf("codec %d, which this client lacks", c)
		}
		r := codec.NewReader(bytes.NewReader(packed))
		u.limited.R = r
		done = func() { r.Close() }
	}
	u.limited.N = u.bound
	u.in.Reset(&u.limited)
	return done, nil
}

// left is how much more may be read.
func (u *unpacker) left() int64 { return u.limited.N + int64(u.in.Buffered()) }

// fault is what an error of reading means.
func (u *unpacker) fault(err error) error {
	switch {
	case u.limited.N <= 0:
		return fmt.Errorf("%w: more than %d bytes of records in a batch", errBound, u.bound)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("%w: %w", errBound, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errCorrupt // fewer records than the batch says
	}
	return err
}

// record reads one record. key is looked at before the rest of it is read, and
// wanted says whether that is kept; whole is nil when it is not. With an error
// that is errBound a record is skipped and reading may go on, if more.
func (u *unpacker) record(last bool, wanted func(head *decoder) bool) (whole []byte, more bool, err error) {
	n, err := binary.ReadVarint(u.in)
	if err != nil {
		return nil, false, u.fault(err)
	}
	if n < 0 {
		return nil, false, errCorrupt
	}
	head := u.head[:min(n, mostKey)]
	if _, err := io.ReadFull(u.in, head); err != nil {
		return nil, false, u.fault(err)
	}
	rest := n - int64(len(head))
	peek := decoder{b: head}
	keep := wanted(&peek)
	if peek.bad && rest == 0 {
		return nil, false, errCorrupt
	}
	if peek.bad { // a key of that length is not ours
		keep = false
	}
	if keep && n > mostRecord {
		keep, err = false, fmt.Errorf("%w: a record of %d bytes, the most is %d", errBound, n, mostRecord)
	}
	switch {
	case keep:
		whole = make([]byte, n)
		copy(whole, head)
		if _, err := io.ReadFull(u.in, whole[len(head):]); err != nil {
			return nil, false, u.fault(err)
		}
		return whole, true, nil
	case last:
		return nil, true, err // whatever follows is nothing to anybody
	case rest > u.left():
		u.limited.N = 0
		return nil, false, errors.Join(err, u.fault(nil))
	}
	if _, failed := u.in.Discard(int(rest)); failed != nil {
		return nil, false, errors.Join(err, u.fault(failed))
	}
	return nil, true, err
}

// snappyReader reads snappy, framed as Java's xerial library has it or in one
// block. kafka-go's believes any length that it is told.
type snappyReader struct {
	packed []byte
	framed bool
	plain  []byte
	off    int
}

var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHead = 16 // with two version numbers

func (r *snappyReader) reset(packed []byte) {
	if cap(r.plain) > mostRecord {
		r.plain = nil
	}
	r.packed, r.plain, r.off = packed, r.plain[:0], 0
	if r.framed = len(packed) >= xerialHead && bytes.HasPrefix(packed, xerial); r.framed {
		r.packed = packed[xerialHead:]
	}
}

func (r *snappyReader) Read(p []byte) (int, error) {
	for r.off == len(r.plain) {
		if len(r.packed) == 0 {
			return 0, io.EOF
		}
		block := r.packed
		if r.framed {
			d := decoder{b: r.packed}
			block = d.bytes(max(0, int(d.int32())))
			if d.bad {
				return 0, errCorrupt
			}
			r.packed = d.b
		} else {
			r.packed = nil
		}
		n, err := snappy.DecodedLen(block)
		switch {
		case err != nil || n > 64+22*len(block): // 3 bytes copy 64 at most
			return 0, errCorrupt
		case n > mostBlock:
			return 0, fmt.Errorf("%w: a block of %d bytes", errBound, n)
		}
		if r.plain, err = snappy.Decode(r.plain[:cap(r.plain)], block); err != nil {
			return 0, errCorrupt
		}
		r.off = 0
	}
	n := copy(p, r.plain[r.off:])
	r.off += n
	return n, nil
}
