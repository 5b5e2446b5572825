package group

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Durations in these tests are virtual: exact, and the same on every machine. A
// rebalance waits for every member's next heartbeat.
const rebalance = 550 * time.Millisecond

func TestWorkersComeAndGo(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("a")
		w.within(100*time.Millisecond, a)
		if a.count(EventAssigned) != 1 || a.tellings() > 2 || a.last().Members != 1 {
			t.Errorf("assigned %d times, last %+v", a.tellings(), a.last())
		}
		had := a.has()
		b := w.start("b")
		w.within(rebalance, a, b)
		if lost := without(had, a.has()); len(lost) != 6 || !slices.Equal(lost, b.has()) {
			t.Errorf("a lost %v, b has %v", lost, b.has())
		}
		hadA, hadB := a.has(), b.has()
		c := w.start("c")
		w.within(rebalance, a, b, c)
		if lost := slices.Concat(without(hadA, a.has()), without(hadB, b.has())); len(lost) != 4 {
			t.Errorf("a and b lost %v, c has %v", lost, c.has())
		}
		w.stays(5*time.Minute, a, b, c)

		// A planned stop: the others do not wait for a session timeout.
		hadA, hadC := a.has(), c.has()
		b.stop()
		w.within(rebalance, a, c)
		if lost := slices.Concat(without(hadA, a.has()), without(hadC, c.has())); len(lost) != 0 {
			t.Errorf("a and c lost %v when b left", lost)
		}
		if b.err != nil {
			t.Errorf("Run = %v", b.err)
		}
		for _, k := range w.all {
			if n, _ := k.timesLost(); n > 0 || k.log.Count("") != k.log.Count("level=DEBUG msg=assigned") {
				t.Errorf("%s: lost %d times, log %s", k.name, n, k.log.String())
			}
		}
	})
}

func without(had, has []int) []int {
	return slices.DeleteFunc(slices.Clone(had), func(lane int) bool { return slices.Contains(has, lane) })
}

func TestMoreWorkersThanLanes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *fixture) {
		a, b, c := w.start("a"), w.start("b"), w.start("c")
		w.within(2*rebalance, a, b, c)
		idle := []*worker{a, b, c}[slices.IndexFunc([]*worker{a, b, c}, func(k *worker) bool { return len(k.has()) == 0 })]
		idle.stop()
		rest := slices.DeleteFunc([]*worker{a, b, c}, func(k *worker) bool { return k == idle })
		rest[0].stop()
		w.within(2*rebalance, rest[1])
	})
}

// Lanes move to workers with less load.
func TestLoadDecides(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, w *fixture) {
		shops := func(c *Config) {
			c.Load = func() map[int]int { return map[int]int{0: 700, 1: 100, 2: 100, 3: 100, 9: -5} }
		}
		a, b := w.start("a", shops), w.start("b", shops)
		w.eventually(2*rebalance, func() string {
			if a.last().Generation != b.last().Generation || len(a.has())+len(b.has()) != 8 {
				return "lanes are missing"
			}
			return ""
		})
		heavy := a
		if slices.Contains(b.has(), 0) {
			heavy = b
		}
		for lane := 1; lane <= 3; lane++ {
			if slices.Contains(heavy.has(), lane) {
				t.Errorf("who has the heavy lane has %v", heavy.has())
			}
		}
	})
}

// A killed worker holds its lanes for a session timeout, unless it starts again under
// its own worker ID.
func TestKilledWorker(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b, c := w.start("a"), w.start("b"), w.start("c")
		w.within(2*rebalance, a, b, c)
		c.die()
		w.stays(session-time.Second, a, b)
		w.within(time.Second+rebalance, a, b)

		hadA := a.has()
		b.die()
		again := w.start("b")
		w.within(rebalance, a, again)
		if lost := without(hadA, a.has()); len(lost) > 0 {
			t.Errorf("a lost %v", lost)
		}
		if again.count(EventGhostRemoved) != 1 || !strings.Contains(again.log.String(), "worker_id=b") {
			t.Errorf("%d ghosts removed, log %s", again.count(EventGhostRemoved), again.log.String())
		}

		// Members with another ID stay, and a worker without an ID removes none.
		again.die()
		for _, name := range []string{"", "bb"} {
			other := w.start(name)
			time.Sleep(2 * time.Second)
			if other.tellings() != 0 || other.count(EventGhostRemoved) != 0 {
				t.Errorf("worker %q did not wait for the ghost of b", name)
			}
			other.stop()
		}
	})
}

// A worker is killed in the middle of a rebalance, before the others have joined.
func TestKilledWhileJoining(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("a")
		w.within(rebalance, a)
		b := w.start("b")
		time.Sleep(time.Millisecond)
		b.die()
		again := w.start("b")
		w.within(2*rebalance, a, again)
	})
}

// The brokers know the group before they know the topic.
func TestTopicComesLater(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		w.lanes = 12
		if err := w.CreateTopic(topic, 12, nil); err != nil {
			t.Fatal(err)
		}
		w.within(3*time.Second, a, b)
		w.stays(time.Minute, a, b)
	})
}

// A broker that does not know the topic for a moment takes no lanes away.
func TestTopicForgotten(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a, b := w.start("a"), w.start("b")
		w.within(2*rebalance, a, b)
		hadA, hadB := a.has(), b.has()
		fault := w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.Metadata), Topic: topic, Err: kerr.UnknownTopicOrPartition, Count: -1})
		c := w.start("c")
		w.eventually(2*rebalance, func() string {
			if c.tellings() == 0 {
				return "c is not in"
			}
			return ""
		})
		kept := slices.Concat(a.has(), b.has(), c.has())
		slices.Sort(kept)
		if !slices.Equal(kept, upTo(12)) || len(without(a.has(), hadA))+len(without(b.has(), hadB)) > 0 {
			t.Errorf("had %v %v, have %v %v %v", hadA, hadB, a.has(), b.has(), c.has())
		}
		fault.Remove()
		time.Sleep(2 * rebalance) // the leader asks again
		w.within(rebalance, a, b, c)
		w.stays(time.Minute, a, b, c)
	})
}

func TestCurrent(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		a := w.start("a")
		w.within(rebalance, a)
		first := a.last()
		current := func(k *worker, about Assignment, want bool) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if is, err := k.Current(ctx, about); err != nil || is != want {
				t.Errorf("Current = %v, %v, want %v\n%s", is, err, want, w.logs())
			}
		}
		current(a, first, true)
		b := w.start("b")
		time.Sleep(time.Millisecond) // b has begun a rebalance; a does not know of it yet
		if a.last().Generation != first.Generation {
			t.Fatal("a has joined again already")
		}
		current(a, first, true)
		w.within(rebalance, a, b)
		current(a, first, false)
		current(a, a.last(), true)
		current(b, b.last(), true)
		current(a, Assignment{Generation: b.last().Generation, Member: "nobody"}, false)

		w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.Heartbeat), Err: kerr.NotCoordinator, Count: 5})
		current(a, a.last(), true)
		last := b.last()
		b.stop()
		current(b, last, false)

		a.wire.set(wireDown)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if is, err := a.Current(ctx, a.last()); is || err == nil {
			t.Errorf("Current = %v, %v without a network", is, err)
		}
		a.wire.set(wireUp)
		w.Cluster.Fault(kfake.Fault{Keys: keys(kmsg.Heartbeat), Err: kerr.GroupAuthorizationFailed, Count: -1})
		var refused *Error
		if _, err := a.Current(t.Context(), a.last()); !errors.As(err, &refused) || !errors.Is(err, kafka.GroupAuthorizationFailed) {
			t.Errorf("Current = %v", err)
		}
	})
}

// A stop never waits for Kafka: not for a join that others delay, and not for brokers
// that do not answer. It leaves no dead member behind if it can.
func TestStop(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(w *fixture) *worker
		limit   time.Duration
		left    []string
	}{
		"while joining first": {func(w *fixture) *worker {
			w.start("ghost").eventuallyIn(w).die()
			k := w.start("k")
			time.Sleep(time.Second)
			return k
		}, 10 * time.Millisecond, []string{"ghost"}},
		"while joining again": {func(w *fixture) *worker {
			k, ghost := w.start("k"), w.start("ghost")
			w.within(2*rebalance, k, ghost)
			ghost.die()
			w.start("third")
			time.Sleep(time.Second)
			return k
		}, 10 * time.Millisecond, []string{"ghost", "third"}},
		"brokers unreachable": {func(w *fixture) *worker {
			k := w.start("k").eventuallyIn(w)
			k.wire.set(wireDown)
			return k
		}, leaveLimit, []string{"k"}},
		"brokers mute": {func(w *fixture) *worker {
			k := w.start("k").eventuallyIn(w)
			k.wire.set(wireMute)
			time.Sleep(time.Second)
			return k
		}, leaveLimit, []string{"k"}},
		"never reached": {func(w *fixture) *worker {
			k := w.worker("k")
			k.wire.set(wireDown)
			k.start()
			time.Sleep(time.Minute)
			return k
		}, leaveLimit, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 12, func(t *testing.T, w *fixture) {
				k := test.prepare(w)
				began := time.Now()
				k.stop()
				if took := time.Since(began); took > test.limit {
					t.Errorf("stopping took %v, want at most %v\n%s", took, test.limit, w.logs())
				}
				if got := w.inGroup(); !slices.Equal(got, test.left) {
					t.Errorf("left in the group: %v, want %v", got, test.left)
				}
				if k.err != nil {
					t.Errorf("Run = %v", k.err)
				}
			})
		})
	}
}

func (k *worker) eventuallyIn(w *fixture) *worker {
	w.t.Helper()
	w.within(2*rebalance, k)
	return k
}

// A worker that is slow to handle an assignment stays a member, and gets the latest one
// when it is ready.
func TestSlowWorker(t *testing.T) {
	inBubble(t, 12, func(t *testing.T, w *fixture) {
		k := w.worker("slow")
		ctx, cancel := context.WithCancel(w.ctx)
		told := make(chan Assignment)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := k.Run(ctx, func(a Assignment) { told <- a }, func() { t.Error("lost") }); err != nil {
				t.Error(err)
			}
		}()
		first := <-told
		for range 3 {
			w.start("b").eventually(w)
			time.Sleep(3 * session)
		}
		var latest Assignment
		for range 2 { // one may have been on its way
			latest = <-told
			if latest.Generation > first.Generation {
				break
			}
		}
		if latest.Member != first.Member || latest.Generation <= first.Generation {
			t.Errorf("first %+v, latest %+v", first, latest)
		}
		cancel()
		for {
			select {
			case <-told:
				continue
			case <-done:
			}
			break
		}
		k.transport.CloseIdleConnections()
		synctest.Wait()
	})
}

func (k *worker) eventually(w *fixture) {
	w.eventually(3*time.Second, func() string {
		if k.tellings() == 0 {
			return "not in"
		}
		return ""
	})
	k.stop()
}
