package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// Order IDs are made as the only real pair of ID and creation time that is
// known suggests: the upper bits are the creation second plus a constant, give
// or take a few seconds, so that IDs are roughly in order of creation but not
// exactly; the lower 28 bits are the row, scrambled. That gives 19 digits, no
// two alike in a shop, and the row back from the ID without a table.
const (
	idOffset = 12141633798
	idBits   = 28
	idMask   = 1<<idBits - 1
	// scramble and unscramble are each other's inverse modulo 2^28.
	scramble   = 0x9e3779b
	unscramble = 0x3811693
	idJitter   = 5 // seconds, either way
)

// newID makes the ID of the row n.
func (b *book) newID(created, n uint32) uint64 {
	jitter := below(mix(b.seed, saltID, uint64(n)), 2*idJitter+1) - idJitter
	low := (uint64(n)*scramble + b.seed) & idMask
	return uint64(int64(created)+idOffset+jitter)<<idBits | low
}

// rowOfID undoes newID. The row may not exist, or have another ID.
func (b *book) rowOfID(id uint64) uint32 {
	return uint32((id - b.seed) * unscramble & idMask)
}

// rowOf finds an order.
func (b *book) rowOf(id uint64) (uint32, bool) {
	if n := b.rowOfID(id); int(n) < len(b.rows) && b.rows[n].id == id {
		return n, true
	}
	n, ok := b.added[id]
	return n, ok
}

// Buyers are numbers. Those below ownBuyers are drawn; their openids spell the
// number out. From ownBuyers on they point into book.buyers. Zero is nobody.
const (
	buyerCount = 1000
	ownBuyers  = 1 << 31
)

func (b *book) drawBuyer(n uint32) uint32 {
	return 1 + uint32(below(mix(b.seed, saltBuyer, uint64(n)), buyerCount))
}

func (b *book) openID(buyer uint32) string {
	switch {
	case buyer == 0:
		return ""
	case buyer >= ownBuyers:
		return b.buyers[buyer-ownBuyers]
	}
	return b.openIDPrefix + fmt.Sprintf("%08x", buyer)
}

// noBuyer is nobody's number: no order has it.
const noBuyer = ownBuyers - 1

// buyerOf gives the number of an openid. One that is not known is remembered
// if learn is set, and noBuyer otherwise.
func (b *book) buyerOf(openID string, learn bool) uint32 {
	if openID == "" {
		return 0
	}
	if number, ok := strings.CutPrefix(openID, b.openIDPrefix); ok && len(number) == 8 {
		n, err := strconv.ParseUint(number, 16, 32)
		if err == nil && n >= 1 && n <= buyerCount && b.openID(uint32(n)) == openID {
			return uint32(n)
		}
	}
	for i, known := range b.buyers {
		if known == openID {
			return ownBuyers + uint32(i)
		}
	}
	if !learn {
		return noBuyer
	}
	b.buyers = append(b.buyers, openID)
	return ownBuyers + uint32(len(b.buyers)-1)
}

// Salts keep draws about different things apart.
const (
	saltID = iota + 1
	saltBuyer
	saltCreated
	saltBurst
	saltStatus
	saltLife
	saltLive
	saltMoment
	saltLag
	saltKey
	saltToken
	saltShuffle
	saltRID
)
