package offsets

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// IDs is an exact set of order IDs. Decimal IDs of up to 19 digits, as the API sends
// them, take 8 bytes each if they were packed or added in ascending order, and about 16
// otherwise. Other IDs are kept as text. The zero value is an empty set.
type IDs struct {
	// packed holds sorted distinct numbers; numbers holds the others.
	packed  []uint64
	numbers map[uint64]struct{}
	texts   map[string]struct{}
	// least and most bound all numbers. IDs grow with time, so most IDs that a
	// neighbouring window asks about are outside of them.
	least, most uint64
}

// Add adds id and reports whether it was new.
func (s *IDs) Add(id string) bool {
	if n, ok := number(id); ok {
		return s.add(n)
	}
	before := len(s.texts) // comparing lengths saves a lookup before each insert
	if s.texts == nil {
		s.texts = make(map[string]struct{})
	}
	s.texts[id] = struct{}{}
	return len(s.texts) > before
}

func (s *IDs) add(n uint64) bool {
	switch {
	case len(s.packed)+len(s.numbers) == 0:
		s.least, s.most = n, n
		s.packed = append(s.packed, n)
		return true
	case n > s.most:
		s.most = n
		s.packed = append(s.packed, n)
		return true
	case s.isPacked(n):
		return false
	}
	if s.numbers == nil {
		s.numbers = make(map[uint64]struct{})
	}
	before := len(s.numbers)
	s.numbers[n] = struct{}{}
	s.least = min(s.least, n)
	return len(s.numbers) > before
}

func (s *IDs) isPacked(n uint64) bool {
	if len(s.packed) == 0 || n < s.packed[0] || n > s.packed[len(s.packed)-1] {
		return false
	}
	_, found := slices.BinarySearch(s.packed, n)
	return found
}

// Has reports whether id is in the set.
func (s *IDs) Has(id string) bool {
	if n, ok := number(id); ok {
		if n < s.least || n > s.most {
			return false
		}
		if _, had := s.numbers[n]; had {
			return true
		}
		return s.isPacked(n)
	}
	_, had := s.texts[id]
	return had
}

// Len returns the number of IDs.
func (s *IDs) Len() int { return len(s.packed) + len(s.numbers) + len(s.texts) }

// Pack minimizes the set's memory. Use it for sets that will hardly grow any more.
func (s *IDs) Pack() {
	if len(s.numbers) > 0 {
		all := make([]uint64, 0, len(s.packed)+len(s.numbers))
		all = append(all, s.packed...)
		s.packed = slices.AppendSeq(all, maps.Keys(s.numbers))
		s.numbers = nil
		slices.Sort(s.packed)
	}
	s.clip()
}

// clip frees the room that packed has for more, if that is much.
func (s *IDs) clip() {
	if cap(s.packed)-len(s.packed) > len(s.packed)/8 {
		s.packed = slices.Clone(s.packed)
	}
}

// sortPacked sorts and deduplicates what unpackIDs has appended.
func (s *IDs) sortPacked() {
	if len(s.packed) == 0 {
		return
	}
	slices.Sort(s.packed)
	s.packed = slices.Compact(s.packed)
	s.clip()
	s.least, s.most = s.packed[0], s.packed[len(s.packed)-1]
}

// All yields every ID, in no particular order.
func (s *IDs) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range s.packed {
			if !yield(strconv.FormatUint(n, 10)) {
				return
			}
		}
		for n := range s.numbers {
			if !yield(strconv.FormatUint(n, 10)) {
				return
			}
		}
		for t := range s.texts {
			if !yield(t) {
				return
			}
		}
	}
}

// greatest is the greatest number of 19 digits.
const greatest = 9_999_999_999_999_999_999

// number parses an ID that is its own canonical decimal form, so that text and number
// convert without loss.
func number(id string) (uint64, bool) {
	if len(id) == 0 || len(id) > 19 || id[0] == '0' && len(id) > 1 {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(id); i++ {
		c := id[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// packIDs encodes a list of IDs as base64 of: the count of numbers, the differences
// between neighbours as zigzag varints, the count of texts, and each text with its
// length. Neighbouring IDs of a page are close to each other, so an ID takes 3 to 10
// bytes.
func packIDs(ids []string) string {
	raw := make([]byte, 0, 10+8*len(ids))
	numbers := 0
	for _, id := range ids {
		if _, ok := number(id); ok {
			numbers++
		}
	}
	raw = binary.AppendUvarint(raw, uint64(numbers))
	var last uint64
	for _, id := range ids {
		if n, ok := number(id); ok {
			raw = binary.AppendVarint(raw, int64(n-last))
			last = n
		}
	}
	raw = binary.AppendUvarint(raw, uint64(len(ids)-numbers))
	for _, id := range ids {
		if _, ok := number(id); !ok {
			raw = binary.AppendUvarint(raw, uint64(len(id)))
			raw = append(raw, id...)
		}
	}
	return base64.StdEncoding.EncodeToString(raw)
}

var errPacked = errors.New("ids cannot be decoded")

// unpackIDs adds the IDs of a packed text to the set and returns how many it held. Call
// sortPacked before reading the set.
func unpackIDs(text string, into *IDs) (int, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, errPacked
	}
	count := 0
	numbers, n := binary.Uvarint(raw)
	if n <= 0 || numbers > uint64(len(raw)) {
		return 0, errPacked
	}
	raw = raw[n:]
	var last uint64
	for range numbers {
		d, n := binary.Varint(raw)
		if n <= 0 {
			return 0, errPacked
		}
		raw = raw[n:]
		last += uint64(d)
		if last <= greatest {
			into.packed = append(into.packed, last)
		} else {
			into.Add(strconv.FormatUint(last, 10))
		}
		count++
	}
	texts, n := binary.Uvarint(raw)
	if n <= 0 || texts > uint64(len(raw)) {
		return 0, errPacked
	}
	raw = raw[n:]
	for range texts {
		size, n := binary.Uvarint(raw)
		if n <= 0 || size > uint64(len(raw)-n) {
			return 0, errPacked
		}
		into.Add(string(raw[n : n+int(size)]))
		raw = raw[n+int(size):]
		count++
	}
	if len(raw) != 0 {
		return 0, errPacked
	}
	return count, nil
}
