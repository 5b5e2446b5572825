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

// reopenDelay is how long a lane that was given up, and is assigned all the
// same, rests before it is opened again.
const reopenDelay = time.Second

// laneSet runs the lanes that are assigned to this worker. An assignment is the
// whole truth about which those are, and between two of them nothing is: a lane
// that stays goes on through a rebalance, because its transactional ID, not the
// group, keeps others from committing to it.
type laneSet struct {
	log     *slog.Logger
	current func(context.Context, group.Assignment) (bool, error)
	rest    func(group.Rest)       // tells the others what there is to do here
	open    func(number int) *lane // the lane with its shops; nil when it has none
	// changed hears of every lane that has started or ended, failed of an error
	// that no other life of the lane can mend.
	changed func()
	failed  func(error)

	mu         sync.Mutex
	ctx        context.Context // of all lanes
	stop       context.CancelFunc
	assigned   group.Assignment
	lanes      map[int]*runningLane
	commitLogs map[int]*txn.CommitLog // of lanes that have been on
	group      sync.WaitGroup
}

// runningLane is one lane in the care of this worker, until it has drained.
type runningLane struct {
	lane *lane
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{} // closed when the lane has drained, or all its shops have ended
}

func (rl *runningLane) stopping() bool { return rl.ctx.Err() != nil }

// assign starts the lanes that are new here and stops those that are gone. It
// waits for neither.
func (ls *laneSet) assign(a group.Assignment) {
	ls.mu.Lock()
	var started, stopped []int
	news := a.Generation != ls.assigned.Generation
	ls.assigned = a
	for number, s := range ls.lanes {
		if !slices.Contains(a.Lanes, number) && !s.stopping() {
			s.stop()
			stopped = append(stopped, number)
		}
	}
	for _, number := range a.Lanes {
		if ls.start(number) {
			started = append(started, number)
		}
	}
	ls.mu.Unlock()
	slices.Sort(stopped)
	if news || len(started) > 0 || len(stopped) > 0 {
		ls.log.Info("lanes assigned", "generation", a.Generation, "lanes", len(a.Lanes), "started", started, "stopped", stopped)
	}
	ls.changed()
}

// start puts a lane on, unless it is on. One that is still draining here is
// waited for. The caller holds mu.
func (ls *laneSet) start(number int) bool {
	before := ls.lanes[number]
	if ls.ctx.Err() != nil || before != nil && !before.stopping() {
		return false
	}
	l := ls.open(number)
	if l == nil {
		return false
	}
	if ls.commitLogs == nil {
		ls.commitLogs = make(map[int]*txn.CommitLog)
	}
	if ls.commitLogs[number] == nil {
		ls.commitLogs[number] = &txn.CommitLog{}
	}
	l.commitLog = ls.commitLogs[number]
	l.mine = func(ctx context.Context) (bool, error) { return ls.mine(ctx, number) }
	ctx, stop := context.WithCancel(ls.ctx)
	s := &runningLane{lane: l, ctx: ctx, stop: stop, done: make(chan struct{})}
	ls.lanes[number] = s
	ls.group.Go(func() {
		if before != nil {
			<-before.done
		}
		err := l.run(ctx)
		close(s.done)
		ls.leave(number, s, err)
	})
	return true
}

// leave notes that a lane has ended. One whose shops have all ended stays on
// the list, so that the next assignment does not begin them again.
func (ls *laneSet) leave(number int, s *runningLane, err error) {
	gone := s.stopping()
	if err == nil && !gone {
		ls.changed()
		return
	}
	s.stop()
	ls.mu.Lock()
	if ls.lanes[number] == s {
		delete(ls.lanes, number)
	}
	again := errors.Is(err, errNotMine) && !gone && slices.Contains(ls.assigned.Lanes, number)
	ls.mu.Unlock()
	s.lane.handOver(ls.ctx.Err() != nil)
	switch {
	case again:
		// Given up between two assignments, of which the later one says that it
		// is ours: the coordinator may not have known yet.
		time.AfterFunc(reopenDelay, func() { ls.reopen(number) })
	case err != nil && !errors.Is(err, errNotMine):
		ls.failed(err)
	}
	ls.changed()
}

func (ls *laneSet) reopen(number int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if slices.Contains(ls.assigned.Lanes, number) {
		ls.start(number)
	}
}

// mine asks whether a lane is assigned to this worker, and the assignment is
// the group's latest.
func (ls *laneSet) mine(ctx context.Context, number int) (bool, error) {
	ls.mu.Lock()
	a := ls.assigned
	ls.mu.Unlock()
	if !slices.Contains(a.Lanes, number) {
		return false, nil
	}
	return ls.current(ctx, a)
}

// lost stops every lane: the group has not heard of this worker for so long
// that others have them.
func (ls *laneSet) lost() {
	ls.assign(group.Assignment{})
}

// change gives lanes the shops they have by now. A lane that has none any more is
// stopped, one that had none is started.
func (ls *laneSet) change(numbers []int, shops func(number int) ([]*member, map[string]error)) {
	ls.mu.Lock()
	for _, number := range numbers {
		s := ls.lanes[number]
		members, refused := shops(number)
		if s != nil && !s.stopping() && len(members) > 0 && s.lane.set(members, refused) {
			continue
		}
		if s != nil {
			s.stop()
		}
		if slices.Contains(ls.assigned.Lanes, number) {
			ls.start(number)
		}
	}
	ls.mu.Unlock()
	ls.changed()
}

// standing returns that of a shop of a lane, if the lane is in the care of this worker.
func (ls *laneSet) standing(number int, p offsets.Partition) (s standing, here bool) {
	ls.mu.Lock()
	shift := ls.lanes[number]
	ls.mu.Unlock()
	if shift == nil {
		return standing{}, false
	}
	return shift.lane.standing(p), true
}

// numbers lists the lanes that are in the care of this worker.
func (ls *laneSet) numbers() []int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Sorted(maps.Keys(ls.lanes))
}

// drain stops every lane and waits until what they had read is committed.
func (ls *laneSet) drain() {
	ls.mu.Lock()
	ls.stop()
	ls.mu.Unlock() // nothing starts after this
	ls.group.Wait()
}

// others is what the other workers of the group have to do.
func (ls *laneSet) others() group.Rest {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.assigned.Others
}

// members is how many workers the group had when it assigned the lanes; 0 when
// it has not yet, or they have not been counted.
func (ls *laneSet) members() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.assigned.Members
}
