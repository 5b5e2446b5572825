package group

import (
	"slices"

	"github.com/segmentio/kafka-go"
)

// balancer is a member's half of the agreement on who gets what, in the shape
// that kafka-go asks for: UserData for what this member tells, AssignGroups for
// what it does when it is the leader.
type balancer struct{ m *Member }

// ProtocolName has to be the same in all members of a group; a member with
// another is refused.
func (balancer) ProtocolName() string { return "orderwalk-lanes" }

func (b balancer) UserData() ([]byte, error) {
	held := b.m.claim()
	rest := b.m.rest.Load()
	b.m.told.Store(rest)
	u := userData{worker: b.m.cfg.Worker, generation: held.Generation, owned: held.Lanes, load: map[int]int{}, rest: Rest(rest)}
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
			u = userData{} // it gets lanes like one that is new
		}
		candidates = append(candidates, candidate{id: gm.ID, userData: u})
	}
	// A broker that has just started or has not heard of a new topic yet lists
	// no partitions. Taking all lanes away would stop every worker: what is
	// claimed stays, and the question is asked again soon.
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
		// Who gets nothing gets that in writing: kafka-go cannot read no answer.
		answer[gm.ID] = map[string][]int{topic: dealt[gm.ID]}
	}
	return answer
}
