package group

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
)

// leaveLimit bounds what leaving may add to a stop.
const leaveLimit = 3 * time.Second

// clear removes what would hold up a join, for it waits for every member that
// has not been silent for a session timeout: our former self, and before the
// first generation also members of our name, which are predecessors of ours
// that were killed. Later they are not: if one of our name lives, it would
// remove us in turn.
func (m *Member) clear(ctx context.Context) error {
	if m.id != "" {
		if err := m.call.leave(ctx, m.attempt, m.id); err != nil {
			return err
		}
		m.id = ""
	}
	if m.joined {
		return nil
	}
	ghosts, err := m.namesakes(ctx)
	if err != nil {
		return err
	}
	for _, id := range ghosts {
		if err := m.call.leave(ctx, m.attempt, id); err != nil {
			return err
		}
		m.cfg.OnEvent(EventGhostRemoved)
		m.cfg.Log.Info("removed a former member of this worker's name from the group", "worker_id", m.cfg.Worker, "member", id)
	}
	return nil
}

// namesakes are the members that a process of this worker's name has made, us
// included.
func (m *Member) namesakes(ctx context.Context) ([]string, error) {
	if m.cfg.Worker == "" {
		return nil, nil
	}
	members, err := m.call.members(ctx, m.attempt)
	var ids []string
	for _, other := range members {
		if other.clientID == m.cfg.Worker {
			ids = append(ids, other.id)
		}
	}
	return ids, err
}

// count asks for the number of members, which kafka-go tells only the leader.
// Without an answer it is what it was.
func (m *Member) count(ctx context.Context, was int) int {
	members, err := m.call.members(ctx, min(time.Second, m.attempt))
	if err != nil || len(members) == 0 {
		return max(1, was)
	}
	for _, other := range members {
		if m.removed && m.cfg.Worker != "" && other.clientID == m.cfg.Worker && other.id != m.id {
			m.cfg.Log.Error("two workers of one name", "worker_id", m.cfg.Worker, "other", other.id, "reason", ErrNamesake)
			break
		}
	}
	m.removed = false
	id, mismatch := m.misconfiguredPeer(members)
	complaint := ""
	if mismatch != nil {
		complaint = mismatch.Error()
	}
	if mismatch != nil && complaint != m.complaint {
		m.cfg.Log.Warn("another worker does not belong to this group", "group", m.cfg.GroupID, "other", id, "reason", mismatch)
	}
	m.complaint = complaint
	return len(members)
}

// leave ends the membership at once. Without a member ID there is a join under
// way, so ours is one of our name.
func (m *Member) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	for {
		ids, err := []string{m.id}, error(nil)
		if m.id == "" {
			ids, err = m.namesakes(ctx)
		}
		for _, id := range ids {
			if err == nil {
				err = m.call.leave(ctx, m.attempt, id)
			}
		}
		if err == nil {
			return
		}
		if backoff.Sleep(ctx, 50*time.Millisecond) != nil {
			m.cfg.Log.Warn("could not leave the worker group, others wait for the session timeout", "reason", err)
			return
		}
	}
}
