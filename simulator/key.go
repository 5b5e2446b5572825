package simulator

import (
	"encoding/base64"
	"encoding/binary"
)

// key is the content of a next_key. Keys are self-contained, so the simulator stores
// none, and sealed with the shop's seed, so they cannot be forged.
type key struct {
	query  uint64 // hash of the parameters it was issued for
	after  entry  // the last listed order; with keyOffset, the number of listed orders
	issued int64  // unix milliseconds
	serial uint32 // number among the shop's keys, from 0
	flags  keyFlags
}

type keyFlags byte

const (
	keyStart  keyFlags = 1 << iota // nothing has been listed yet; after is unset
	keyDesc                        // newest orders first
	keyOffset                      // after is a count of orders
)

const keySize = 8 + 8 + 8 + 4 + 1

func (k key) seal(seed uint64) string {
	b := make([]byte, 0, keySize+8)
	b = binary.BigEndian.AppendUint64(b, k.query)
	b = binary.BigEndian.AppendUint64(b, uint64(k.after))
	b = binary.BigEndian.AppendUint64(b, uint64(k.issued))
	b = binary.BigEndian.AppendUint32(b, k.serial)
	b = append(b, byte(k.flags))
	b = binary.BigEndian.AppendUint64(b, sealOf(seed, b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func openKey(seed uint64, text string) (key, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != keySize+8 || binary.BigEndian.Uint64(b[keySize:]) != sealOf(seed, b[:keySize]) {
		return key{}, false
	}
	return key{
		query:  binary.BigEndian.Uint64(b),
		after:  entry(binary.BigEndian.Uint64(b[8:])),
		issued: int64(binary.BigEndian.Uint64(b[16:])),
		serial: binary.BigEndian.Uint32(b[24:]),
		flags:  keyFlags(b[28]),
	}, true
}

func sealOf(seed uint64, b []byte) uint64 { return mix(seed, saltKey, mixString(string(b))) }

// usedKeys records the serials of used keys, one bit each.
type usedKeys []uint64

// use marks a key as used and reports whether it was used before.
func (u *usedKeys) use(serial uint32) bool {
	word, bit := int(serial/64), uint64(1)<<(serial%64)
	if word >= len(*u) {
		*u = append(*u, make([]uint64, word+1-len(*u))...)
	}
	before := (*u)[word]&bit != 0
	(*u)[word] |= bit
	return before
}
