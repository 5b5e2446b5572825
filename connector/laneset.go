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

// reopenDelay is how long a lane rests that gave itself up although it is assigned.
const reopenDelay = time.Second

// laneSet runs the lanes assigned to this worker. Each assignment is complete. Between
// two assignments lanes keep running, also during a rebalance: the transactional ID,
// not the group, prevents other workers from committing to them.
type laneSet struct {
	log     *slog.Logger
	current func(context.Context, group.Assignment) (bool, error)
	rest    func(group.Rest) // announces to the group what this worker has left to do
	// open returns the lane with its shops, nil if it has none; ended are those that
	// ended while the lane was run here before.
	open func(number int, ended []*member) *lane
	// changed is called after every lane that starts or ends, failed with an error that
	// another life of the lane cannot resolve.
	changed func()
	failed  func(error)

	mu         sync.Mutex
	ctx        context.Context // of all lanes
	stop       context.CancelFunc
	assigned   group.Assignment
	lanes      map[int]*runningLane
	commitLogs map[int]*txn.CommitLog // by lane; kept after a lane ends
	group      sync.WaitGroup
}

// runningLane is one lane that this worker runs, until it has drained.
type runningLane struct {
	lane *lane
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{} // closed when the lane has drained, or none of its shops is to be walked
	// idle reports that none of its shops is to be walked. laneSet.mu guards it.
	idle bool
}

func (rl *runningLane) stopping() bool { return rl.ctx.Err() != nil }

// assign starts lanes that are newly assigned and stops those that no longer are. It
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
			if s.idle && !s.lane.allEnded() {
				// It waited for shops that are paused or stopped; another worker does now.
				delete(ls.lanes, number)
				s.lane.handOver(false)
			}
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

// start runs a lane unless it is running. If it is still draining here, the new run
// waits for that. The caller holds mu.
func (ls *laneSet) start(number int) bool {
	before := ls.lanes[number]
	if ls.ctx.Err() != nil || before != nil && !before.stopping() {
		return false
	}
	var ended []*member
	if before != nil {
		ended = before.lane.ended()
	}
	l := ls.open(number, ended)
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
		l.showAll() // the lane before has shown its shops as walked elsewhere
		err := l.run(ctx)
		ls.leave(number, s, err)
		close(s.done)
	})
	return true
}

// leave notes that a lane has ended. A lane none of whose shops is to be walked stays in
// the set, so that the next assignment does not start it again.
func (ls *laneSet) leave(number int, s *runningLane, err error) {
	ls.mu.Lock()
	gone := s.stopping()
	if err == nil && !gone {
		s.idle = true
		ls.mu.Unlock()
		ls.changed()
		return
	}
	s.stop()
	if ls.lanes[number] == s {
		delete(ls.lanes, number)
	}
	reopen := errors.Is(err, errNotMine) && !gone && slices.Contains(ls.assigned.Lanes, number)
	ls.mu.Unlock()
	s.lane.handOver(ls.ctx.Err() != nil)
	switch {
	case reopen:
		// The lane gave itself up between two assignments, and the later one assigns it
		// to this worker: the coordinator may have answered from the earlier one.
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

// mine reports whether a lane is assigned to this worker and the assignment is the
// group's latest.
func (ls *laneSet) mine(ctx context.Context, number int) (bool, error) {
	ls.mu.Lock()
	a := ls.assigned
	ls.mu.Unlock()
	if !slices.Contains(a.Lanes, number) {
		return false, nil
	}
	return ls.current(ctx, a)
}

// lost stops every lane: this worker's session has timed out, and others own the lanes.
func (ls *laneSet) lost() {
	ls.assign(group.Assignment{})
}

// change gives lanes their present shops. A lane that has none left is stopped, one
// that had none is started.
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
		if s != nil && s.idle && ls.lanes[number] == s {
			// It has left, and nothing runs in its place: it is not this worker's any more.
			delete(ls.lanes, number)
			s.lane.handOver(false)
		}
	}
	ls.mu.Unlock()
	ls.changed()
}

// standing returns the standing of a shop; here reports whether this worker runs its
// lane.
func (ls *laneSet) standing(number int, p offsets.Partition) (s standing, here bool) {
	ls.mu.Lock()
	running := ls.lanes[number]
	ls.mu.Unlock()
	if running == nil {
		return standing{}, false
	}
	return running.lane.standing(p), true
}

// numbers lists the lanes that this worker runs.
func (ls *laneSet) numbers() []int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Sorted(maps.Keys(ls.lanes))
}

// drain stops every lane and waits until what they have read is committed.
func (ls *laneSet) drain() {
	ls.mu.Lock()
	ls.stop()
	ls.mu.Unlock() // no lane starts after this
	ls.group.Wait()
}

// others returns what the group's other workers have left to do.
func (ls *laneSet) others() group.Rest {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.assigned.Others
}

// members returns how many workers the group had when it assigned the lanes; 0 = not
// assigned yet, or not counted.
func (ls *laneSet) members() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.assigned.Members
}
