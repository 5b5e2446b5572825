package connector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// setBack reads the second half of a range with the given number of workers, and
// returns the policy of the whole range.
func setBack(a *testbed, workers int) (whole window.Policy, shops []shop, begin int64) {
	a.Helper()
	var world []simulator.Shop
	for i := range 3 {
		sh, p := backlog(fmt.Sprintf("wx%d", i), 100)
		whole = p
		world = append(world, sh)
		shops = append(shops, shop{appID: sh.AppID, policy: p})
	}
	a.simulate(simulator.Config{Seed: 41, Shops: world})
	begin = (whole.Start + whole.End) / 2
	for i := range shops {
		shops[i].policy.Start = begin
	}
	for _, run := range a.several(workers, shops...) {
		if err := run.wait(); err != nil {
			a.Fatal(err)
		}
	}
	return whole, shops, begin
}

func (a *testbed) several(workers int, shops ...shop) (runs []*process) {
	for range workers {
		runs = append(runs, a.start(shops...))
	}
	return runs
}

// TestAStartTimeThatIsSetBackIsNotIgnoredInSilence: a bounded run ends with an error,
// whichever worker owns the shop. The message says what was left out and how to read
// it; a run of another group does that.
func TestAStartTimeThatIsSetBackIsNotIgnoredInSilence(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				whole, shops, begin := setBack(a, workers)
				shops[1].policy.Start = whole.Start
				for _, run := range a.several(workers, shops...) {
					err := run.wait()
					if err == nil || !strings.Contains(err.Error(), "shop wx1") || strings.Contains(err.Error(), "shop wx2") ||
						!strings.Contains(err.Error(), fmt.Sprintf("shop wx1 is %d (", whole.Start)) || !strings.Contains(err.Error(), fmt.Sprintf("its walk began at %d (", begin)) {
						t.Errorf("ended with %v", err)
					}
					if n := strings.Count(run.logged(), "level=WARN"); n > 1 {
						t.Errorf("%d warnings:\n%s", n, run.logged())
					}
				}
				// The same start time, or a later one, is accepted.
				for _, start := range []int64{begin, begin + 600} {
					shops[1].policy.Start = start
					for _, run := range a.several(workers, shops...) {
						if err := run.wait(); err != nil {
							t.Errorf("with start time %d, %d s from the begin: %v", start, start-begin, err)
						}
					}
				}
				shops[1].policy.Start, shops[1].policy.End = whole.Start, begin-1
				a.ordersOf, a.name = a.name, "another"
				if err := a.start(shops[1]).wait(); err != nil {
					t.Fatal(err)
				}
				count := make(map[string]int)
				for _, r := range a.published() {
					count[string(r.Key)]++
				}
				for _, o := range a.api.Orders("wx1", time.Time{}) {
					if n := count[o.ID]; o.Created >= whole.Start && o.Created <= whole.End && n != 1 && (o.Created < begin-1 || o.Created > begin || n == 0) {
						t.Errorf("order of %+d s is published %d times", o.Created-begin, n)
					}
				}
			})
		})
	}
}

// TestALiveShopSaysWhatItsStartTimeLeavesOut: once in the log, and in its state.
func TestALiveShopSaysWhatItsStartTimeLeavesOut(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := a.opening(simulator.Faults{})
		p := testPolicy()
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(10 * time.Minute)
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		p.Start = start - 86400
		run = a.start(shop{appID: "wx1", policy: p})
		time.Sleep(10 * time.Minute)
		if s := run.Status()[0]; s.State != StateLive || !strings.Contains(s.Reason, fmt.Sprintf("the start time of shop wx1 is %d (", p.Start)) {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(run.logged(), "the start time is earlier than where the walk began"); n != 1 {
			t.Errorf("%d warnings", n)
		}
		// The lane starts again, which logs nothing new.
		cfg, transport, web := a.config(run.plug, discard(), newGatherer(), shop{appID: "wx1", name: "lantern", policy: p})
		if err := run.SetShops(context.Background(), cfg.Shops); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		unset := slices.Clone(cfg.Shops)
		unset[0].Policy.Start = 0
		if err := run.SetShops(context.Background(), unset); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := run.Status()[0]; s.Reason != "" {
			t.Errorf("after the start time was taken away: %+v", s)
		}
		if err := run.stop(); err != nil {
			t.Fatal(err)
		}
		web.CloseIdleConnections()
		transport.CloseIdleConnections()
	})
}

// TestUnread compares start times with checkpoints.
func TestUnread(t *testing.T) {
	for _, c := range []struct {
		name  string
		state *offsets.Checkpoint
		start int64
		want  bool
		begin int64 // stored afterwards
	}{
		{"none", nil, 100, false, 0},
		{"set back", &offsets.Checkpoint{Watermark: 500, Begin: 200}, 100, true, 200},
		{"the same", &offsets.Checkpoint{Watermark: 500, Begin: 200}, 200, false, 200},
		{"later", &offsets.Checkpoint{Watermark: 500, Begin: 200}, 300, false, 200},
		{"not set any more", &offsets.Checkpoint{Watermark: 500, Begin: 200}, 0, false, 200},
		{"of an earlier version", &offsets.Checkpoint{Watermark: 500}, 300, false, 300},
		{"of an earlier version, without a start time", &offsets.Checkpoint{Watermark: 500}, 0, false, 0},
		{"of an earlier version, start time ahead of it", &offsets.Checkpoint{Watermark: 500}, 600, false, 0},
		{"nothing read yet", &offsets.Checkpoint{Watermark: 500, Begin: 500, Unheard: true}, 100, false, 500},
	} {
		p := testPolicy()
		p.Start = c.start
		if c.state != nil {
			adopt(c.state, p)
		}
		if got := unread(c.state, Shop{Name: "wx1", Policy: p}); (got != nil) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if c.state != nil && c.state.Begin != c.begin {
			t.Errorf("%s: begin %d is stored, want %d", c.name, c.state.Begin, c.begin)
		}
	}
}
