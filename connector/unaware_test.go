package connector

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// The worker that walks a shop may hear late of what operators want: another worker
// answers them, and this one may have been frozen.

// back returns an edit that forgets what is stored of a shop.
func back(s Stored) (*offsets.Checkpoint, error) {
	return offsets.Edit(s.Partition, s.Checkpoint, []offsets.Entry{{Partition: map[string]any{"shop": s.Partition.Shop, "range": s.Partition.Range}}}, time.Now().Unix())
}

// shopOf returns a configured shop.
func (p *process) shopOf(name string) Shop {
	shops := p.Shops()
	return shops[slices.IndexFunc(shops, func(s Shop) bool { return s.Name == name })]
}

// A shop that has ended is stopped, sent back and resumed, of which its worker sees only
// the number of the restart: it reads its range again, whether its lane has ended or not.
func TestAShopSentBackBehindItsWorkersBack(t *testing.T) {
	for name, alone := range map[string]bool{"alone in its lane": true, "with a neighbour": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				guest, p := backlog("guest", 200)
				neighbour, q := backlog("neighbour", 200)
				neighbour.Live.Rate, q.End = 0.5, 0
				a.simulate(simulator.Config{Seed: 82, Shops: []simulator.Shop{guest, neighbour}})
				run := a.prepare(shop{appID: "guest", policy: p}, shop{appID: "neighbour", policy: q})
				run.cfg.OffsetsPartitions = 1
				if alone {
					run.Steer(map[string]Wanted{"neighbour": {Paused: true}})
				}
				a.run(run)
				a.until("guest is done", func() bool { return run.statusOf("guest").State == StateDone })
				time.Sleep(10 * time.Second)
				before := a.counted("guest")
				if err := run.Alter(a.Context(), run.shopOf("guest"), back); err != nil {
					t.Fatal(err)
				}
				run.Steer(map[string]Wanted{"guest": {Restarts: 1}, "neighbour": {Paused: alone}})
				a.until("guest is read again", func() bool { return len(again(before, a.counted("guest"))) == len(before) })
				if err := run.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// again returns the orders that were published after before.
func again(before, after map[string]int) (more []string) {
	for id, n := range after {
		if n > before[id] {
			more = append(more, id)
		}
	}
	return more
}

// A shop is stopped while its lane begins another life: it is shown as stopped.
func TestAShopIsStoppedWhileItsLaneStartsAgain(t *testing.T) {
	inBubble(t, func(a *testbed) {
		guest, p := backlog("guest", 3000)
		p.End, p.PageSize = 0, 1
		a.simulate(simulator.Config{Seed: 83, Shops: []simulator.Shop{guest}})
		run := a.prepare(shop{appID: "guest", policy: p, rate: 100})
		a.run(run)
		a.until("guest is being read", func() bool { return run.statusOf("guest").Published > 0 })
		refused, calls := errors.New("refused"), 0
		err := run.Alter(a.Context(), run.shopOf("guest"), func(s Stored) (*offsets.Checkpoint, error) {
			if calls++; calls == 1 {
				return s.Checkpoint, nil // tried out
			}
			run.Steer(map[string]Wanted{"guest": {Stopped: true}}) // the lane is fenced
			return nil, refused
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		a.until("guest is stopped", func() bool { return run.statusOf("guest").State == StateStopped })
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A worker that does not know yet that a shop is stopped does not walk it from where it
// was sent back to: it reads what is wanted whenever it opens the lane.
func TestAWorkerThatOpensALaneReadsWhatIsWanted(t *testing.T) {
	inBubble(t, func(a *testbed) {
		guest, p := backlog("guest", 3000)
		p.End = 0
		a.simulate(simulator.Config{Seed: 84, Shops: []simulator.Shop{guest}})
		run := a.prepare(shop{appID: "guest", policy: p, rate: 5})
		stopped := false
		run.cfg.Sidecar = &Sidecar{Key: []byte("k"), Follow: func(ctx context.Context, _ int) { <-ctx.Done() },
			CatchUp: func(context.Context) error {
				if stopped {
					run.Steer(map[string]Wanted{"guest": {Stopped: true}})
				}
				return nil
			}}
		a.run(run)
		a.until("guest is being read", func() bool { return run.statusOf("guest").Published > 0 })
		stopped = true
		if err := run.Alter(a.Context(), run.shopOf("guest"), back); err != nil {
			t.Fatal(err)
		}
		before := a.counted("guest")
		a.until("guest is stopped", func() bool { return run.statusOf("guest").State == StateStopped })
		if more := again(before, a.counted("guest")); len(more) > 0 {
			t.Errorf("%d orders of a stopped shop were published again", len(more))
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A lane is taken away and given back before it has drained: a shop that is paused is
// shown as that.
func TestAPausedShopWhoseLaneComesBack(t *testing.T) {
	steer(t, func(s *steered) {
		s.run.Steer(map[string]Wanted{"guest": {Paused: true}})
		s.expect(StatePaused)
		set := s.run.set
		assigned := set.assigned
		set.lost()
		set.assign(assigned)
		time.Sleep(time.Minute)
		s.expect(StatePaused)
		s.quiet()
		s.run.Steer(nil)
		s.expect(StateLive)
	})
}

// pair is two workers that share four shops with bounded ranges.
type pair struct {
	*testbed
	workers [2]*process
	shops   []string
}

// share plays a story of two workers, of which the second comes when the first has all
// shops. All are paused.
func share(t *testing.T, story func(p pair)) {
	inBubble(t, func(a *testbed) {
		world := simulator.Config{Seed: 85}
		p := pair{testbed: a, shops: []string{"a", "b", "c", "d"}}
		var shops []shop
		for _, id := range p.shops {
			listed, policy := backlog(id, 100)
			world.Shops = append(world.Shops, listed)
			shops = append(shops, shop{appID: id, policy: policy})
		}
		a.simulate(world)
		p.workers = [2]*process{a.prepare(shops...), a.prepare(shops...)}
		p.steer(map[string]Wanted{"a": {Paused: true}, "b": {Paused: true}, "c": {Paused: true}, "d": {Stopped: true}})
		a.run(p.workers[0])
		a.until("the first worker has all shops", func() bool { return len(p.shopsOf(0)) == len(p.shops) })
		a.run(p.workers[1])
		a.until("each has some", func() bool {
			first, second := p.shopsOf(0), p.shopsOf(1)
			return len(first) > 0 && len(second) > 0 && len(first)+len(second) == len(p.shops)
		})
		story(p)
	})
}

func (p pair) steer(wanted map[string]Wanted) {
	for _, w := range p.workers {
		w.Steer(wanted)
	}
}

// shopsOf lists the shops of a worker's lanes.
func (p pair) shopsOf(i int) (shops []string) {
	for _, id := range p.shops {
		if p.workers[i].statusOf(id).State != StateElsewhere {
			shops = append(shops, id)
		}
	}
	return shops
}

func (p pair) end() {
	p.Helper()
	for _, w := range p.workers {
		if err := w.wait(); err != nil {
			p.Error(err)
		}
	}
	for _, id := range p.shops {
		if p.workers[0].statusOf(id).State != StateDone && p.workers[1].statusOf(id).State != StateDone {
			p.Errorf("shop %s is not done", id)
		}
	}
}

// The lane of a shop that is paused or stopped moves: the worker that had it does not
// wait for it any more.
func TestALaneOfPausedShopsMoves(t *testing.T) {
	share(t, func(p pair) {
		p.steer(nil)
		p.end()
	})
}

// A worker has seen that the shop of another one is done, and hears that it was sent back:
// it stays until the shop is done again.
func TestAShopThatIsSentBackIsNotDone(t *testing.T) {
	share(t, func(p pair) {
		mine, others := p.shopsOf(0)[0], p.shopsOf(1)[0]
		p.steer(map[string]Wanted{mine: {Paused: true}})
		p.until(others+" is done", func() bool { return p.workers[1].statusOf(others).State == StateDone })
		time.Sleep(time.Minute) // workers look at each other's checkpoints
		p.steer(map[string]Wanted{mine: {Paused: true}, others: {Stopped: true}})
		if err := p.workers[1].Alter(p.Context(), p.workers[1].shopOf(others), back); err != nil {
			t.Fatal(err)
		}
		p.steer(map[string]Wanted{others: {Stopped: true}})
		p.until(mine+" is done", func() bool { return p.workers[0].statusOf(mine).State == StateDone })
		time.Sleep(time.Minute)
		for i, w := range p.workers {
			if ended(w) {
				t.Errorf("worker %d ended while shop %s was to be read again", i, others)
			}
		}
		p.steer(nil)
		p.end()
	})
}
