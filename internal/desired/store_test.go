package desired

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/internal/grouplog"
)

// fixture is a Kafka on a virtual network.
type fixture struct {
	*testing.T
	kafka   *kfake.Cluster
	network *kfake.VirtualNetwork
}

func inBubble(t *testing.T, story func(f *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		network := new(kfake.VirtualNetwork)
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "offsets"))
		if err != nil {
			t.Fatal(err)
		}
		story(&fixture{T: t, kafka: cluster, network: network})
		cluster.Close()
		synctest.Wait()
	})
}

// start returns a worker's store and a function that ends the worker.
func (f *fixture) start(name string) (*Store, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &kafka.Transport{Dial: f.network.DialContext}
	log := grouplog.New(grouplog.Config{Group: "g", Topic: "offsets", Worker: name,
		Addr: kafka.TCP("localhost:9092"), Transport: transport, TransactionTimeout: 30 * time.Second})
	s := New(Config{Log: log})
	var following sync.WaitGroup
	log.At(0)
	following.Go(func() { log.Follow(ctx) })
	synctest.Wait()
	return s, func() {
		cancel()
		following.Wait()
		transport.CloseIdleConnections()
	}
}

// target returns a decision that sets a shop's target.
func target(name string, t Target) func(View) ([]Edit, error) {
	return func(v View) ([]Edit, error) {
		return []Edit{{Name: name, Shop: v.Of(name).Aimed(t)}}, nil
	}
}

// restart returns a decision that counts one more restart of a shop.
func restart(name string) func(View) ([]Edit, error) {
	return func(v View) ([]Edit, error) {
		return []Edit{{Name: name, Shop: v.Of(name).Restarted(false)}}, nil
	}
}

func TestWhatOneWorkerChangesAllSee(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, stopOne := f.start("one")
		other, stopOther := f.start("other")
		news := other.News()
		if err := one.Change(f.Context(), target("a", Paused)); err != nil {
			f.Fatal(err)
		}
		if got := one.Of("a").Target; got != Paused {
			f.Errorf("after its own change a worker sees %s", got)
		}
		select {
		case <-news:
		case <-time.After(time.Second):
			f.Error("another worker did not see the change within a second")
		}
		if got := other.Of("a"); got.Target != Paused || got.At == 0 {
			f.Errorf("another worker sees %+v", got)
		}
		if got := other.Of("b").Target; got != Running {
			f.Errorf("a shop that was never changed is %s", got)
		}
		late, stopLate := f.start("late")
		if err := late.CatchUp(f.Context()); err != nil || late.Of("a").Target != Paused {
			f.Errorf("a worker that starts later sees %+v, %v", late.Of("a"), err)
		}
		stopOne()
		stopOther()
		stopLate()
	})
}

// A worker that looks only after a shop was changed several times, as one that was frozen,
// sees that it has to start it again.
func TestNoChangeHidesBehindALaterOne(t *testing.T) {
	inBubble(t, func(f *fixture) {
		s, stop := f.start("one")
		for name, decide := range map[string]func(Shop) Shop{
			"stopped and resumed":              func(s Shop) Shop { return s.Aimed(Stopped).Aimed(Running) },
			"restarted, and again if failed":   func(s Shop) Shop { return s.Restarted(false).Restarted(true) },
			"paused, stopped, paused, resumed": func(s Shop) Shop { return s.Aimed(Paused).Aimed(Stopped).Aimed(Paused).Aimed(Running) },
		} {
			before := s.Of("a")
			if err := s.Change(f.Context(), func(v View) ([]Edit, error) { return []Edit{{Name: "a", Shop: decide(v.Of("a"))}}, nil }); err != nil {
				f.Fatal(err)
			}
			if got := s.Of("a"); got.Target != Running || got.Restarts != before.Restarts+1 {
				f.Errorf("%s: it was %+v and is %+v", name, before, got)
			}
		}
		stop()
	})
}

func TestADeletedShopIsAsIfNeverCreated(t *testing.T) {
	inBubble(t, func(f *fixture) {
		s, stop := f.start("one")
		for _, edit := range []Edit{
			{Name: "a", Shop: Shop{Target: Stopped, Config: map[string]string{"app_id": "wx1"}}},
			{Name: "a", Delete: true},
		} {
			if err := s.Change(f.Context(), func(v View) ([]Edit, error) {
				if edit.Delete != (v.Created()["a"] != nil) {
					f.Errorf("created before %+v: %v", edit, v.Created()["a"])
				}
				return []Edit{edit}, nil
			}); err != nil {
				f.Fatal(err)
			}
		}
		late, stopLate := f.start("late")
		if err := late.CatchUp(f.Context()); err != nil {
			f.Fatal(err)
		}
		if all := late.All(); len(all) != 0 || late.Of("a").Target != Running {
			f.Errorf("after the deletion: %v", all)
		}
		stop()
		stopLate()
	})
}

// A decision is made on the latest state: of changes that workers make at the same time
// none is lost, however the commits go.
func TestNoAcknowledgedChangeIsLost(t *testing.T) {
	for name, faulty := range map[string]bool{"all goes well": false, "commits of unknown outcome": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(f *fixture) {
				if faulty {
					ends := 0
					f.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut, Count: -1,
						When: func(kmsg.Request) bool { ends++; return ends%5 == 0 }})
				}
				const workers, each = 4, 15
				var done, unknown sync.Map
				var group sync.WaitGroup
				for i := range workers {
					s, stop := f.start(fmt.Sprint(i))
					group.Go(func() {
						defer stop()
						acknowledged, doubtful := 0, 0
						for range each {
							switch err := s.Change(f.Context(), restart("a")); {
							case err == nil:
								acknowledged++
							case errors.Is(err, ErrConflict) && !faulty:
								// Another worker was first; nothing is committed.
							default:
								f.Log(err)
								doubtful++
							}
							time.Sleep(time.Duration(i) * time.Millisecond)
						}
						done.Store(i, acknowledged)
						unknown.Store(i, doubtful)
					})
				}
				group.Wait()
				least, most := 0, 0
				for i := range workers {
					a, _ := done.Load(i)
					u, _ := unknown.Load(i)
					least += a.(int)
					most += a.(int) + u.(int)
				}
				s, stop := f.start("reader")
				defer stop()
				if err := s.CatchUp(f.Context()); err != nil {
					f.Fatal(err)
				}
				if got := int(s.Of("a").Restarts); got < least || got > most {
					f.Errorf("%d changes are on the log, %d were acknowledged and %d are in doubt", got, least, most-least)
				}
				if least == 0 {
					f.Error("no change was acknowledged")
				}
			})
		})
	}
}

// A worker that freezes in the middle of a change, and goes on after another worker's
// change was acknowledged, does not undo that.
func TestAFrozenWorkerUndoesNothing(t *testing.T) {
	inBubble(t, func(f *fixture) {
		frozen, stopFrozen := f.start("frozen")
		other, stopOther := f.start("other")
		var seen []Target
		err := frozen.Change(f.Context(), func(v View) ([]Edit, error) {
			seen = append(seen, v.Of("a").Target)
			if len(seen) == 1 {
				if err := other.Change(f.Context(), target("a", Stopped)); err != nil {
					f.Fatal(err)
				}
			}
			return target("a", Paused)(v)
		})
		if !errors.Is(err, ErrConflict) || len(seen) != 2 || seen[1] != Stopped {
			f.Errorf("%v after it saw %v", err, seen)
		}
		if got := other.Of("a").Target; got != Stopped {
			f.Errorf("the acknowledged state is gone: %s", got)
		}
		stopFrozen()
		stopOther()
	})
}

// A change that says what is wanted already ends another worker's that is under way.
func TestAChangeThatChangesNothingCounts(t *testing.T) {
	inBubble(t, func(f *fixture) {
		frozen, stopFrozen := f.start("frozen")
		other, stopOther := f.start("other")
		if err := other.Change(f.Context(), target("a", Running)); err != nil { // it keeps the ID open
			f.Fatal(err)
		}
		err := frozen.Change(f.Context(), func(v View) ([]Edit, error) {
			if err := other.Change(f.Context(), target("a", Running)); err != nil {
				f.Fatal(err)
			}
			return target("a", Paused)(v)
		})
		if !errors.Is(err, ErrConflict) || other.Of("a").Target != Running {
			f.Errorf("%v, and the shop is wanted %s", err, other.Of("a").Target)
		}
		stopFrozen()
		stopOther()
	})
}

// What another worker has acknowledged is known to a worker that refuses a change, although
// it wrote the last change before and has not followed the log since.
func TestNothingIsRefusedForAnOlderState(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, stopOne := f.start("one")
		other, stopOther := f.start("other")
		if err := one.Change(f.Context(), target("a", Paused)); err != nil { // it keeps the ID open
			f.Fatal(err)
		}
		stopOne()
		for _, refusal := range []error{errors.New("refused"), nil} { // nil: there is nothing to change
			name := fmt.Sprint("b", refusal)
			if err := other.Change(f.Context(), target(name, Stopped)); err != nil {
				f.Fatal(err)
			}
			var last Target
			err := one.Change(f.Context(), func(v View) ([]Edit, error) {
				last = v.Of(name).Target
				return nil, refusal
			})
			if !errors.Is(err, refusal) || last != Stopped {
				f.Errorf("%v, decided on %s", err, last)
			}
		}
		stopOne() // closes the connections that these changes opened
		stopOther()
	})
}

// Once its caller has gone a change is not committed.
func TestNothingIsCommittedForACallerThatHasGone(t *testing.T) {
	inBubble(t, func(f *fixture) {
		s, stop := f.start("one")
		ctx, gone := context.WithCancel(f.Context())
		err := s.Change(ctx, func(v View) ([]Edit, error) {
			gone()
			return target("a", Paused)(v)
		})
		if !errors.Is(err, context.Canceled) || s.CatchUp(f.Context()) != nil || s.Of("a").Target != Running {
			f.Errorf("%v, and the shop is wanted %s", err, s.Of("a").Target)
		}
		stop()
	})
}

// A worker that dies while it commits a change holds back no other worker until its transaction
// times out.
func TestADeadWriterHoldsBackNoOther(t *testing.T) {
	inBubble(t, func(f *fixture) {
		s, stop := f.start("one")
		if err := s.Change(f.Context(), target("a", Paused)); err != nil {
			f.Fatal(err)
		}
		dead, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(f.network.DialContext),
			kgo.TransactionalID("g-"+writer), kgo.TransactionTimeout(time.Minute))
		if err != nil {
			f.Fatal(err)
		}
		if err := dead.BeginTransaction(); err != nil {
			f.Fatal(err)
		}
		if err := dead.ProduceSync(f.Context(), &kgo.Record{Topic: "offsets", Value: []byte("half")}).FirstErr(); err != nil {
			f.Fatal(err)
		}
		dead.Close()
		began := time.Now()
		late, stopLate := f.start("late")
		if err := late.CatchUp(f.Context()); err != nil || late.Of("a").Target != Paused {
			f.Errorf("a worker that starts later sees %+v, %v", late.Of("a"), err)
		}
		if took := time.Since(began); took > 10*time.Second {
			f.Errorf("it waited %v", took)
		}
		stop()
		stopLate()
	})
}

// FuzzDecode checks that damaged records, and records of other versions, never end a
// worker, and that what is written is read.
func FuzzDecode(f *testing.F) {
	f.Add(Shop{Target: Paused, Config: map[string]string{"a": "b"}, Restarts: 3}.encode("c", false))
	f.Add([]byte(`{"target":"LATER"}`))
	f.Add([]byte(`{"deleted":true}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, change, deleted, ok := decode(value)
		if !ok {
			return
		}
		again, sameChange, sameDeleted, ok := decode(s.encode(change, deleted))
		if !ok || sameChange != change || sameDeleted != deleted || !deleted && !again.Equal(s) && len(s.Config) > 0 {
			t.Errorf("%q is read as %+v and then as %+v", value, s, again)
		}
	})
}
