package connector

import (
	"fmt"
	"slices"
	"sync"

	"orderwalk/offsets"
)

// member is a shop of a lane for as long as its configuration stays as it is: a
// shop that changes becomes another member.
type member struct {
	shop    Shop
	sheet   *shopState
	inbox   *inbox
	history *history
	// ended reports that the shop is done or has failed, paused that it is not to be
	// walked. Both are guarded by lane.mu.
	ended, paused bool

	mu      sync.Mutex
	failed  error        // why it has
	waits   error        // what has to change at the vendor's side, while the walker waits for it
	missing *UnreadError // what of the shop is not read although its start time says so
}

// wait notes what has to change at the vendor's side; nil = nothing.
func (m *member) wait(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waits = err
}

func (m *member) miss(e *UnreadError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing = e
}

// standing is how far a shop has come, for the decision that all is done.
type standing struct {
	done    bool
	open    string       // what keeps it from being done although nothing will change that soon
	missing *UnreadError // of one that is done
}

// standing returns that of the shop of a source partition; of one that is still
// walked, or none of the lane's, it is zero.
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

// set makes these the lane's shops; refused are orders topics that cannot be used.
// Members that stay as they are go on undisturbed. It reports false if the lane has
// ended.
func (l *lane) set(members []*member, refused map[string]error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	for i, m := range members {
		if old := l.member(m.shop.partition()); old != nil && old.shop == m.shop && old.sheet == m.sheet {
			old.paused = m.paused
			members[i] = old
		} else if m.paused {
			m.sheet.set(StatePaused, nil)
		} else {
			m.sheet.set(StateStarting, nil)
		}
	}
	l.members = members
	for _, r := range l.refused {
		r.told = "" // some of them may be new
	}
	for topic, err := range refused {
		if l.refused[topic] == nil && slices.ContainsFunc(members, func(m *member) bool { return m.shop.Topic == topic }) {
			l.bar(topic, err)
		}
	}
	l.tellAll()
	poke(l.changed)
	return true
}

// finish reports that there is nothing to walk and nothing to wait for; the lane's
// shops do not change any more then.
func (l *lane) finish() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.walkable()) > 0 || l.waiting() != "" {
		return false
	}
	l.over = true
	return true
}

// close is finish for a lane that ends while there are shops to walk.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// member returns that of a source partition; nil if there is none. The caller holds
// mu.
func (l *lane) member(p offsets.Partition) *member {
	for _, m := range l.members {
		if m.shop.partition() == p {
			return m
		}
	}
	return nil
}

// walkable lists the members that are to be walked now. The caller holds mu.
func (l *lane) walkable() []*member {
	var members []*member
	for _, m := range l.members {
		if r := l.refused[m.shop.Topic]; !m.ended && !m.paused && (r == nil || !r.barred) {
			members = append(members, m)
		}
	}
	return members
}

// toWalk is walkable for callers without mu.
func (l *lane) toWalk() []*member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.walkable()
}

// topics lists the orders topics of the members that are to be walked now. The caller
// holds mu.
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

// current reports whether a member is one of the lane's and not paused.
func (l *lane) current(m *member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member(m.shop.partition()) == m && !m.paused
}

// end notes how a shop ended: nil if its range is done.
func (l *lane) end(m *member, err error) {
	l.mu.Lock()
	m.ended = true
	l.mu.Unlock()
	m.mu.Lock()
	m.failed = err
	m.mu.Unlock()
	if err == nil {
		m.sheet.set(StateDone, nil)
		l.log.Info("shop is done", "shop", m.shop.Name)
		return
	}
	l.log.Error("shop failed", "shop", m.shop.Name, "reason", err)
	m.sheet.set(StateFailed, err)
}

// fail ends the member of a source partition.
func (l *lane) fail(p offsets.Partition, err error) {
	l.mu.Lock()
	m := l.member(p)
	l.mu.Unlock()
	if m != nil {
		l.end(m, err)
	}
}

// handOver shows that the lane's shops are not walked here any more. When the worker
// ends, those that have ended stay as they ended: that is what it ends with.
func (l *lane) handOver(ending bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if !ending || !m.ended {
			m.sheet.set(StateElsewhere, nil)
		}
	}
}
