package simulator

import (
	"encoding/base64"
	"encoding/binary"
)

// key is what a next_key carries. Keys are self-contained, so the simulator
// keeps none of them, and sealed with the shop's seed, so none can be made up.
type key struct {
	query  uint64 // hash of the parameters it was issued for
	after  entry  // the last order that has been listed; with offset, how many have
	issued int64  // unix milliseconds
	serial uint32 // of the shop's keys, from 0
	flags  keyFlags
}

type keyFlags byte

const (
	keyStart  keyFlags = 1 << iota // nothing has been listed yet: after means nothing
	keyDesc                        // the pages go from the newest order back
	keyOffset                      // after counts orders
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

// usedKeys remembers the serials of keys that have been used, a bit each.
type usedKeys []uint64

// use reports whether a key has been used before, and that it has been now.
func (u *usedKeys) use(serial uint32) bool {
	word, bit := int(serial/64), uint64(1)<<(serial%64)
	if word >= len(*u) {
		*u = append(*u, make([]uint64, word+1-len(*u))...)
	}
	before := (*u)[word]&bit != 0
	(*u)[word] |= bit
	return before
}
