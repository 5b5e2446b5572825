package connector

import (
	"context"
	"fmt"
	"slices"

	"orderwalk/internal/record"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// Shops are added, changed and removed while a lane runs. A walker whose shop was
// removed, changed, paused or stopped ends; what it has read is committed, and other walkers are
// not affected. A changed or resumed shop continues from the state in memory. The
// checkpoint of a shop that is new here is read from the topic while the others walk.

// arrival is what fetch has loaded for shops that are new to a life of the lane.
type arrival struct {
	members []*member
	loaded  offsets.Lane   // their records in the offsets topic
	topic   string         // the orders topic of all of them that had no encoder; empty = each has one
	encoder record.Encoder // of that topic
	refused error          // why it could not be opened
	err     error          // an error of Kafka, which ends the life of the lane
}

// start adds a walker for a shop, and runs it. known is the shop's stored state.
func (c *committer) start(m *member, known *offsets.Shop) {
	l := c.lane
	w := &walker{member: m, shop: &m.shop, host: l.cfg.Host, status: m.status, inbox: m.inbox, history: m.history, lane: l.log, waiting: waiting{report: l.cfg.Incidents.Of(m.shop.Name)}, space: c.space, extra: l.extra, ids: l.ids, now: c.now, soon: c.soon}
	if known != nil {
		w.state, w.stored = known.Checkpoint, known.Stored
		if w.state != nil {
			m.history.checkpointed()
			m.status.started(w.state)
		}
	}
	c.walkers = append(c.walkers, w)
	c.launch(w)
}

// launch runs a walker that is not running.
func (c *committer) launch(w *walker) {
	ctx, stop := context.WithCancel(c.walking)
	w.member.setWaits(nil)
	over := func(err error) {
		defer c.group.Done()
		stop()
		select {
		case c.endings <- walkerEnded{w, err}:
		case <-c.walking.Done():
		}
	}
	w.rest = &rest{woken: make(chan struct{}, 1), turns: c.lane.turns, run: func(t *turn) { w.run(ctx, t, over) }}
	w.begun, w.leaving, w.running = false, false, true
	w.stop = func() {
		stop()
		w.rest.hurry()
	}
	c.running++
	c.lane.mu.Lock()
	c.lane.walking[w.shop.partition()] = true
	c.lane.mu.Unlock()
	c.group.Add(1)
	begins := w.storeStart()
	w.remember()
	w.inbox.observe(w.rest) // from now on a push may wake it
	if begins {
		w.rest.wake()
	}
}

// stopAll ends all walks. c.walking has ended.
func (c *committer) stopAll() {
	for _, w := range c.walkers {
		if w.running {
			w.rest.hurry()
		}
	}
	c.group.Wait()
}

// reconcile stops, starts, replaces and drops walkers to match the lane's members.
func (c *committer) reconcile() {
	l := c.lane
	l.mu.Lock()
	walkable := l.walkable()
	wanted := make(map[offsets.Partition]*member, len(walkable))
	for _, m := range walkable {
		wanted[m.shop.partition()] = m
	}
	kept := make(map[offsets.Partition]bool) // their state may stay in memory
	for _, m := range l.members {
		kept[m.shop.partition()] = !m.wanted.Stopped
	}
	for _, w := range c.walkers {
		// A shop that starts again is read again: it may have been stopped and altered in
		// between, of which this worker has not heard.
		if m := wanted[w.shop.partition()]; m != nil && m.wanted.Restarts != w.member.wanted.Restarts {
			kept[w.shop.partition()] = false
		}
	}
	l.mu.Unlock()
	resting := make(map[offsets.Partition]*walker)
	for _, w := range c.walkers {
		p := w.shop.partition()
		if w.running {
			if wanted[p] != w.member && !w.leaving {
				w.leaving = true
				w.stop()
			}
			delete(wanted, p) // reconcile runs again after it has ended
			continue
		}
		resting[p] = w
	}
	for p, w := range resting {
		switch m := wanted[p]; {
		case m == w.member:
			m.status.set(StateStarting, nil)
			c.launch(w)
			delete(wanted, p)
		case !kept[p] || m != nil && w.failed:
			c.drop(w) // a failed shop's state in memory may be why: read it again
		case m != nil && c.encoders[m.shop.Topic] != nil:
			c.replace(w, m)
			delete(wanted, p)
		}
	}
	arriving := make(map[string][]*member) // by the topic that has no encoder yet
	for p, m := range wanted {
		if c.fetching[p] == m {
			continue
		}
		topic := m.shop.Topic
		if c.encoders[topic] != nil {
			topic = ""
		}
		arriving[topic] = append(arriving[topic], m)
	}
	for topic, members := range arriving {
		c.fetch(topic, members)
	}
}

// replace continues a changed shop from the state of its former walker.
func (c *committer) replace(w *walker, m *member) {
	known := &offsets.Shop{Checkpoint: w.state, Stored: w.stored}
	c.drop(w)
	c.start(m, known)
}

// drop removes a walker that is not running.
func (c *committer) drop(w *walker) {
	w.uncount()
	c.walkers = slices.DeleteFunc(c.walkers, func(other *walker) bool { return other == w })
}

// walkerLeft handles the end of a walker whose orders are all committed.
func (c *committer) walkerLeft(e walkerEnded) {
	w := e.walker
	w.running, w.failed = false, e.err != nil && !w.leaving
	c.running--
	l, p := c.lane, w.shop.partition()
	l.mu.Lock()
	delete(l.walking, p)
	if m := l.member(p); w.leaving && m != nil && !m.wanted.walk() {
		m.show()
	}
	l.mu.Unlock()
	if !w.leaving {
		l.end(w.member, e.err)
	}
}

// fetch loads the checkpoints of shops and the encoder of their topic in the background,
// and sends an arrival. The lane is read once for all of them. topic is empty if each has
// an encoder.
func (c *committer) fetch(topic string, members []*member) {
	for _, m := range members {
		c.fetching[m.shop.partition()] = m
	}
	least := c.writer.End(c.lane.cfg.OffsetsTopic, int32(c.lane.number))
	c.group.Go(func() {
		a := c.loadArrival(topic, members, least)
		select {
		case c.arrivals <- a:
		case <-c.walking.Done():
		}
	})
}

// loadArrival is the work of fetch. least is the offset that the reading has to reach: what
// was committed of the shops may be there.
func (c *committer) loadArrival(topic string, members []*member, least int64) arrival {
	l, a := c.lane, arrival{members: members, topic: topic}
	if topic != "" {
		if a.encoder, a.refused = l.cfg.Format.Open(c.walking, topic); a.refused != nil {
			return a
		}
	}
	these := make(map[offsets.Partition]bool, len(members))
	for _, m := range members {
		these[m.shop.partition()] = true
	}
	var end int64
	a.loaded, end, a.err = l.load(c.walking, func(p offsets.Partition) bool { return these[p] })
	if a.err == nil && end < least {
		a.err = fmt.Errorf("read checkpoints of lane %d: %w", l.number, txn.ErrOutdated)
	}
	if a.err == nil {
		a.err = l.failMisplaced(c.walking, &a.loaded, members)
	}
	return a
}

// arrive starts shops that fetch has loaded. An error ends the life of the lane.
func (c *committer) arrive(a arrival) error {
	l := c.lane
	for _, m := range a.members {
		if p := m.shop.partition(); c.fetching[p] == m {
			delete(c.fetching, p)
		}
	}
	switch {
	case c.walking.Err() != nil || a.err != nil:
		return a.err
	case a.refused != nil:
		l.refuseTopic(a.topic, fmt.Errorf("open format %s for topic %s: %w", l.cfg.Format.Name, a.topic, a.refused))
		return nil
	case a.encoder != nil:
		c.encoders[a.topic] = a.encoder
		c.writer.Cover(a.topic)
	}
	known := make(map[offsets.Partition]bool, len(c.walkers))
	for _, w := range c.walkers {
		known[w.shop.partition()] = true
	}
	changed := false
	for _, m := range a.members {
		switch p := m.shop.partition(); {
		case known[p] || !l.current(m):
			changed = true
		case a.loaded.Faults[p] != nil:
			l.end(m, a.loaded.Faults[p])
		default:
			c.start(m, a.loaded.Shops[p])
		}
	}
	if changed { // some have changed in the meantime
		c.reconcile()
	}
	return nil
}
