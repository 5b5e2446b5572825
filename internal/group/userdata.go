package group

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// userData is what a member sends to the leader when it joins.
type userData struct {
	worker     string
	generation int32       // in which the owned lanes were assigned
	owned      []int       // sorted
	load       map[int]int // by lane, not negative
	rest       Rest        // see Member.Rest
	url        string      // see Config.URL
}

// userDataVersion is the first byte. Later versions append fields, which this one
// ignores; any other change needs another protocol name.
//
//	byte     version
//	uvarint  length of the worker ID, then its bytes
//	varint   generation
//	uvarint  number of owned lanes, then for each the distance to the one before
//	uvarint  number of loads, then for each the distance and the load
//	uvarint  the Rest; missing if it is Busy and nothing follows, or if the version does not have it
//	uvarint  length of the URL, then its bytes; missing if there is none, or as above
const userDataVersion = 1

var errUserData = errors.New("unknown version of user data")

func (u userData) bytes() []byte {
	b := []byte{userDataVersion}
	b = binary.AppendUvarint(b, uint64(len(u.worker)))
	b = append(b, u.worker...)
	b = binary.AppendVarint(b, int64(u.generation))
	b = binary.AppendUvarint(b, uint64(len(u.owned)))
	last := 0
	for _, lane := range u.owned {
		b = binary.AppendUvarint(b, uint64(lane-last))
		last = lane
	}
	b = binary.AppendUvarint(b, uint64(len(u.load)))
	last = 0
	for _, lane := range slices.Sorted(maps.Keys(u.load)) {
		b = binary.AppendUvarint(b, uint64(lane-last))
		b = binary.AppendUvarint(b, uint64(u.load[lane]))
		last = lane
	}
	if u.rest != Busy || u.url != "" {
		b = binary.AppendUvarint(b, uint64(u.rest))
	}
	if u.url != "" {
		b = binary.AppendUvarint(b, uint64(len(u.url)))
		b = append(b, u.url...)
	}
	return b
}

func parseUserData(b []byte) (u userData, err error) {
	if len(b) == 0 || b[0] != userDataVersion {
		return userData{}, errUserData
	}
	r := varints{rest: b[1:]}
	u.worker = r.text(r.count())
	u.generation = int32(r.signed(math.MinInt32, math.MaxInt32))
	n := r.count()
	lane := uint64(0)
	for range n {
		lane += r.unsigned(math.MaxInt32 - lane)
		u.owned = append(u.owned, int(lane))
	}
	n = r.count()
	u.load = make(map[int]int, n)
	lane = 0
	for range n {
		lane += r.unsigned(math.MaxInt32 - lane)
		u.load[int(lane)] = int(r.unsigned(math.MaxInt32))
	}
	if r.bad {
		return userData{}, errUserData
	}
	if rest := Rest(r.unsigned(math.MaxInt32)); rest <= Stuck {
		u.rest = rest
	}
	u.url = r.text(r.count())
	return u, nil
}

// varints decodes numbers; after the first error it returns zeros.
type varints struct {
	rest []byte
	bad  bool
}

func (r *varints) unsigned(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.bad = r.bad || n <= 0 || v > most; r.bad {
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *varints) signed(least, most int64) int64 {
	v, n := binary.Varint(r.rest)
	if r.bad = r.bad || n <= 0 || v < least || v > most; r.bad {
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count decodes the number of items that take at least a byte each.
func (r *varints) count() int { return int(r.unsigned(uint64(len(r.rest)))) }

func (r *varints) text(n int) string {
	if r.bad = r.bad || n > len(r.rest); r.bad {
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}
