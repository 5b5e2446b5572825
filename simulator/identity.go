package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// Order IDs follow the only known real pair of ID and creation time. The upper bits
// are the creation second plus a constant, give or take a few seconds, so IDs are
// roughly but not exactly in order of creation. The lower 28 bits are the row,
// scrambled. That gives 19 digits, unique in a shop, and the row can be computed from
// the ID.
const (
	idOffset = 12141633798
	idBits   = 28
	idMask   = 1<<idBits - 1
	// scramble and unscramble are each other's inverse modulo 2^28.
	scramble   = 0x9e3779b
	unscramble = 0x3811693
	idJitter   = 5 // seconds, plus or minus
)

// newID returns the ID of row n.
func (b *book) newID(created, n uint32) uint64 {
	jitter := below(mix(b.seed, saltID, uint64(n)), 2*idJitter+1) - idJitter
	low := (uint64(n)*scramble + b.seed) & idMask
	return uint64(int64(created)+idOffset+jitter)<<idBits | low
}

// rowOfID inverts newID. The row may not exist, or have another ID.
func (b *book) rowOfID(id uint64) uint32 {
	return uint32((id - b.seed) * unscramble & idMask)
}

// rowOf returns the row of an order.
func (b *book) rowOf(id uint64) (uint32, bool) {
	if n := b.rowOfID(id); int(n) < len(b.rows) && b.rows[n].id == id {
		return n, true
	}
	n, ok := b.added[id]
	return n, ok
}

// Buyers are numbers. Numbers below namedBuyers are drawn, and their openid contains
// the number. From namedBuyers on they index book.buyers. Zero is no buyer.
const (
	buyerCount  = 1000
	namedBuyers = 1 << 31
)

func (b *book) drawBuyer(n uint32) uint32 {
	return 1 + uint32(below(mix(b.seed, saltBuyer, uint64(n)), buyerCount))
}

func (b *book) openID(buyer uint32) string {
	switch {
	case buyer == 0:
		return ""
	case buyer >= namedBuyers:
		return b.buyers[buyer-namedBuyers]
	}
	return b.openIDPrefix + fmt.Sprintf("%08x", buyer)
}

// unknownBuyer is the number for unknown openids; no order has it.
const unknownBuyer = namedBuyers - 1

// buyerOf returns the number of an openid. An unknown one is added if learn is set;
// otherwise the result is unknownBuyer.
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
			return namedBuyers + uint32(i)
		}
	}
	if !learn {
		return unknownBuyer
	}
	b.buyers = append(b.buyers, openID)
	return namedBuyers + uint32(len(b.buyers)-1)
}

// Salts make draws about different subjects independent.
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
