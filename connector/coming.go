package connector

import (
	"context"
	"fmt"
	"slices"

	"orderwalk/internal/record"
	"orderwalk/offsets"
)

// Shops come and go while a lane lives. A walker whose shop was removed, changed or
// paused ends; what it has read is committed, and its neighbours do not notice. One
// that was changed or resumed goes on from the state in memory; a shop that is new
// here is read from the topic, beside the walk.

// arrival is what a shop that has come to a lane begins with.
type arrival struct {
	member  *member
	known   *offsets.Shop  // what the topic holds; nil = nothing
	fault   error          // why the shop cannot be walked
	encoder record.Encoder // of its topic, if that is new to this life
	refused error          // why there is no encoder
	err     error          // Kafka's, of the lane
}

// start adds a walker of a shop that nothing in this life knows yet, and runs it.
func (c *committer) start(m *member, known *offsets.Shop) {
	l := c.lane
	w := &walker{member: m, shop: m.shop, host: l.cfg.Host, sheet: m.sheet, inbox: m.inbox, history: m.history, log: l.log.With("shop", m.shop.Name), space: c.space, spare: l.spare, ids: l.ids, now: c.now, soon: c.soon}
	if known != nil {
		w.state, w.stored = known.Checkpoint, known.Stored
		if w.state != nil {
			m.history.checkpointed()
			m.sheet.started(w.state.Watermark)
		}
	}
	c.walkers = append(c.walkers, w)
	c.launch(w)
}

// launch runs a walker that does not run.
func (c *committer) launch(w *walker) {
	ctx, stop := context.WithCancel(c.walking)
	w.member.wait(nil)
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

// reconcile brings the walkers to what the lane's members are now.
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
			delete(wanted, p) // its end comes first
			continue
		}
		resting[p] = w
	}
	for p, w := range resting {
		switch m := wanted[p]; {
		case m == w.member:
			m.sheet.set(StateStarting, nil)
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

// replace lets a changed shop go on from the state of the walker before.
func (c *committer) replace(w *walker, m *member) {
	known := &offsets.Shop{Checkpoint: w.state, Stored: w.stored}
	c.drop(w)
	c.start(m, known)
}

// drop forgets a walker that does not run.
func (c *committer) drop(w *walker) {
	w.uncount()
	c.walkers = slices.DeleteFunc(c.walkers, func(other *walker) bool { return other == w })
}

// left takes the end of a walker, all of whose orders are committed.
func (c *committer) left(e walkerEnded) {
	w := e.walker
	w.running = false
	c.running--
	if w.leaving {
		c.lane.mu.Lock()
		paused := w.member.paused && c.lane.member(w.shop.partition()) == w.member
		c.lane.mu.Unlock()
		if paused {
			w.sheet.set(StatePaused, nil)
		}
		return
	}
	c.lane.end(w.member, e.err)
}

// fetch brings what a shop begins with, beside the walk.
func (c *committer) fetch(m *member) {
	c.fetching[m.shop.partition()] = m
	open := c.encoders[m.shop.Topic] == nil
	c.group.Go(func() {
		a := c.bring(m, open)
		select {
		case c.arrivals <- a:
		case <-c.walking.Done():
		}
	})
}

func (c *committer) bring(m *member, open bool) arrival {
	l, a, p := c.lane, arrival{member: m}, m.shop.partition()
	if open {
		if a.encoder, a.refused = l.cfg.Format.Open(c.walking, m.shop.Topic); a.refused != nil {
			return a
		}
	}
	loaded, _, err := l.load(c.walking, func(other offsets.Partition) bool { return other == p })
	if err == nil {
		err = l.place(c.walking, &loaded, []*member{m})
	}
	a.known, a.fault, a.err = loaded.Shops[p], loaded.Faults[p], err
	return a
}

// arrive takes in a shop that has come. Its error ends the life of the lane.
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
	case known || !l.current(m): // it has changed again
		c.reconcile()
	case a.fault != nil:
		l.end(m, a.fault)
	default:
		c.start(m, a.known)
	}
	return nil
}
