package connector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/offsets"
	"orderwalk/simulator"
)

// fleet returns n shops with a backlog each.
func (a *testbed) fleet(n, orders int, faults simulator.Faults) []shop {
	var world []simulator.Shop
	var shops []shop
	for i := range n {
		sh, p := backlog(fmt.Sprintf("wx%02d", i), orders)
		p.PageSize, p.Concurrency = 10, 2
		world = append(world, sh)
		shops = append(shops, shop{appID: sh.AppID, policy: p})
	}
	a.simulate(simulator.Config{Seed: 31, Shops: world, Faults: faults, Latency: 20 * time.Millisecond})
	return shops
}

// workersComeAndGo adds, stops, kills and cuts off workers at random while they read a
// bounded range together. Others continue the work of those that end. At last each
// remaining worker ends on its own, idle ones included.
func workersComeAndGo(a *testbed) {
	shops := a.fleet(8, 600, simulator.Chaos(0.1))
	rnd := rand.New(rand.NewPCG(3, 3))
	workers := []*process{a.start(shops...), a.start(shops...), a.start(shops...)}
	for range 8 {
		time.Sleep(time.Duration(500+rnd.IntN(2500)) * time.Millisecond)
		i := rnd.IntN(len(workers))
		w := workers[i]
		select {
		case <-w.ended: // everything has been read
			if w.err != nil {
				a.Fatal(w.err)
			}
			continue
		default:
		}
		switch rnd.IntN(4) {
		case 0:
			w.kill()
		case 1:
			if err := w.stop(); err != nil {
				a.Errorf("stopped worker ended with %v", err)
			}
		case 2:
			w.plug.pull()
			time.Sleep(time.Duration(rnd.IntN(9)) * time.Second)
			w.plug.mend()
			continue
		case 3:
			workers = append(workers, a.start(shops...))
			continue
		}
		workers[i] = a.start(shops...)
	}
	for _, w := range workers {
		if err := w.wait(); err != nil {
			a.Error(err)
		}
	}
	for _, s := range shops {
		a.eachOnce(s.appID, s.policy.Start, s.policy.End)
	}
}

// lanesStay checks a worker while another joins and leaves: the lanes that stay are not
// opened again.
func lanesStay(a *testbed) {
	start := time.Now().Unix() - 60
	var world []simulator.Shop
	var shops []shop
	for i := range 12 {
		id := fmt.Sprintf("wx%02d", i)
		world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 1, Since: start}})
		p := a.policy()
		p.Start = start
		shops = append(shops, shop{appID: id, policy: p})
	}
	a.simulate(simulator.Config{Seed: 32, Shops: world})
	first := a.start(shops...)
	a.until("all are live", func() bool { return count(first, StateLive) == len(shops) })
	opened := strings.Count(first.logged(), "lane opened")
	second := a.start(shops...)
	a.until("they are shared", func() bool {
		return count(first, StateLive) > 0 && count(second, StateLive) > 0 && count(first, StateLive)+count(second, StateLive) == len(shops)
	})
	if n := strings.Count(first.logged(), "lane opened"); n != opened {
		a.Errorf("the first worker opened %d lanes again when another came", n-opened)
	}
	kept := count(first, StateLive)
	begun := time.Now()
	if err := second.stop(); err != nil {
		a.Error(err)
	}
	a.until("the first has them all again", func() bool { return count(first, StateLive) == len(shops) })
	if took := time.Since(begun); a.bubble && took > 2*time.Second {
		a.Errorf("a planned stop handed over in %v of virtual time", took)
	}
	if kept == 0 || kept == len(shops) {
		a.Errorf("the first worker kept %d of %d shops", kept, len(shops))
	}
	a.until("there is something to look at", func() bool {
		return !slices.ContainsFunc(first.Status(), func(s ShopStatus) bool { return s.Watermark <= start+30 })
	})
	end := make(map[string]int64)
	for _, s := range first.Status() {
		end[s.AppID] = s.Watermark
	}
	if err := first.stop(); err != nil {
		a.Error(err)
	}
	for _, s := range shops {
		a.eachOnce(s.appID, start, end[s.appID]-1)
	}
}

func count(p *process, state State) (n int) {
	for _, s := range p.Status() {
		if s.State == state {
			n++
		}
	}
	return n
}

// shopsChange adds, changes and removes shops of a running connector.
func shopsChange(a *testbed) {
	start := time.Now().Unix() - 60
	var world []simulator.Shop
	for _, id := range []string{"wx1", "wx2", "wx3"} {
		world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 2, Since: start}})
	}
	a.simulate(simulator.Config{Seed: 33, Shops: world})
	p := a.policy()
	p.Start = start
	run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
	a.until("two are live", func() bool { return count(run, StateLive) == 2 })
	before := run.cfg.Shops

	changed := p
	changed.PageSize = 7
	all, _, _ := a.config(run.plug, discard(), newGatherer(), shop{appID: "wx2", policy: changed}, shop{appID: "wx3", policy: p})
	if err := run.SetShops(context.Background(), append([]Shop{}, all.Shops...)); err != nil {
		a.Fatal(err)
	}
	a.until("wx2 and wx3 are live", func() bool { return count(run, StateLive) == 2 && len(run.Status()) == 2 })
	calls, changedAt := len(a.listed()), time.Now().Unix()
	a.goesOn(run)
	for _, c := range a.listed()[calls:] {
		if c.AppID == "wx1" {
			a.Error("wx1 was removed and is still being read")
			break
		}
		if c.AppID == "wx2" && c.PageSize != 7 && c.Create.End > changedAt {
			a.Errorf("wx2 is read with page size %d", c.PageSize)
			break
		}
	}
	if err := run.SetShops(context.Background(), before); err != nil {
		a.Fatal(err)
	}
	a.until("wx1 and wx2 are live", func() bool { return count(run, StateLive) == 2 && run.Status()[0].AppID == "wx1" })
	a.goesOn(run)
	end := make(map[string]int64)
	for _, s := range run.Status() {
		end[s.AppID] = s.Watermark
	}
	if err := run.stop(); err != nil {
		a.Error(err)
	}
	a.eachOnce("wx1", start, end["wx1"]-1)
	a.eachOnce("wx2", start, end["wx2"]-1)
}

// shopsMisplaced adds partitions to the offsets topic, so that some shops hash to lanes
// other than those that hold their checkpoints.
func shopsMisplaced(a *testbed) {
	shops := a.fleet(8, 100, simulator.Faults{})
	if err := a.start(shops...).wait(); err != nil {
		a.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreatePartitions(context.Background(), 3, a.name+".offsets"); err != nil {
		a.Fatal(err)
	}
	a.until("the broker knows them", func() bool {
		topics, err := admin.ListTopics(context.Background(), a.name+".offsets")
		return err == nil && len(topics[a.name+".offsets"].Partitions) == 7
	})
	calls := len(a.listed())
	err = a.start(shops...).wait()
	if err == nil {
		a.Fatal("ended without an error")
	}
	refused := 0
	for _, s := range shops {
		p := offsets.Partition{Shop: s.appID, Range: "create_time"}
		was, is := laneOf(a.name, p, 4), laneOf(a.name, p, 7)
		says := strings.Contains(err.Error(), fmt.Sprintf("checkpoint of %s/create_time: it is in partition %d", s.appID, was))
		if says != (was != is) {
			a.Errorf("shop %s moved from lane %d to %d; the error says so: %v\n%v", s.appID, was, is, says, err)
		}
		if was != is {
			refused++
		}
	}
	if refused == 0 {
		a.Error("no shop has moved: the story does not show what it is for")
	}
	if n := len(a.listed()); n != calls {
		a.Errorf("got %d list calls for shops that are done or refused", n-calls)
	}
	for _, s := range shops {
		a.eachOnce(s.appID, s.policy.Start, s.policy.End)
	}
}

// partitionsGrow adds partitions to the offsets topic under a running worker. The
// worker continues, and rejects any other list of shops: that would move all shops away
// from their checkpoints. Another worker knows the new lanes and refuses the shops that
// hash to others now. When that worker leaves, the first is assigned lanes that it does
// not know, and ends.
//
// Each lane has equally many shops, whatever the group's name, so that the first worker
// keeps its lanes until then: one shop that stays and one that moves, and in each new
// lane one that is new.
func partitionsGrow(a *testbed) {
	start := time.Now().Unix() - 60
	var world []simulator.Shop
	var old, added []shop
	room := map[int]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 7: 2}
	for i := 0; len(old)+len(added) < 12; i++ {
		id := fmt.Sprintf("wx%03d", i)
		lane := laneOf(a.name, offsets.Partition{Shop: id, Range: "create_time"}, 8)
		if room[lane] == 0 {
			continue
		}
		world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 1, Since: start}})
		p := a.policy()
		p.Start = start
		s := shop{appID: id, policy: p}
		if room[lane]--; lane >= 4 && room[lane] == 0 {
			added = append(added, s)
		} else {
			old = append(old, s)
		}
	}
	shops := slices.Concat(old, added)
	a.simulate(simulator.Config{Seed: 36, Shops: world})
	older := a.start(old...)
	a.until("all are live", func() bool { return count(older, StateLive) == len(old) })
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreatePartitions(context.Background(), 4, a.name+".offsets"); err != nil {
		a.Fatal(err)
	}
	all, _, _ := a.config(older.plug, discard(), newGatherer(), shops...)
	if err := older.SetShops(context.Background(), all.Shops); err == nil || !strings.Contains(err.Error(), "8 partitions now but had 4") {
		a.Errorf("another list of shops was answered with %v", err)
	}
	a.goesOn(older)
	if n := count(older, StateLive); n != len(old) {
		a.Errorf("%d of %d shops are live", n, len(old))
	}

	refused := func(s ShopStatus) bool {
		was := laneOf(a.name, offsets.Partition{Shop: s.AppID, Range: "create_time"}, 4)
		return s.State == StateFailed && strings.Contains(s.Reason, fmt.Sprintf("it is in partition %d of", was))
	}
	newer := a.start(shops...)
	a.until("each shop is live at one of them or refused", func() bool {
		live := make(map[string]bool)
		for _, s := range append(older.Status(), newer.Status()...) {
			if s.State == StateLive || refused(s) {
				live[s.AppID] = true
			}
		}
		return len(live) == len(shops)
	})
	if err := newer.stop(); err != nil {
		a.Error(err)
	}
	if err := older.wait(); err == nil || !strings.Contains(err.Error(), "more than the 4 partitions") {
		a.Errorf("the older worker ended with %v", err)
	}

	last := a.start(shops...)
	a.until("each shop is live or refused", func() bool { return count(last, StateLive)+count(last, StateFailed) == len(shops) })
	mark := time.Now().Unix()
	a.until("those that are live go on", func() bool {
		return !slices.ContainsFunc(last.Status(), func(s ShopStatus) bool { return s.State == StateLive && s.Watermark < mark })
	})
	for _, s := range last.Status() {
		p := offsets.Partition{Shop: s.AppID, Range: "create_time"}
		was, is := laneOf(a.name, p, 4), laneOf(a.name, p, 8)
		isNew := slices.ContainsFunc(added, func(n shop) bool { return n.appID == s.AppID })
		if refused(s) != (was != is && !isNew) {
			a.Errorf("shop %s moved from lane %d to %d and is %s: %s", s.AppID, was, is, s.State, s.Reason)
		}
	}
	if err := last.stop(); err != nil {
		a.Error(err)
	}
	for p, c := range a.checkpoints() {
		a.eachOnce(p.Shop, start, c.Watermark-1)
	}
}
