package connector

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/internal/incident"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// A log cleaner that removes tombstones while workers read each other's lanes keeps no
// worker from ending with a bounded range.
func TestWorkersEndAlthoughTheCleanerRemovesTombstones(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		var world []simulator.Shop
		var first, all []shop
		for i := range 8 {
			id := fmt.Sprintf("wx%d", i+1)
			sh, p := backlog(id, 8000)
			p.PageSize, p.Concurrency = 10, 2
			world = append(world, sh)
			s := shop{appID: id, policy: p, rate: 0.05}
			if i < 6 {
				first = append(first, s)
			}
			all = append(all, s)
		}
		a.simulate(simulator.Config{Seed: 2, Shops: world})
		// Records that the workers read first are forgotten later.
		run := a.start(first...)
		time.Sleep(3 * time.Minute)
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		workers := []*process{a.start(all...), a.start(all...)}
		for range 24 * 60 {
			time.Sleep(time.Minute)
			if count(workers[0], StateDone)+count(workers[1], StateDone) == len(all) || ended(workers[0]) && ended(workers[1]) {
				break
			}
		}
		time.Sleep(10 * time.Minute)
		for i, w := range workers {
			if !ended(w) {
				t.Errorf("worker %d still runs although all shops are done: %+v", i, w.Status())
				w.kill()
			}
		}
		for i, w := range workers {
			if w.err != nil {
				t.Errorf("worker %d: %v", i, w.err)
			}
		}
		for _, s := range all {
			a.eachOnce(s.appID, s.policy.Start, s.policy.End)
		}
	})
}

func ended(p *process) bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// writeCheckpoints writes the checkpoints of n shops with a number of windows each.
func (a *testbed) writeCheckpoints(n, windows int, of func(shop, window int) *offsets.Window) {
	a.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	for i := range n {
		p := offsets.Partition{Shop: fmt.Sprintf("wx%016d", i), Range: "create_time"}
		c := &offsets.Checkpoint{Length: 604799}
		for k := range windows {
			c.Windows = append(c.Windows, of(i, k))
		}
		c.Watermark = c.Frontier()
		var batch []*kgo.Record
		new(offsets.Stored).Update(a.name, p, c, func(k, v []byte) {
			batch = append(batch, &kgo.Record{Topic: a.name + ".offsets", Partition: int32(laneOf(a.name, p, 4)), Key: k, Value: v})
		})
		if err := client.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
			a.Fatal(err)
		}
	}
}

// A worker keeps nothing of the checkpoints it reads from other lanes: neither to find
// misplaced ones, nor to see whether shops are done.
func TestCheckpointReaderKeepsNoCheckpoints(t *testing.T) {
	alone(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 1})
		a.createOffsetsTopic()
		// A checkpoint of so many windows takes 20 KB and more in memory; what else is
		// on the heap (the simulated broker, connections' buffers) is a tenth of that.
		const shops, windows, begin = 300, 240, 1_700_000_000
		a.writeCheckpoints(shops, windows, func(_, k int) *offsets.Window {
			return &offsets.Window{Start: begin + int64(k)*10, End: begin + int64(k)*10 + 10, State: offsets.Waiting, Pass: 1, PageSize: 100, Pages: 1, Opened: begin}
		})
		plug := &plug{dial: a.dial}
		cfg, transport, _ := a.config(plug, discard(), newGatherer())
		defer transport.CloseIdleConnections()
		s := newCheckpointReader(&cfg, 4, discard(), newOutage(cfg.Metrics, incident.New(discard())))
		policy := testPolicy()
		policy.Start, policy.End = begin, begin+windows*10-1
		dealt := make(map[int][]Shop)
		for i := range shops {
			shop := Shop{Name: fmt.Sprint(i), AppID: fmt.Sprintf("wx%016d", i), Policy: policy}
			dealt[laneOf(a.name, shop.partition(), 4)] = append(dealt[laneOf(a.name, shop.partition(), 4)], shop)
		}
		var before, after runtime.MemStats
		collect(&before)
		if found, err := s.misplaced(context.Background(), []offsets.Partition{{Shop: "new", Range: "create_time"}}); err != nil || len(found) > 0 {
			t.Errorf("misplaced: %v, %v", found, err)
		}
		for lane, shops := range dealt {
			if done, _, err := s.done(context.Background(), lane, shops); done || err != nil {
				t.Errorf("lane %d, whose windows wait for their second pass: done is %v, %v", lane, done, err)
			}
		}
		collect(&after)
		if kept := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / shops; kept > 8000 {
			t.Errorf("%d bytes are kept for each shop", kept)
		}
		runtime.KeepAlive(s)
	})
}

// collect reads the heap's size once what pools hold is collected too, which takes
// two collections.
func collect(m *runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(m)
}

// Shops of another worker's lane are done once all of their windows are settled, and
// stay done. A shop whose range continues is not.
func TestCheckpointReaderSeesWhenShopsAreDone(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 1})
		a.createOffsetsTopic()
		const shops, begin = 12, 1_700_000_000
		write := func(state offsets.State, n int) {
			a.writeCheckpoints(n, 3, func(_, k int) *offsets.Window {
				return &offsets.Window{Start: begin + int64(k)*10, End: begin + int64(k)*10 + 10, State: state, Pass: 1, PageSize: 100, Opened: begin}
			})
		}
		plug := &plug{dial: a.dial}
		cfg, transport, _ := a.config(plug, discard(), newGatherer())
		defer transport.CloseIdleConnections()
		s := newCheckpointReader(&cfg, 4, discard(), newOutage(cfg.Metrics, incident.New(discard())))
		dealt := func(end int64) map[int][]Shop {
			dealt := make(map[int][]Shop)
			for i := range shops {
				shop := Shop{Name: fmt.Sprint(i), AppID: fmt.Sprintf("wx%016d", i), Policy: testPolicy()}
				shop.Policy.Start, shop.Policy.End = begin, end
				dealt[laneOf(a.name, shop.partition(), 4)] = append(dealt[laneOf(a.name, shop.partition(), 4)], shop)
			}
			return dealt
		}
		done := func(end int64) bool {
			time.Sleep(time.Minute)
			all := true
			for lane, shops := range dealt(end) {
				ok, _, err := s.done(context.Background(), lane, shops)
				if err != nil {
					t.Fatal(err)
				}
				all = all && ok
			}
			return all
		}
		const end = begin + 29
		if done(end) {
			t.Error("done before anything is stored")
		}
		write(offsets.Waiting, shops)
		if done(end) {
			t.Error("done before the second passes")
		}
		write(offsets.Settled, shops-1)
		if done(end) {
			t.Error("done before the last shop is")
		}
		write(offsets.Settled, shops)
		for range 2 { // the second answer comes from memory
			if !done(end) {
				t.Error("not done with all windows settled")
			}
		}
		if done(end + 100) {
			t.Error("done although the range has become longer")
		}
		a.admin(func(ctx context.Context, admin *kadm.Client) error {
			_, err := admin.DeleteTopic(ctx, a.name+".offsets")
			return err
		})
		a.createOffsetsTopic()
		write(offsets.Settled, shops)
		again := newCheckpointReader(&cfg, 4, discard(), newOutage(cfg.Metrics, incident.New(discard())))
		again.lanes[0].next, again.lanes[1].next, again.lanes[2].next, again.lanes[3].next = 1000, 1000, 1000, 1000 // offsets of a longer log
		s = again
		for range 2 { // the first finds that the topic was deleted and created again
			for lane, shops := range dealt(end) {
				_, _, _ = s.done(context.Background(), lane, shops)
			}
		}
		if !done(end) {
			t.Error("not done on a topic that was created again")
		}
	})
}
