package connector

import (
	"fmt"
	"slices"
	"sync"

	"orderwalk/offsets"
)

// member is a shop of a lane under one configuration. A shop whose configuration
// changes becomes another member.
type member struct {
	shop    Shop
	status  *shopState
	inbox   *inbox
	history *history
	// ended reports that the shop is done or has failed, wanted what an operator wants
	// of it. lane.mu guards both.
	ended  bool
	wanted Wanted

	mu      sync.Mutex
	failed  error        // why the shop failed; nil = it has not
	waits   error        // what must change at the vendor's side, while the walker waits; nil = nothing
	missing *UnreadError // the time that is not read although the start time asks for it; nil = none
}

// setWaits notes what must change at the vendor's side; nil = nothing.
func (m *member) setWaits(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waits = err
}

func (m *member) setUnread(e *UnreadError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing = e
}

// standing is how far a shop has come; result uses it to decide whether all is done.
type standing struct {
	done    bool
	open    string       // why the shop is not done and will not be soon; empty = it is being walked
	missing *UnreadError // the part not read, of a shop that is done
}

// standing returns the standing of a source partition. It is zero for a shop that is
// being walked, or that is not in the lane.
func (l *lane) standing(p offsets.Partition) standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.member(p)
	if m == nil {
		return standing{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := l.refused[m.shop.Topic]
	switch {
	case m.ended && m.failed == nil:
		return standing{done: true, missing: m.missing}
	case m.failed != nil:
		return standing{open: fmt.Sprintf("%s: %s", StateFailed, l.cfg.explain(m.failed))}
	case r != nil && r.barred:
		return standing{open: fmt.Sprintf("%s: %s", StateFailed, l.cfg.explain(r.err))}
	case m.waits != nil && m.shop.Policy.End > 0:
		return standing{open: fmt.Sprintf("%s: %s", StateWaiting, l.cfg.explain(m.waits))}
	}
	return standing{}
}

// set replaces the lane's shops; refused are orders topics that cannot be used. Walkers
// of members that stay as they are continue. It reports false if the lane has ended.
func (l *lane) set(members []*member, refused map[string]error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	for i, m := range members {
		if old := l.member(m.shop.partition()); old != nil && old.continues(m) {
			old.wanted = m.wanted
			members[i] = old
			if old.ended || !old.wanted.Paused {
				continue
			}
		}
		if !l.walking[m.shop.partition()] { // otherwise when its walker has ended
			members[i].show()
		}
	}
	l.members = members
	for _, r := range l.refused {
		r.shown = "" // tell the new members, too
	}
	for topic, err := range refused {
		if l.refused[topic] == nil && slices.ContainsFunc(members, func(m *member) bool { return m.shop.Topic == topic }) {
			l.bar(topic, err)
		}
	}
	l.showRefusals()
	poke(l.changed)
	return true
}

// continues reports whether a member, now to be as next is, stays the same member: its
// walker goes on. A shop that is stopped or starts again becomes another one, and so does
// one that has ended and is paused: resumed, it starts again.
func (m *member) continues(next *member) bool {
	restarts := next.wanted.Restarts != m.wanted.Restarts || next.wanted.IfFailed != m.wanted.IfFailed && m.needsRestart()
	if m.shop != next.shop || m.status != next.status || restarts || m.wanted.Stopped != next.wanted.Stopped {
		return false
	}
	return !m.ended || m.wanted.Paused == next.wanted.Paused
}

// needsRestart reports whether a restart of what has failed concerns the shop: one that
// waits for the vendor is a failed task to Kafka Connect's tools.
func (m *member) needsRestart() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed != nil || m.waits != nil
}

func (m *member) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// show shows the state of a member that has no walker.
func (m *member) show() {
	switch {
	case m.wanted.Stopped:
		m.status.set(StateStopped, nil)
	case m.wanted.Paused:
		m.status.set(StatePaused, nil)
	default:
		m.status.set(StateStarting, nil)
	}
}

// showAll shows the state of every member, of a lane that has no walker yet.
func (l *lane) showAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		switch err := m.failure(); {
		case !m.ended:
			m.show()
		case err != nil:
			m.status.set(StateFailed, err)
		default:
			m.status.set(StateDone, nil)
		}
	}
	for _, r := range l.refused {
		r.shown = ""
	}
	l.showRefusals()
}

// rest notes that no walker runs any more, and shows the shops of which that is wanted.
func (l *lane) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.walking)
	for _, m := range l.members {
		if !m.ended && !m.wanted.walk() {
			m.show()
		}
	}
}

// finish reports whether the lane has nothing to walk and no topic to wait for. If so,
// the lane's shops no longer change.
func (l *lane) finish() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.walkable()) > 0 || l.nextBarred() != "" {
		return false
	}
	l.over = true
	return true
}

// close marks the lane as ended, so that its shops no longer change.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// member returns the member of a source partition; nil = none. The caller holds mu.
func (l *lane) member(p offsets.Partition) *member {
	for _, m := range l.members {
		if m.shop.partition() == p {
			return m
		}
	}
	return nil
}

// walkable lists the members that should be walked now. The caller holds mu.
func (l *lane) walkable() []*member {
	var members []*member
	for _, m := range l.members {
		if r := l.refused[m.shop.Topic]; !m.ended && m.wanted.walk() && (r == nil || !r.barred) {
			members = append(members, m)
		}
	}
	return members
}

// allEnded reports whether every member is done or has failed.
func (l *lane) allEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(l.members, func(m *member) bool { return !m.ended })
}

// ended lists the members that are done or have failed, of a lane that has ended itself.
func (l *lane) ended() []*member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.members), func(m *member) bool { return !m.ended })
}

// toWalk is walkable for callers without mu.
func (l *lane) toWalk() []*member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.walkable()
}

// topics lists the orders topics of walkable members. The caller holds mu.
func (l *lane) topics() []string {
	var names []string
	for _, m := range l.walkable() {
		names = append(names, m.shop.Topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// toWrite is topics for callers without mu.
func (l *lane) toWrite() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.topics()
}

// current reports whether m still is a member of the lane that is to be walked.
func (l *lane) current(m *member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member(m.shop.partition()) == m && m.wanted.walk()
}

// end notes how a shop ended; nil = its range is done.
func (l *lane) end(m *member, err error) {
	l.mu.Lock()
	m.ended = true
	l.mu.Unlock()
	m.mu.Lock()
	m.failed = err
	m.mu.Unlock()
	if err == nil {
		m.status.set(StateDone, nil)
		l.log.Info("shop is done", "shop", m.shop.Name)
		return
	}
	l.cfg.Incidents.Of(m.shop.Name).Happened(shopFailed(err), "lane", l.number, "reason", err)
	m.status.set(StateFailed, err)
}

// fail ends the member of a source partition with an error.
func (l *lane) fail(p offsets.Partition, err error) {
	l.mu.Lock()
	m := l.member(p)
	l.mu.Unlock()
	if m != nil {
		l.end(m, err)
	}
}

// handOver shows the lane's shops as walked elsewhere. When the worker ends, shops that
// are done or failed keep that state: it is the result of the run.
func (l *lane) handOver(ending bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if !ending || !m.ended {
			m.status.set(StateElsewhere, nil)
		}
	}
}
