package connector

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// ends returns the n-th of the four readings of a range's first and last second.
func ends(n int) simulator.Faults {
	return simulator.Faults{StartExclusive: n/2 == 1, EndExclusive: n%2 == 1}
}

// everySecond is a shop with orders in each second from before the start to after the
// end. IDs contain their second.
func (a *testbed) everySecond(cfg simulator.Config, from, to int64) {
	a.Helper()
	cfg.Shops = []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}
	a.simulate(cfg)
	for at := from; at <= to; at++ {
		for i := range 2 {
			if err := a.api.Add("wx1", simulator.Order{ID: strconv.FormatInt(10*at+int64(i), 10), Created: at, Updated: at}); err != nil {
				a.Fatal(err)
			}
		}
	}
}

// everySecondOnce checks that the orders of each second of a range are published once.
// Other orders may only be of the second before and, for a bounded range, after it.
func (a *testbed) everySecondOnce(from, to int64, bounded bool) {
	a.Helper()
	count := make(map[int64]int)
	for _, r := range a.published() {
		id, err := strconv.ParseInt(string(r.Key), 10, 64)
		if err != nil {
			a.Fatal(err)
		}
		count[id]++
		if at := id / 10; at < from-1 || bounded && at > to+1 {
			a.Errorf("order %d of %+d s is published", id, at-from)
		}
	}
	for id := 10 * (from - 1); id < 10*(to+2); id++ {
		n, second := count[id], id/10
		if n > 1 || n == 0 && id%10 < 2 && second >= from && second <= to {
			a.Errorf("order %d of %+d s is published %d times", id, second-from, n)
		}
	}
}

// TestEverySecondIsInWhateverEndsMean: a bounded range with orders in its first and
// last second, in windows of one second and longer.
func TestEverySecondIsInWhateverEndsMean(t *testing.T) {
	for n := range 4 {
		for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
			for _, length := range []time.Duration{time.Second, 2 * time.Second, 7 * time.Second, time.Hour} {
				t.Run(fmt.Sprintf("%+v %s %v", n, kind, length), func(t *testing.T) {
					inBubble(t, func(a *testbed) {
						to := time.Now().Unix() - 3600
						from := to - 45
						a.everySecond(simulator.Config{Faults: ends(n)}, from-3, to+3)
						p := testPolicy()
						p.Range, p.Start, p.End, p.MaxWindow, p.PageSize = kind, from, to, length, 7
						if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
							t.Fatal(err)
						}
						a.everySecondOnce(from, to, true)
					})
				})
			}
		}
	}
}

// TestEverySecondIsInLive: the same for a live shop, with a kill in between.
func TestEverySecondIsInLive(t *testing.T) {
	for n := range 4 {
		for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
			t.Run(fmt.Sprintf("%d %s", n, kind), func(t *testing.T) {
				inBubble(t, func(a *testbed) {
					from := time.Now().Unix() - 20
					a.everySecond(simulator.Config{Faults: ends(n)}, from-3, from+200)
					p := a.policy()
					p.Range, p.Start = kind, from
					a.pod = "pod"
					run := a.start(shop{appID: "wx1", policy: p})
					time.Sleep(40 * time.Second)
					run.kill()
					time.Sleep(5 * time.Second)
					run = a.start(shop{appID: "wx1", policy: p})
					time.Sleep(40 * time.Second)
					to := run.Status()[0].Watermark
					if err := run.stop(); err != nil {
						t.Fatal(err)
					}
					if to < from+60 {
						t.Errorf("came no farther than %d s", to-from)
					}
					a.everySecondOnce(from, to-1, false)
				})
			})
		}
	}
}
