package connector

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"orderwalk/internal/group"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// retakeDelay is how long a lane that was given up, and is assigned all the
// same, rests before it is opened again.
const retakeDelay = time.Second

// crew runs the lanes that are assigned to this worker. An assignment is the
// whole truth about which those are, and between two of them nothing is: a lane
// that stays goes on through a rebalance, because its transactional ID, not the
// group, keeps others from committing to it.
type crew struct {
	log     *slog.Logger
	current func(context.Context, group.Assignment) (bool, error)
	rest    func(group.Rest)       // tells the others what there is to do here
	open    func(number int) *lane // the lane with its shops; nil when it has none
	// changed hears of every lane that has started or ended, failed of an error
	// that no other life of the lane can mend.
	changed func()
	failed  func(error)

	mu       sync.Mutex
	ctx      context.Context // of all lanes
	stop     context.CancelFunc
	assigned group.Assignment
	shifts   map[int]*shift
	memories map[int]*txn.Memory // of lanes that have been on
	group    sync.WaitGroup
}

// shift is one lane in the care of this worker, until it has drained.
type shift struct {
	lane *lane
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{} // closed when the lane has drained, or all its shops have ended
}

func (s *shift) leaving() bool { return s.ctx.Err() != nil }

// assign starts the lanes that are new here and stops those that are gone. It
// waits for neither.
func (c *crew) assign(a group.Assignment) {
	c.mu.Lock()
	var started, stopped []int
	news := a.Generation != c.assigned.Generation
	c.assigned = a
	for number, s := range c.shifts {
		if !slices.Contains(a.Lanes, number) && !s.leaving() {
			s.stop()
			stopped = append(stopped, number)
		}
	}
	for _, number := range a.Lanes {
		if c.start(number) {
			started = append(started, number)
		}
	}
	c.mu.Unlock()
	slices.Sort(stopped)
	if news || len(started) > 0 || len(stopped) > 0 {
		c.log.Info("lanes assigned", "generation", a.Generation, "lanes", len(a.Lanes), "started", started, "stopped", stopped)
	}
	c.changed()
}

// start puts a lane on, unless it is on. One that is still draining here is
// waited for. The caller holds mu.
func (c *crew) start(number int) bool {
	before := c.shifts[number]
	if c.ctx.Err() != nil || before != nil && !before.leaving() {
		return false
	}
	l := c.open(number)
	if l == nil {
		return false
	}
	if c.memories == nil {
		c.memories = make(map[int]*txn.Memory)
	}
	if c.memories[number] == nil {
		c.memories[number] = &txn.Memory{}
	}
	l.memory = c.memories[number]
	l.mine = func(ctx context.Context) (bool, error) { return c.mine(ctx, number) }
	ctx, stop := context.WithCancel(c.ctx)
	s := &shift{lane: l, ctx: ctx, stop: stop, done: make(chan struct{})}
	c.shifts[number] = s
	c.group.Go(func() {
		if before != nil {
			<-before.done
		}
		err := l.run(ctx)
		close(s.done)
		c.leave(number, s, err)
	})
	return true
}

// leave notes that a lane has ended. One whose shops have all ended stays on
// the list, so that the next assignment does not begin them again.
func (c *crew) leave(number int, s *shift, err error) {
	gone := s.leaving()
	if err == nil && !gone {
		c.changed()
		return
	}
	s.stop()
	c.mu.Lock()
	if c.shifts[number] == s {
		delete(c.shifts, number)
	}
	again := errors.Is(err, errNotMine) && !gone && slices.Contains(c.assigned.Lanes, number)
	c.mu.Unlock()
	s.lane.handOver(c.ctx.Err() != nil)
	switch {
	case again:
		// Given up between two assignments, of which the later one says that it
		// is ours: the coordinator may not have known yet.
		time.AfterFunc(retakeDelay, func() { c.retake(number) })
	case err != nil && !errors.Is(err, errNotMine):
		c.failed(err)
	}
	c.changed()
}

func (c *crew) retake(number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.assigned.Lanes, number) {
		c.start(number)
	}
}

// mine asks whether a lane is assigned to this worker, and the assignment is
// the group's latest.
func (c *crew) mine(ctx context.Context, number int) (bool, error) {
	c.mu.Lock()
	a := c.assigned
	c.mu.Unlock()
	if !slices.Contains(a.Lanes, number) {
		return false, nil
	}
	return c.current(ctx, a)
}

// lost stops every lane: the group has not heard of this worker for so long
// that others have them.
func (c *crew) lost() {
	c.assign(group.Assignment{})
}

// change gives lanes the shops they have by now. A lane that has none any more is
// stopped, one that had none is started.
func (c *crew) change(numbers []int, shops func(number int) ([]*member, map[string]error)) {
	c.mu.Lock()
	for _, number := range numbers {
		s := c.shifts[number]
		members, refused := shops(number)
		if s != nil && !s.leaving() && len(members) > 0 && s.lane.set(members, refused) {
			continue
		}
		if s != nil {
			s.stop()
		}
		if slices.Contains(c.assigned.Lanes, number) {
			c.start(number)
		}
	}
	c.mu.Unlock()
	c.changed()
}

// standing returns that of a shop of a lane, if the lane is in the care of this worker.
func (c *crew) standing(number int, p offsets.Partition) (s standing, here bool) {
	c.mu.Lock()
	shift := c.shifts[number]
	c.mu.Unlock()
	if shift == nil {
		return standing{}, false
	}
	return shift.lane.standing(p), true
}

// on lists the lanes that are in the care of this worker.
func (c *crew) on() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.shifts))
}

// drain stops every lane and waits until what they had read is committed.
func (c *crew) drain() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock() // nothing starts after this
	c.group.Wait()
}

// others is what the other workers of the group have to do.
func (c *crew) others() group.Rest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.assigned.Others
}

// members is how many workers the group had when it assigned the lanes; 0 when
// it has not yet, or they have not been counted.
func (c *crew) members() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.assigned.Members
}
