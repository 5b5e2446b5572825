package group

import (
	"context"
	"time"
)

// restPause is how long a generation has to stand before the others are asked
// whether they rest, and the time between two such questions. What a member told
// when it joined may be out of date by then: it may have got lanes of another. It
// says so within some heartbeats, which ends the generation.
const restPause = 5 * time.Second

// othersRest asks whether every other member said that it rests when it joined.
func (m *Member) othersRest(ctx context.Context) bool {
	members, err := m.call.members(ctx, min(time.Second, m.attempt))
	if err != nil || len(members) == 0 {
		return false
	}
	for _, other := range members {
		_, data, ok := parseSubscription(other.metadata)
		if told, err := parseUserData(data); other.id != m.id && (!ok || err != nil || !told.rests) {
			return false
		}
	}
	return true
}
