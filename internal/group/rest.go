package group

import (
	"context"
	"time"
)

// Rest is whether a worker has work in its lanes.
type Rest int32

// A worker that is Stuck has only shops left that wait for an operator or the vendor; a
// worker that is Idle has none left.
const (
	Busy Rest = iota
	Idle
	Stuck
)

// restPause is how long a generation must stand before a worker asks whether the others
// rest, and the time between two such requests. What a member sent when it joined may be
// outdated by then, because it got lanes of another one; it then starts a rebalance
// within a few heartbeats, which ends the generation.
const restPause = 5 * time.Second

// others returns the combined Rest of the other members, as each sent it when it joined.
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
