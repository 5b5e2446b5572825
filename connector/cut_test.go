package connector

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// quietThenDense is a shop without an order for two months, and with n orders in the
// two days after that, long ago.
func quietThenDense(n int) (simulator.Shop, window.Policy) {
	const day = 24 * 3600
	to := time.Now().Unix() - day
	p := testPolicy()
	p.Start, p.End = to-62*day, to
	p.PageSize, p.Concurrency = 1, 4
	return simulator.Shop{AppID: "wx1", Secret: "secret-wx1", Backlog: simulator.Backlog{Orders: n, From: to - 2*day, To: to, Bursts: 2, BurstSize: 30}}, p
}

// TestALongWindowThatIsDenseIsCut: windows that have grown to a week in a quiet time
// reach a busy one. They are cut while they are read, so neither memory nor the cost of
// a restart depends on their length. Killed at any moment, the walk publishes each
// order once, and repeats few calls.
func TestALongWindowThatIsDenseIsCut(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults simulator.Faults
	}{
		{"end inside", simulator.Faults{}},
		{"end outside", simulator.Faults{EndExclusive: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				const orders = 12_000
				sh, p := quietThenDense(orders)
				a.simulate(simulator.Config{Seed: 9, Shops: []simulator.Shop{sh}, Latency: 20 * time.Millisecond, Faults: c.faults})
				a.pod = "pod"
				rnd := rand.New(rand.NewPCG(9, 9))
				most := 0
				for kills := 0; ; kills++ {
					run := a.start(shop{appID: "wx1", policy: p})
					ended := false
					select {
					case <-run.ended:
						ended = true
						if run.err != nil {
							t.Fatal(run.err)
						}
					case <-time.After(time.Duration(5+rnd.IntN(20)) * time.Second):
						run.kill()
					}
					if c := a.checkpoints()[offsets.Partition{Shop: "wx1", Range: "create_time"}]; c != nil {
						most = max(most, c.Held())
					}
					if ended {
						break
					}
					if kills > 30 {
						t.Fatal("does not come to an end")
					}
				}
				a.eachOnce("wx1", p.Start, p.End)
				// Each of four windows is cut at 400 pages, and its first part once more.
				// The IDs listed by then are kept for all parts.
				if least := 4 * 400; most > 5*least {
					t.Errorf("up to %d IDs of %d orders were kept", most, orders)
				}
				if n := len(a.listed()); n > orders*3/2 {
					t.Errorf("%d calls for %d pages", n, orders)
				}
			})
		})
	}
}

// TestAWindowThatIsCutMissesNoChange is the same by update time, while orders keep
// changing.
func TestAWindowThatIsCutMissesNoChange(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = time.Minute
		sh, p := quietThenDense(3500)
		sh.Backlog.From, sh.Backlog.To = time.Now().Unix()-3600, time.Now().Unix()-60
		sh.Backlog.Changes, sh.Backlog.ChangeWithin = 3, 30*time.Minute
		p.Range, p.End = wechat.UpdateTime, time.Now().Unix()+600
		a.simulate(simulator.Config{Seed: 10, Shops: []simulator.Shop{sh}, Latency: 100 * time.Millisecond})
		a.pod = "pod"
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(45 * time.Second)
		if !strings.Contains(run.logged(), "window cut") {
			t.Error("no window was cut, so the test proves nothing")
		}
		run.kill()
		run = a.start(shop{appID: "wx1", policy: p})
		time.Sleep(45 * time.Second)
		run.kill()
		if err := a.start(shop{appID: "wx1", policy: p}).within(5 * time.Hour); err != nil {
			t.Fatal(err)
		}
		a.changesAsShown(15)
	})
}
