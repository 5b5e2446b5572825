package group

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
)

// leaveLimit bounds how long leaving may delay a stop.
const leaveLimit = 3 * time.Second

// removeGhosts removes members that would delay a join, since a join waits for every member
// whose session has not timed out: our former member ID and, before the first
// generation, members with our worker ID, which are killed predecessors. Later ones are
// not removed: if a worker with our ID is alive, it would remove us in turn. The exception
// is a join that failed. The member that it leaves behind may lead the group, which then
// waits a session for it, longer than a join waits for the group: workers that try again
// and again would keep each other from ever getting lanes.
func (m *Member) removeGhosts(ctx context.Context) error {
	if m.id != "" {
		if err := m.call.leave(ctx, m.patience, m.id); err != nil {
			return err
		}
		m.id = ""
	}
	if m.joined && !m.unanswered {
		return nil
	}
	ghosts, err := m.namesakes(ctx)
	if err != nil {
		return err
	}
	for _, id := range ghosts {
		if err := m.call.leave(ctx, m.patience, id); err != nil {
			return err
		}
		m.cfg.OnEvent(EventGhostRemoved)
		m.cfg.Log.Info("removed a dead member with this worker's ID from the group", "worker_id", m.cfg.Worker, "member", id)
	}
	return nil
}

// namesakes returns the IDs of the members with our worker ID, us included.
func (m *Member) namesakes(ctx context.Context) ([]string, error) {
	if m.cfg.Worker == "" {
		return nil, nil
	}
	members, err := m.call.members(ctx, m.patience)
	var ids []string
	for _, other := range members {
		if other.clientID == m.cfg.Worker {
			ids = append(ids, other.id)
		}
	}
	return ids, err
}

// count returns the number of members, which kafka-go reports to the leader only. Without
// an answer it returns the last number, and counted is false.
func (m *Member) count(ctx context.Context, was int) (number int, counted bool) {
	members, err := m.call.members(ctx, min(time.Second, m.attempt))
	if err != nil || len(members) == 0 {
		return max(1, was), false
	}
	for _, other := range members {
		if m.removed && m.cfg.Worker != "" && other.clientID == m.cfg.Worker && other.id != m.id {
			m.cfg.Log.Error("two workers have the same ID", "worker_id", m.cfg.Worker, "other", other.id, "reason", ErrNamesake)
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
		m.cfg.Log.Warn("another worker of this group has a different configuration", "group", m.cfg.GroupID, "other", id, "reason", mismatch)
	}
	m.complaint = complaint
	return len(members), true
}

// leave ends the membership at once. Without a member ID a join is under way, so our
// member is one of those with our worker ID.
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
			m.cfg.Log.Warn("cannot leave the worker group; the other workers take over after the session timeout", "reason", err)
			return
		}
	}
}
