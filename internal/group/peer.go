package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// misconfiguredPeer finds a member with another configuration, and returns its ID and a
// complaint. A member with another offsets topic gets no lane, or leaves us without any;
// shops that only one of two workers knows are not read while the other worker has their
// lane. Neither would show otherwise. It compares what the members sent when the
// generation began.
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

// parseSubscription decodes a consumer's metadata: a version, topics, and user data.
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
