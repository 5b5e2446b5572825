package group

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
)

// Worker is a worker of the group as the coordinator knows it.
type Worker struct {
	ID    string // its worker ID
	URL   string // see Config.URL; empty if it has none
	Lanes []int  // sorted
	Self  bool   // this worker
}

// ErrRebalancing is returned while the group assigns the lanes again: nothing is known then.
var ErrRebalancing = errors.New("the group is rebalancing")

// Workers lists the workers of the group, by their IDs, with the lanes of the latest
// generation. It returns ErrRebalancing, or an error of Kafka.
func (m *Member) Workers(ctx context.Context) ([]Worker, error) {
	members, err := m.call.members(ctx, m.attempt)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	self := m.held.Member
	m.mu.Unlock()
	var workers []Worker
	for _, one := range members {
		_, data, ok := parseSubscription(one.metadata)
		if !ok || len(one.assignment) == 0 {
			return nil, ErrRebalancing
		}
		sent, err := parseUserData(data)
		if err != nil {
			continue // another program's member, or another version's; it has no lanes of ours
		}
		workers = append(workers, Worker{ID: cmp.Or(sent.worker, one.id), URL: sent.url, Self: one.id == self,
			Lanes: parseAssignment(one.assignment, m.cfg.Topic)})
	}
	if len(workers) == 0 {
		return nil, ErrRebalancing
	}
	slices.SortFunc(workers, func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
	return workers, nil
}

// parseAssignment decodes a consumer's assignment: a version, and for each topic its name
// and partitions. It returns those of one topic, sorted.
func parseAssignment(b []byte, topic string) (lanes []int) {
	read := func(n int) []byte {
		if n < 0 || n > len(b) {
			b = nil
			return make([]byte, 4)
		}
		taken := b[:n]
		b = b[n:]
		return taken
	}
	read(2)
	for n := int32(binary.BigEndian.Uint32(read(4))); n > 0 && len(b) > 0; n-- {
		name := string(read(int(binary.BigEndian.Uint16(read(2)))))
		for k := int32(binary.BigEndian.Uint32(read(4))); k > 0 && len(b) >= 4; k-- {
			if lane := int(int32(binary.BigEndian.Uint32(read(4)))); name == topic && lane >= 0 {
				lanes = append(lanes, lane)
			}
		}
	}
	slices.Sort(lanes)
	return lanes
}
