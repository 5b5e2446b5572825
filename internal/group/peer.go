package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// misconfiguredPeer finds a member that came to this group by mistake and says what is
// wrong with it: one on another topic gets no lane, or leaves us without any,
// and shops that only one of two workers knows are walked by nobody while the
// other has their lane. Nobody would notice. All that is compared was told when
// the generation began.
func (m *Member) misconfiguredPeer(members []member) (id string, mismatch error) {
	load := func(one member) (map[int]int, bool) {
		_, data, ok := parseSubscription(one.metadata)
		told, err := parseUserData(data)
		return told.load, ok && err == nil
	}
	self := slices.IndexFunc(members, func(one member) bool { return one.id == m.id })
	if self < 0 {
		return "", nil
	}
	ours, known := load(members[self])
	for _, other := range members {
		topics, _, ok := parseSubscription(other.metadata)
		if !ok {
			continue
		}
		if !slices.Contains(topics, m.cfg.Topic) {
			return other.id, fmt.Errorf("%w: %q", ErrOtherTopic, topics)
		}
		theirs, told := load(other)
		if !known || !told {
			continue
		}
		lanes := slices.Sorted(maps.Keys(ours))
		lanes = slices.AppendSeq(lanes, maps.Keys(theirs))
		for _, lane := range lanes {
			if theirs[lane] != ours[lane] {
				return other.id, fmt.Errorf("%w: in lane %d it has %d and this worker %d; a shop that only one of them knows is not read while the other has the lane", ErrOtherShops, lane, theirs[lane], ours[lane])
			}
		}
	}
	return "", nil
}

// parseSubscription reads what a consumer tells its group: a version, topics,
// and data of its own.
func parseSubscription(b []byte) (topics []string, data []byte, ok bool) {
	ok = true
	take := func(n int) []byte {
		if ok = ok && n >= 0 && n <= len(b); !ok {
			return nil
		}
		taken := b[:n]
		b = b[n:]
		return taken
	}
	short := func() int {
		if raw := take(2); ok {
			return int(int16(binary.BigEndian.Uint16(raw)))
		}
		return 0
	}
	long := func() int {
		if raw := take(4); ok {
			return int(int32(binary.BigEndian.Uint32(raw)))
		}
		return 0
	}
	short() // version
	for n := long(); n > 0 && ok; n-- {
		topics = append(topics, string(take(short())))
	}
	if n := long(); n > 0 {
		data = take(n)
	}
	return topics, data, ok
}
