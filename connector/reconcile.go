package connector

import (
	"context"
	"fmt"
	"slices"

	"orderwalk/internal/record"
	"orderwalk/offsets"
)

// Shops are added, changed and removed while a lane runs. A walker whose shop was
// removed, changed or paused ends; what it has read is committed, and other walkers are
// not affected. A changed or resumed shop continues from the state in memory. The
// checkpoint of a shop that is new here is read from the topic while the others walk.

// arrival is what fetch has loaded for a shop that is new to a life of the lane.
type arrival struct {
	member  *member
	known   *offsets.Shop  // its records in the offsets topic; nil = none
	fault   error          // why the shop cannot be walked
	encoder record.Encoder // of its orders topic; nil if this life has one already
	refused error          // why the encoder could not be opened
	err     error          // an error of Kafka, which ends the life of the lane
}

// start adds a walker for a shop, and runs it. known is the shop's stored state.
func (c *committer) start(m *member, known *offsets.Shop) {
	l := c.lane
	w := &walker{member: m, shop: m.shop, host: l.cfg.Host, status: m.status, inbox: m.inbox, history: m.history, log: l.log.With("shop", m.shop.Name), space: c.space, extra: l.extra, ids: l.ids, now: c.now, soon: c.soon}
	if known != nil {
		w.state, w.stored = known.Checkpoint, known.Stored
		if w.state != nil {
			m.history.checkpointed()
			m.status.started(w.state.Watermark)
		}
	}
	c.walkers = append(c.walkers, w)
	c.launch(w)
}

// launch runs a walker that is not running.
func (c *committer) launch(w *walker) {
	ctx, stop := context.WithCancel(c.walking)
	w.member.setWaits(nil)
	w.stop, w.leaving, w.running = stop, false, true
	c.running++
	c.group.Go(func() {
		defer stop()
		err := w.run(ctx)
		select {
		case c.endings <- walkerEnded{w, err}:
		case <-c.walking.Done():
		}
	})
}

// reconcile stops, starts, replaces and drops walkers to match the lane's members.
func (c *committer) reconcile() {
	l := c.lane
	l.mu.Lock()
	walkable := l.walkable()
	members := slices.Clone(l.members)
	l.mu.Unlock()
	wanted := make(map[offsets.Partition]*member, len(walkable))
	for _, m := range walkable {
		wanted[m.shop.partition()] = m
	}
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
		case m != nil && c.encoders[m.shop.Topic] != nil:
			c.replace(w, m)
			delete(wanted, p)
		case !slices.ContainsFunc(members, func(m *member) bool { return m.shop.partition() == p }):
			c.drop(w)
		}
	}
	for p, m := range wanted {
		if c.fetching[p] != m {
			c.fetch(m)
		}
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
	w.running = false
	c.running--
	if w.leaving {
		c.lane.mu.Lock()
		paused := w.member.paused && c.lane.member(w.shop.partition()) == w.member
		c.lane.mu.Unlock()
		if paused {
			w.status.set(StatePaused, nil)
		}
		return
	}
	c.lane.end(w.member, e.err)
}

// fetch loads a shop's checkpoint and encoder in the background, and sends an arrival.
func (c *committer) fetch(m *member) {
	c.fetching[m.shop.partition()] = m
	open := c.encoders[m.shop.Topic] == nil
	c.group.Go(func() {
		a := c.loadArrival(m, open)
		select {
		case c.arrivals <- a:
		case <-c.walking.Done():
		}
	})
}

// loadArrival is the work of fetch; open = the shop's topic has no encoder yet.
func (c *committer) loadArrival(m *member, open bool) arrival {
	l, a, p := c.lane, arrival{member: m}, m.shop.partition()
	if open {
		if a.encoder, a.refused = l.cfg.Format.Open(c.walking, m.shop.Topic); a.refused != nil {
			return a
		}
	}
	loaded, _, err := l.load(c.walking, func(other offsets.Partition) bool { return other == p })
	if err == nil {
		err = l.failMisplaced(c.walking, &loaded, []*member{m})
	}
	a.known, a.fault, a.err = loaded.Shops[p], loaded.Faults[p], err
	return a
}

// arrive starts a shop that fetch has loaded. An error ends the life of the lane.
func (c *committer) arrive(a arrival) error {
	l, m := c.lane, a.member
	if p := m.shop.partition(); c.fetching[p] == m {
		delete(c.fetching, p)
	}
	switch {
	case c.walking.Err() != nil || a.err != nil:
		return a.err
	case a.refused != nil:
		l.refuseTopic(m.shop.Topic, fmt.Errorf("open format %s for topic %s: %w", l.cfg.Format.Name, m.shop.Topic, a.refused))
		return nil
	case a.encoder != nil:
		c.encoders[m.shop.Topic] = a.encoder
		c.writer.Cover(m.shop.Topic)
	}
	known := slices.ContainsFunc(c.walkers, func(w *walker) bool { return w.shop.partition() == m.shop.partition() })
	switch {
	case known || !l.current(m): // it has changed in the meantime
		c.reconcile()
	case a.fault != nil:
		l.end(m, a.fault)
	default:
		c.start(m, a.known)
	}
	return nil
}
