package simulator

import (
	"math"
	"slices"
	"sort"
)

// entry is an index entry: a unix second and the row of an order listed under it.
// Entries sort by second, then by row.
type entry uint64

const noRow = math.MaxUint32

func entryOf(second, row uint32) entry { return entry(second)<<32 | entry(row) }

func (e entry) second() uint32 { return uint32(e >> 32) }
func (e entry) row() uint32    { return uint32(e) }

// chunkSize bounds how many entries an insert or a removal moves.
const chunkSize = 512

// index is a sorted set of entries in chunks: cheap to search, to append to and to
// change in the middle, at eight bytes an entry.
type index struct {
	chunks [][]entry // none is empty
}

// newIndex returns an index of sorted entries, which it keeps.
func newIndex(sorted []entry) index {
	var x index
	for part := range slices.Chunk(sorted, chunkSize) {
		x.chunks = append(x.chunks, part)
	}
	return x
}

// find returns the chunk that holds e or would hold it, the position in it, and
// whether e is there. In an empty index the chunk does not exist.
func (x *index) find(e entry) (chunk, at int, found bool) {
	chunk = sort.Search(len(x.chunks), func(i int) bool { return x.chunks[i][0] > e }) - 1
	if chunk < 0 {
		return 0, 0, false
	}
	at, found = slices.BinarySearch(x.chunks[chunk], e)
	return chunk, at, found
}

func (x *index) insert(e entry) {
	if len(x.chunks) == 0 {
		x.chunks = [][]entry{{e}}
		return
	}
	chunk, at, found := x.find(e)
	if found {
		return
	}
	full := x.chunks[chunk]
	if len(full) < chunkSize {
		x.chunks[chunk] = slices.Insert(full, at, e)
		return
	}
	if at == len(full) { // appending, the usual case, keeps chunks full
		x.chunks = slices.Insert(x.chunks, chunk+1, []entry{e})
		return
	}
	half := len(full) / 2
	right := slices.Clone(full[half:])
	left := full[:half:half]
	if at <= half {
		left = slices.Insert(left, at, e)
	} else {
		right = slices.Insert(right, at-half, e)
	}
	x.chunks[chunk] = left
	x.chunks = slices.Insert(x.chunks, chunk+1, right)
}

func (x *index) remove(e entry) {
	chunk, at, found := x.find(e)
	if !found {
		return
	}
	x.chunks[chunk] = slices.Delete(x.chunks[chunk], at, at+1)
	if len(x.chunks[chunk]) == 0 {
		x.chunks = slices.Delete(x.chunks, chunk, chunk+1)
	}
}

// ascend visits the entries in [lo, hi] in ascending order until visit returns false.
func (x *index) ascend(lo, hi entry, visit func(entry) bool) {
	chunk, at, _ := x.find(lo)
	for ; chunk < len(x.chunks); chunk++ {
		for _, e := range x.chunks[chunk][at:] {
			if e > hi || !visit(e) {
				return
			}
		}
		at = 0
	}
}

// descend visits the entries in [lo, hi] in descending order until visit returns
// false.
func (x *index) descend(lo, hi entry, visit func(entry) bool) {
	if len(x.chunks) == 0 {
		return
	}
	chunk, at, found := x.find(hi)
	if found {
		at++
	}
	for {
		for _, e := range slices.Backward(x.chunks[chunk][:at]) {
			if e < lo || !visit(e) {
				return
			}
		}
		if chunk--; chunk < 0 {
			return
		}
		at = len(x.chunks[chunk])
	}
}
