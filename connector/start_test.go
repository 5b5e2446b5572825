package connector

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// opening is a shop that has orders before the story begins and gets more.
func (a *testbed) opening(faults simulator.Faults) (start int64) {
	start = time.Now().Unix()
	a.heartbeat = time.Minute
	a.simulate(simulator.Config{Seed: 23, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1",
		Backlog: simulator.Backlog{Orders: 400, From: start - 4*86400, To: start - 900}, Live: simulator.Live{Rate: 0.5, Since: start - 900}}}})
	return start
}

// beginsAt checks that orders between the seconds from and end are published once, and
// none created before atMost.
func (a *testbed) beginsAt(from, atMost, end int64) {
	a.Helper()
	a.eachOnce("wx1", from, end)
	created := make(map[string]int64)
	for _, o := range a.api.Orders("wx1", time.Time{}) {
		created[o.ID] = o.Created
	}
	early := 0
	for _, r := range a.published() {
		if created[string(r.Key)] < atMost {
			early++
		}
	}
	if early > 0 {
		a.Errorf("%d orders from before %+d s are published", early, atMost-from)
	}
}

// TestTheWalkBeginsAtTheFirstStart: without a start time a shop is walked from the
// first start of the process, whatever keeps the API or Kafka from answering, and
// whichever process gets the first answer.
func TestTheWalkBeginsAtTheFirstStart(t *testing.T) {
	refused := func(a *testbed) func() {
		a.api.SetFaults(simulator.Faults{Whitelist: 40164})
		return func() { a.api.SetFaults(simulator.Faults{}) }
	}
	for name, c := range map[string]struct {
		close func(a *testbed) (open func())
		kills int
		kind  wechat.Range
	}{
		"not in the whitelist for hours":             {refused, 0, wechat.CreateTime},
		"not in the whitelist for hours, with kills": {refused, 3, wechat.UpdateTime},
		"no answer for hours, with kills":            {silentAPI, 3, wechat.CreateTime},
		"answers at once, with kills":                {func(*testbed) func() { return func() {} }, 3, wechat.CreateTime},
		"list calls only are refused, with kills":    {listsRefused, 2, wechat.UpdateTime},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := a.opening(simulator.Faults{})
				open := c.close(a)
				p := testPolicy()
				p.Range = c.kind
				a.pod = "pod"
				for range c.kills {
					run := a.start(shop{appID: "wx1", policy: p})
					time.Sleep(time.Hour)
					run.kill()
					time.Sleep(time.Minute)
				}
				run := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(time.Hour)
				open()
				time.Sleep(30 * time.Minute)
				end := run.Status()[0].Watermark
				if err := run.stop(); err != nil {
					t.Fatal(err)
				}
				a.beginsAt(start+1, start-2, end-700)
			})
		})
	}
}

func silentAPI(a *testbed) func() {
	var up atomic.Bool
	a.gateway = func(http.ResponseWriter, *http.Request) bool {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	return func() { up.Store(true) }
}

func listsRefused(a *testbed) func() {
	a.api.SetFaults(simulator.Faults{Unauthorised: true})
	return func() { a.api.SetFaults(simulator.Faults{}) }
}

// TestTheFirstStartIsCommittedBeforeTheAPIIsAsked: at the first call the checkpoint is
// on the topic.
func TestTheFirstStartIsCommittedBeforeTheAPIIsAsked(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := a.opening(simulator.Faults{})
		asked := make(chan bool, 1)
		a.gateway = func(http.ResponseWriter, *http.Request) bool {
			select {
			case asked <- true:
				c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]
				if c == nil || c.Begin < start || c.Begin > start+1 || !c.Unheard || c.Watermark != c.Begin {
					a.Errorf("at the first call the checkpoint is %+v", c)
				}
			default:
			}
			return false
		}
		run := a.start(shop{appID: "wx1", policy: testPolicy()})
		time.Sleep(time.Minute)
		if err := run.stop(); err != nil || len(asked) == 0 {
			t.Error(err, len(asked))
		}
	})
}

// TestClocksThatDisagreeAtTheFirstStart: the walk begins at the earlier of both clocks,
// and at most minutes before the local one.
func TestClocksThatDisagreeAtTheFirstStart(t *testing.T) {
	for _, skew := range []time.Duration{-72 * time.Hour, -time.Hour, -5 * time.Minute, -20 * time.Second, 5 * time.Minute, 72 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := a.opening(simulator.Faults{ClockSkew: skew})
				a.pod = "pod"
				for range 2 { // the second start changes nothing
					run := a.start(shop{appID: "wx1", policy: testPolicy()})
					time.Sleep(time.Minute)
					run.kill()
				}
				c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]
				want := start + int64(max(-mostBehind, min(0, skew))/time.Second)
				if c == nil || c.Unheard || c.Begin > want || c.Begin < want-2 {
					t.Errorf("the checkpoint is %+v, want one that begins at %d, %d s from the start", c, want, want-start)
				}
			})
		})
	}
}

// TestOneOldDateDoesNotMoveTheFirstStart: only the first answer has a wrong date.
func TestOneOldDateDoesNotMoveTheFirstStart(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := a.opening(simulator.Faults{ClockSkew: -72 * time.Hour})
		a.gateway = func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/list/get") {
				a.api.SetFaults(simulator.Faults{})
			}
			return false
		}
		run := a.start(shop{appID: "wx1", policy: testPolicy()})
		time.Sleep(40 * time.Minute)
		end := run.Status()[0].Watermark
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		a.beginsAt(start+1, start-int64(mostBehind/time.Second)-2, end-700)
	})
}

// TestAStartThatIsSetBeforeAnythingIsReadCounts: it replaces the moment of the first
// start.
func TestAStartThatIsSetBeforeAnythingIsReadCounts(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := a.opening(simulator.Faults{Whitelist: 40164})
		a.pod = "pod"
		p := testPolicy()
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Minute)
		run.kill()
		a.api.SetFaults(simulator.Faults{})
		p.Start = start - 3*86400
		run = a.start(shop{appID: "wx1", policy: p})
		time.Sleep(time.Hour)
		end := run.Status()[0].Watermark
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		a.beginsAt(p.Start, p.Start-2, end-700)
	})
}

// TestAShopThatIsAddedBeginsWhenItIsAdded, also when Kafka is unavailable at first and
// the list is applied later.
func TestAShopThatIsAddedBeginsWhenItIsAdded(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.heartbeat = time.Minute
		a.simulate(simulator.Config{Seed: 23, Shops: []simulator.Shop{{AppID: "wx0", Secret: "secret-wx0"}, {AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
		run := a.start(shop{appID: "wx0", policy: testPolicy()})
		time.Sleep(30 * time.Minute)
		both, transport, web := a.config(run.plug, discard(), newGatherer(), shop{appID: "wx0", policy: testPolicy()}, shop{appID: "wx1", policy: testPolicy()})
		added := time.Now().Unix()
		away, cancel := context.WithCancel(context.Background())
		cancel()
		if err := run.SetShops(away, both.Shops); err == nil {
			t.Fatal("the list was taken without Kafka")
		}
		time.Sleep(10 * time.Minute)
		if err := run.SetShops(context.Background(), both.Shops); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		var end int64
		for _, s := range run.Status() {
			if s.Name == "wx1" {
				end = s.Watermark
			}
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		web.CloseIdleConnections()
		transport.CloseIdleConnections()
		a.beginsAt(added+1, added-2, end-700)
	})
}
