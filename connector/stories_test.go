package connector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/internal/record"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// stories are played in a bubble, and with the build tag kafka on a real broker in real
// time. One for each invariant of the package comment, and one for each kind of
// interruption.
var stories = []struct {
	name string
	play func(a *testbed)
}{
	{"AnOrderAndItsCheckpointCommitTogether", commitTogether},
	{"AWindowNeverChangesWhileItIsPaged", windowFrozen},
	{"TheWatermarkMovesOnlyOverFinishedWindows", watermarkInOrder},
	{"AfterANewerOwnerOpensALaneAnOlderCommitsNothing", olderFenced},
	{"WhatIsPublishedIsWhatWasListedEachOnce", listedOnce},
	{"EachChangeIsPublishedOnce", changesOnce},
	{"EachChangeIsPublishedOnceWhereTheEndIsOutside", changesOnceEndOutside},
	{"EachChangeIsPublishedOnceWhereTheStartIsOutside", changesOnceStartOutside},
	{"EachChangeIsPublishedOnceWhereBothEndsAreOutside", changesOnceBothOutside},
	{"AFrozenOwnerWakesFenced", frozenOwner},
	{"ABrokerThatIsGoneForAWhileIsWaitedFor", brokerGone},
	{"AShopThatFailsStopsNoOther", oneShopFails},
	{"ATopicThatIsRefusedStopsItsShopsOnly", oneTopicIsRefused},
	{"WorkersComeAndGo", workersComeAndGo},
	{"LanesThatStayGoOn", lanesStay},
	{"ShopsChangeWithoutARestart", shopsChange},
	{"AShopThatMovesToAnotherLaneIsRefused", shopsMisplaced},
	{"LanesThatComeWhileItRunsStartNoShopOver", partitionsGrow},
	{"ADeletedOffsetsTopicIsNotRecreatedSilently", offsetsDeleted},
	{"ARecreatedOffsetsTopicGetsAllOfTheCheckpoints", offsetsRemade},
	{"AnOffsetsTopicRecreatedBeforeTheFirstCommitGetsThemToo", offsetsRemadeEarly},
	{"TheSearchForSecretsFindsThem", searchFinds},
}

func TestStories(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) { inBubble(t, s.play) })
	}
}

// commitTogether kills the process at random moments of a backfill from an API that
// fails now and then. At any of them, the orders topic holds exactly the orders that
// the committed checkpoint covers.
func commitTogether(a *testbed) {
	sh, p := backlog("wx1", 3000)
	p.PageSize = 20
	a.simulate(simulator.Config{Seed: 1, Shops: []simulator.Shop{sh}, Faults: simulator.Chaos(0.3), Latency: 5 * time.Millisecond})
	a.pod = "pod"
	rnd := rand.New(rand.NewPCG(1, 1))
	// Runs get longer with each kill: a slow machine may make no progress in two
	// seconds.
	for kills := range 60 {
		if kills == 59 {
			a.Fatal("does not come to an end")
		}
		life := time.Duration(100+rnd.IntN(1900)) * time.Millisecond << (kills / 10)
		run := a.start(shop{appID: "wx1", policy: p})
		select {
		case <-run.ended:
			if run.err != nil {
				a.Fatal(run.err)
			}
			a.eachOnce("wx1", p.Start, p.End)
			return
		case <-time.After(life):
			run.kill()
		}
		p.PageSize = 5 + rnd.IntN(40)
		covered(a, "wx1", p.Start)
	}
}

// covered checks that orders and checkpoint agree: every ID of a tracked window is
// published, and every order before those windows, and nothing else.
func covered(a *testbed, appID string, start int64) { coveredOn(a, a.orders(), appID, start) }

// coveredOn is covered for a shop with a topic of its own.
func coveredOn(a *testbed, topic, appID string, start int64) {
	a.Helper()
	c := a.checkpoints()[offsets.Partition{Shop: appID, Range: "create_time"}]
	published := make(map[string]int)
	for _, r := range a.topic(topic) {
		published[string(r.Key)]++
	}
	if c == nil {
		if len(published) > 0 {
			a.Fatalf("%d orders are published and there is no checkpoint", len(published))
		}
		return
	}
	begin := c.Frontier()
	seen := make(map[string]bool)
	forgotten := func(o simulator.Order) bool { // in a row of settled windows only the ends keep their IDs
		return slices.ContainsFunc(c.Windows, func(w *offsets.Window) bool {
			return w.State == offsets.Settled && w.Start <= o.Created && o.Created <= w.End
		})
	}
	for _, w := range c.Windows {
		begin = min(begin, w.Start)
		for id := range w.Seen.All() {
			seen[id] = true
			if published[id] != 1 {
				a.Fatalf("the checkpoint has seen %s; it is published %d times", id, published[id])
			}
		}
	}
	for _, o := range a.api.Orders(appID, time.Time{}) {
		switch n := published[o.ID]; {
		case n > 1:
			a.Fatalf("order %s is published %d times", o.ID, n)
		case n == 1 && !seen[o.ID] && o.Created > begin && !forgotten(o):
			a.Fatalf("order %s is published and no checkpoint covers it", o.ID)
		case n == 0 && o.Created < begin && o.Created >= start:
			a.Fatalf("order %s of %d is not published and the windows begin at %d", o.ID, o.Created, begin)
		}
	}
}

// watermarkInOrder watches a live shop: the watermark never goes back, never passes now
// − SETTLE_DELAY, and every order before it has been published.
func watermarkInOrder(a *testbed) {
	start := time.Now().Unix() - 60
	a.simulate(simulator.Config{Seed: 3, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 5, Since: start}}}, Latency: 30 * time.Millisecond})
	p := a.policy()
	p.Start = start
	p.PageSize = 3
	run := a.start(shop{appID: "wx1", policy: p})
	last, moves := int64(0), 0
	a.until("the watermark has caught up and moved on", func() bool {
		w := run.Status()[0].Watermark
		now := time.Now()
		if w < last {
			a.Fatalf("watermark went back from %d to %d", last, w)
		}
		if w > now.Add(-p.SettleDelay).Unix() {
			a.Fatalf("watermark %d is not behind now %d by the settle delay", w, now.Unix())
		}
		if w > last {
			moves++
		}
		last = w
		return last > start+65 && moves > 5
	})
	a.eachOnce("wx1", start, last-1)
	if err := run.stop(); err != nil {
		a.Error(err)
	}
}

// olderFenced opens a lane that another owner has open, as a worker with a newer
// assignment does. The older owner's next transaction fails as a whole, and it gives
// the lane up. No page arrives in the meantime, so both have work left, however long
// the opening takes.
func olderFenced(a *testbed) {
	sh, p := backlog("wx1", 3000)
	p.PageSize = 10
	a.simulate(simulator.Config{Seed: 4, Shops: []simulator.Shop{sh}, Latency: 20 * time.Millisecond})
	pages := make(chan struct{}) // closed to let pages arrive again
	var stalled atomic.Bool
	a.gateway = func(_ http.ResponseWriter, r *http.Request) bool {
		if stalled.Load() && strings.HasSuffix(r.URL.Path, "/list/get") {
			<-pages
		}
		return false
	}
	var owner atomic.Int32
	run := func(number int32) (*Connector, chan error) {
		process := a.prepare(shop{appID: "wx1", policy: p})
		c := process.Connector
		if err := c.topics(context.Background()); err != nil {
			a.Fatal(err)
		}
		c.checkpoints = newCheckpointReader(&c.cfg, c.lanes(), c.cfg.Log, c.outage)
		var l *lane
		for lane := range c.shopsByLane() {
			l = c.open(lane, nil)
		}
		l.mine = func(context.Context) (bool, error) { return owner.Load() == number, nil }
		ended := make(chan error, 1)
		go func() {
			err := l.run(context.Background())
			process.transport.CloseIdleConnections()
			process.host.CloseIdleConnections()
			ended <- err
		}()
		return c, ended
	}
	older, olderEnded := run(0)
	a.until("the older owner has published", func() bool { return older.Status()[0].Published > 100 })
	stalled.Store(true)
	owner.Store(1)
	newer, newerEnded := run(1)
	a.until("the newer owner has opened the lane and planned", func() bool { return newer.Status()[0].Target > 0 })
	close(pages)
	if err := <-olderEnded; !errors.Is(err, errNotMine) {
		a.Errorf("the older owner ended with %v, want errNotMine", err)
	}
	if err := <-newerEnded; err != nil {
		a.Fatal(err)
	}
	a.eachOnce("wx1", p.Start, p.End)
}

// listedOnce reads a bounded range while it still gets orders: they show up late, in
// pages of any order, and the second pass finds what the first has missed.
func listedOnce(a *testbed) {
	start := time.Now().Unix() - 20
	a.simulate(simulator.Config{Seed: 5, Latency: 10 * time.Millisecond, Faults: simulator.Faults{VisibilityLag: 4 * time.Second, Order: "unstable", RepeatIDAcrossPages: true, EmptyPageRate: 0.2, KeyOnLastPage: "non-empty"},
		Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 6, Since: start, BurstEvery: 7, BurstSize: 9}}}})
	p := a.policy()
	p.Start, p.End, p.PageSize, p.Lookback = start, start+30, 4, 6*time.Second
	run := a.start(shop{appID: "wx1", policy: p})
	if err := run.wait(); err != nil {
		a.Fatal(err)
	}
	a.eachOnce("wx1", p.Start, p.End)
	if run.Status()[0].Late == 0 {
		a.Error("no order was late: the story does not show what it is for")
	}
}

// frozenOwner cuts a worker off for longer than its session and its transaction may
// last. Another takes over. When the first worker is connected again, it commits
// nothing of what it had, and joins the group like any other.
func frozenOwner(a *testbed) {
	start := time.Now().Unix() - 300
	a.simulate(simulator.Config{Seed: 7, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 3, Since: start}}}, Latency: 10 * time.Millisecond})
	p := a.policy()
	p.Start = start
	older := a.start(shop{appID: "wx1", policy: p})
	a.until("the older owner has published", func() bool { return older.Status()[0].Published > 100 })
	newer := a.start(shop{appID: "wx1", policy: p})
	older.plug.pull()
	a.until("the newer owner has the shop", func() bool { return newer.Status()[0].Published > 0 })
	a.until("the older owner has let go", func() bool { return older.Status()[0].State == StateElsewhere })
	older.plug.mend()
	a.goesOn(older, newer)
	end := a.watermark(older, newer)
	for _, run := range []*process{older, newer} {
		if err := run.stop(); err != nil {
			a.Error(err)
		}
	}
	a.eachOnce("wx1", start, end-1)
}

// watermark returns the first shop's watermark at the worker that is ahead.
func (a *testbed) watermark(workers ...*process) (most int64) {
	for _, w := range workers {
		most = max(most, w.Status()[0].Watermark)
	}
	return most
}

// goesOn waits until the first shop's watermark has moved by some seconds, at any
// worker.
func (a *testbed) goesOn(workers ...*process) {
	a.Helper()
	mark := a.watermark(workers...)
	a.until("the walk goes on", func() bool { return a.watermark(workers...) > mark+3 })
}

// brokerGone cuts the network in the middle of transactions, for longer than the broker
// lets one stay open. No other worker runs; the process continues without help.
func brokerGone(a *testbed) {
	sh, p := backlog("wx1", 4000)
	p.PageSize = 10
	a.simulate(simulator.Config{Seed: 8, Shops: []simulator.Shop{sh}, Latency: 10 * time.Millisecond})
	run := a.start(shop{appID: "wx1", policy: p})
	a.until("some orders are published", func() bool { return run.Status()[0].Published > 300 })
	run.plug.pull()
	time.Sleep(13 * time.Second)
	run.plug.mend()
	if err := run.wait(); err != nil {
		a.Fatal(err)
	}
	a.eachOnce("wx1", p.Start, p.End)
}

// oneShopFails: a wrong secret and a damaged checkpoint fail their shops, with a
// message that names the record and says what to do. The third shop is read whole.
func oneShopFails(a *testbed) {
	var world []simulator.Shop
	var shops []shop
	for i := range 3 {
		sh, p := backlog(fmt.Sprintf("wx%d", i), 200)
		world = append(world, sh)
		shops = append(shops, shop{appID: sh.AppID, policy: p})
	}
	world[0].Secret = "another"
	a.simulate(simulator.Config{Seed: 9, Shops: world})
	if err := a.start(shops[1]).wait(); err != nil {
		a.Fatal(err)
	}
	key := offsets.Key{Partition: offsets.Partition{Shop: "wx1", Range: "create_time"}}.Bytes(a.name)
	a.produce(a.name+".offsets", record.Partition(key, 4), key, []byte(`{"v":1,"watermark":`))
	err := a.start(shops...).wait()
	if err == nil {
		a.Fatal("ended without an error")
	}
	for _, want := range []string{"wx0: failed", "40125", "wx1: failed", string(key), "2 of 3 shops"} {
		if !strings.Contains(err.Error(), want) {
			a.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	a.eachOnce("wx1", shops[1].policy.Start, shops[1].policy.End)
	a.eachOnce("wx2", shops[2].policy.Start, shops[2].policy.End)
}
