package group

import (
	"slices"

	"github.com/segmentio/kafka-go"
)

// balancer implements kafka-go's interface: UserData returns what this member sends to
// the leader, AssignGroups distributes the lanes if it is the leader.
type balancer struct{ m *Member }

// ProtocolName must be the same for all members of a group; the coordinator refuses a
// member with another one.
func (balancer) ProtocolName() string { return "orderwalk-lanes" }

func (b balancer) UserData() ([]byte, error) {
	held := b.m.getHeld()
	rest := b.m.rest.Load()
	b.m.sentRest.Store(rest)
	u := userData{worker: b.m.cfg.Worker, generation: held.Generation, owned: held.Lanes, load: map[int]int{}, rest: Rest(rest), url: b.m.cfg.URL}
	for lane, load := range b.m.cfg.Load() {
		if lane >= 0 {
			u.load[lane] = min(max(load, 0), maxLoad)
		}
	}
	return u.bytes(), nil
}

func (b balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	topic := b.m.cfg.Topic
	var lanes []int
	for _, p := range partitions {
		if p.Topic == topic {
			lanes = append(lanes, p.ID)
		}
	}
	candidates := make([]candidate, 0, len(members))
	for _, gm := range members {
		if !slices.Contains(gm.Topics, topic) {
			continue
		}
		u, err := parseUserData(gm.UserData)
		if err != nil {
			u = userData{} // it counts as a new member
		}
		candidates = append(candidates, candidate{id: gm.ID, userData: u})
	}
	// A broker that has just started, or does not know a new topic yet, lists no
	// partitions. Taking all lanes away would stop every worker, so members keep
	// the lanes they claim, and the leader asks again soon.
	blind := len(lanes) == 0
	b.m.blind.Store(blind)
	if blind {
		for _, c := range candidates {
			lanes = append(lanes, c.owned...)
		}
		slices.Sort(lanes)
		lanes = slices.Compact(lanes)
	}
	dealt := assign(lanes, candidates, b.m.cfg.Together()...)
	answer := make(kafka.GroupMemberAssignments, len(members))
	for _, gm := range members {
		// A member without lanes gets an empty list: kafka-go cannot read a missing one.
		answer[gm.ID] = map[string][]int{topic: dealt[gm.ID]}
	}
	return answer
}
