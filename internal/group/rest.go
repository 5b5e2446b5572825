package group

import (
	"context"
	"time"
)

// Rest is whether a worker has anything to do in the lanes that it has.
type Rest int32

// A worker that is Stuck has only shops left that need an operator or the vendor; one
// that is Idle has none left.
const (
	Busy Rest = iota
	Idle
	Stuck
)

// restPause is how long a generation has to stand before the others are asked
// whether they rest, and the time between two such questions. What a member told
// when it joined may be out of date by then: it may have got lanes of another. It
// says so within some heartbeats, which ends the generation.
const restPause = 5 * time.Second

// others asks what every other member said of itself when it joined.
func (m *Member) others(ctx context.Context) Rest {
	members, err := m.call.members(ctx, min(time.Second, m.attempt))
	if err != nil || len(members) == 0 {
		return Busy
	}
	all := Idle
	for _, other := range members {
		if other.id == m.id {
			continue
		}
		_, data, ok := parseSubscription(other.metadata)
		told, err := parseUserData(data)
		if !ok || err != nil || told.rest == Busy {
			return Busy
		}
		all = max(all, told.rest)
	}
	return all
}
