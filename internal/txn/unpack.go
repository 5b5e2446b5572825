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

// A broker bounds only the compressed size of a batch (max.message.bytes): 82 KB of it
// can hold gigabytes of records. So records are decompressed one by one, unwanted ones
// are skipped without keeping them, and the bounds below apply. Our own batches are far
// below them: a Writer closes a batch at MaxBatchBytes, 900 KiB, before compression.
const (
	// maxPlain bounds the bytes decompressed of one batch, a second or two of work.
	maxPlain = 1 << 30
	// maxRecord bounds a compressed record that is kept.
	maxRecord = 16 << 20
	// maxBlock bounds one decompressed block. Clients without snappy framing, such as
	// librdkafka, put a whole batch into one block.
	maxBlock = 64 << 20
	// A zstd frame declares how far it refers back, and the decoder keeps that much.
	// Encoders declare 8 MiB at most up to level 19, and up to 128 MiB above it, also
	// for a batch of a few bytes. A batch with such a window may unpack to mostRecord.
	maxWindow   = 8 << 20
	widerWindow = 128 << 20
	// maxKey bounds the part of a record that is read to find its key; ours are below
	// 500 bytes or so.
	maxKey = 16 << 10
	// maxHeaders bounds the headers of a record; ours have two.
	maxHeaders = 1 << 12
)

// errBound marks every refusal to read more of a batch.
var errBound = errors.New("over the read limit")

// unpacker decompresses batches, one at a time.
type unpacker struct {
	zstd    *zstd.Decoder
	in      *bufio.Reader
	limited io.LimitedReader
	bound   int64 // initial value of limited.N
	snappy  snappyReader
	head    []byte // scratch buffer for keys
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
		u.zstd = nil
	}
}

// open starts decompressing the records of a batch.
func (u *unpacker) open(c kafka.Compression, packed []byte) (done func(), err error) {
	if u.in == nil {
		u.in = bufio.NewReaderSize(nil, 32<<10)
		u.head = make([]byte, maxKey)
	}
	done = func() {}
	u.bound = maxPlain
	switch c {
	case kafka.Snappy:
		u.snappy.reset(packed)
		u.limited.R = &u.snappy
	case kafka.Zstd:
		var header zstd.Header
		if header.Decode(packed) == nil && header.WindowSize > maxWindow {
			wide, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(widerWindow))
			if err != nil {
				return nil, err
			}
			u.limited.R, u.bound = wide, maxRecord
			done = wide.Close
			break
		}
		if u.zstd == nil {
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
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
			return nil, fmt.Errorf("codec %d is not supported", c)
		}
		r := codec.NewReader(bytes.NewReader(packed))
		u.limited.R = r
		done = func() { r.Close() }
	}
	u.limited.N = u.bound
	u.in.Reset(&u.limited)
	return done, nil
}

// left returns how many bytes may still be read.
func (u *unpacker) left() int64 { return u.limited.N + int64(u.in.Buffered()) }

// fault translates a read error.
func (u *unpacker) fault(err error) error {
	switch {
	case u.limited.N <= 0:
		return fmt.Errorf("%w: more than %d bytes of records in a batch", errBound, u.bound)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("%w: %w", errBound, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errCorrupt // fewer records than the batch declares
	}
	return err
}

// record reads one record. wanted sees the key before the rest is read and reports
// whether to keep the record; whole is nil if not. With an error that is errBound the
// record is skipped, and more reports whether reading may continue.
func (u *unpacker) record(last bool, wanted func(head *decoder) bool) (whole []byte, more bool, err error) {
	n, err := binary.ReadVarint(u.in)
	if err != nil {
		return nil, false, u.fault(err)
	}
	if n < 0 {
		return nil, false, errCorrupt
	}
	head := u.head[:min(n, maxKey)]
	if _, err := io.ReadFull(u.in, head); err != nil {
		return nil, false, u.fault(err)
	}
	rest := n - int64(len(head))
	peek := decoder{b: head}
	keep := wanted(&peek)
	if peek.bad && rest == 0 {
		return nil, false, errCorrupt
	}
	if peek.bad { // the key is longer than any of ours
		keep = false
	}
	if keep && n > maxRecord {
		keep, err = false, fmt.Errorf("%w: a record of %d bytes, the limit is %d", errBound, n, maxRecord)
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
		return nil, true, err // the rest of the batch is not needed
	case rest > u.left():
		u.limited.N = 0
		return nil, false, errors.Join(err, u.fault(nil))
	}
	if _, failed := u.in.Discard(int(rest)); failed != nil {
		return nil, false, errors.Join(err, u.fault(failed))
	}
	return nil, true, err
}

// snappyReader reads snappy data, framed as by Java's xerial library or in one block.
// kafka-go's reader trusts any length in the data.
type snappyReader struct {
	packed []byte
	framed bool
	plain  []byte
	off    int
}

var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHead = 16 // includes two version numbers

func (r *snappyReader) reset(packed []byte) {
	if cap(r.plain) > maxRecord {
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
		case err != nil || n > 64+22*len(block): // 3 bytes copy at most 64
			return 0, errCorrupt
		case n > maxBlock:
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
