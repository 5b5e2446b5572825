package connector

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// second is a shop by update time with an order each second, polled every 10 s.
func second(t *testing.T, faults simulator.Faults, story func(a *testbed, start int64, p window.Policy)) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.simulate(simulator.Config{Seed: 1, Faults: faults, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		for at := start; at < start+1800; at++ {
			a.add(strconv.FormatInt(at, 10), at, 0, 20)
		}
		p := a.policy()
		p.Range, p.Start, p.PageSize, p.Concurrency = wechat.UpdateTime, start, 100, 1
		p.PollInterval, p.SettleDelay, p.Lookback = 10*time.Second, 5*time.Second, 4*time.Minute
		story(a, start, p)
	})
}

func (a *testbed) add(id string, at, visible int64, status int) {
	a.Helper()
	if err := a.api.Add("wx1", simulator.Order{ID: id, Created: at, VisibleAt: visible, Status: status}); err != nil {
		a.Fatal(err)
	}
}

func (a *testbed) once(id, what string) {
	a.Helper()
	if n := a.counted("wx1")[id]; n != 1 {
		a.Errorf("%s was published %d times, want once", what, n)
	}
}

func (a *testbed) frontier() (at int64) {
	for _, c := range a.checkpoints() {
		at = c.Frontier()
	}
	return at
}

// answers calls do after each answer to a list call.
func (a *testbed) answers(do func(q asked, ids []string)) {
	a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
		q, list := peek(a, r)
		if !list {
			return false
		}
		a.api.ServeHTTP(w, r)
		all := a.listed()
		do(q, all[len(all)-1].OrderIDs)
		return true
	}
}

func stop(t *testing.T, w *process) {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// A sweep leaves out the first second of its first window only if the window before has
// listed it under the same LOOKBACK and filters. Here the order is visible 100 s late.
func TestASweepAfterAChangeLeavesOutNoSecond(t *testing.T) {
	for name, c := range map[string]struct {
		lookback time.Duration // before
		status   int           // before
		faults   simulator.Faults
	}{
		"LOOKBACK 0 to 4m":            {0, 0, simulator.Faults{}},
		"STATUS 20 to none":           {4 * time.Minute, 20, simulator.Faults{}},
		"LOOKBACK, control: no sweep": {0, 0, simulator.Faults{EndExclusive: true}},
		"STATUS, control: no sweep":   {4 * time.Minute, 20, simulator.Faults{EndExclusive: true}},
	} {
		t.Run(name, func(t *testing.T) {
			second(t, c.faults, func(a *testbed, _ int64, p window.Policy) {
				before := p
				before.Lookback, before.Status = c.lookback, c.status
				w := a.start(shop{appID: "wx1", policy: before})
				time.Sleep(2*time.Minute + time.Second)
				stop(t, w)
				edge := a.frontier()
				a.add("7", edge, edge+100, 10)
				w = a.start(shop{appID: "wx1", policy: p})
				time.Sleep(20 * time.Minute)
				stop(t, w)
				a.once("7", "the order of the second at which the first process ended")
			})
		})
	}
}

// A window is asked for in full if the window before had other filters.
func TestAnotherFilterLeavesOutNoSecond(t *testing.T) {
	for name, out := range map[string]bool{"both ends in": false, "control: end out": true} {
		t.Run(name, func(t *testing.T) {
			second(t, simulator.Faults{EndExclusive: out, Order: "desc"}, func(a *testbed, start int64, p window.Policy) {
				for i := range 250 { // a window of three pages
					a.add(strconv.Itoa(1000+i), start+123, 0, 20)
				}
				for at := start; at < start+1800; at++ {
					a.add("1"+strconv.FormatInt(at, 10), at, 0, 10)
				}
				var full atomic.Int32
				var hangs atomic.Bool
				a.answers(func(_ asked, ids []string) {
					if len(ids) == 100 {
						hangs.Store(full.Add(1) >= 2 || hangs.Load())
					}
				})
				answer := a.gateway
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					for hangs.Load() {
						time.Sleep(50 * time.Millisecond)
					}
					return answer(w, r)
				}
				p.Status = 20
				w := a.start(shop{appID: "wx1", policy: p})
				a.until("the API hangs", func() bool { time.Sleep(time.Second); return hangs.Load() })
				a.until("the window is open on the topic", func() bool {
					for _, c := range a.checkpoints() {
						return len(c.Open()) == 1 && c.Open()[0].Key != ""
					}
					return false
				})
				w.kill()
				edge := a.frontier()
				hangs.Store(false)
				full.Store(-1000)
				time.Sleep(20 * time.Second)
				p.Status = 0
				w = a.start(shop{appID: "wx1", policy: p})
				time.Sleep(20 * time.Minute)
				stop(t, w)
				a.once(strconv.FormatInt(edge, 10), "the order of status 20 of the edge")
				a.once("1"+strconv.FormatInt(edge, 10), "the order of status 10 of the edge, the first second that is read without the filter,")
			})
		})
	}
}

// What an answer has shown is published although the order then leaves the status filter or
// the range for good: nothing is read there that does not publish what it lists.
func TestWhatAnAnswerHasShownIsPublished(t *testing.T) {
	for name, c := range map[string]struct {
		late   int64 // how late the order is visible: 200 = a sweep shows it first
		status int
		end    int64
		faults simulator.Faults
	}{
		"sweep, status":                         {200, 20, 0, simulator.Faults{}},
		"sweep, END_TIME":                       {200, 0, 620, simulator.Faults{}},
		"first page, status":                    {0, 20, 0, simulator.Faults{}},
		"first page, END_TIME":                  {0, 0, 608, simulator.Faults{}},
		"control: no sweep, status":             {200, 20, 0, simulator.Faults{EndExclusive: true}},
		"control: no sweep, END_TIME":           {200, 0, 620, simulator.Faults{EndExclusive: true}},
		"control: first page in full, status":   {0, 20, 0, simulator.Faults{EndExclusive: true}},
		"control: first page in full, END_TIME": {0, 0, 608, simulator.Faults{EndExclusive: true}},
	} {
		t.Run(name, func(t *testing.T) {
			second(t, c.faults, func(a *testbed, start int64, p window.Policy) {
				at := start + 603
				if p.Status = c.status; c.end > 0 {
					p.End = start + c.end
				}
				if c.late > 0 {
					a.add("7", at, at+c.late, 20)
				} else {
					a.add("7", at, 0, 20)
					p.PageSize = 40
					for i := range 40 {
						a.add(strconv.Itoa(100+i), at+1, 0, 20)
					}
				}
				var shown atomic.Bool
				a.answers(func(_ asked, ids []string) {
					if slices.Contains(ids, "7") && !shown.Swap(true) {
						if err := a.api.Update("wx1", "7", time.Now().Unix(), 30); err != nil {
							t.Error(err)
						}
					}
				})
				w := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(30 * time.Minute)
				stop(t, w)
				a.once("7", "an order that an answer has shown within LOOKBACK")
			})
		})
	}
}

// A window that has seen orders (its page token was refused, then the shop waited for the
// vendor) is asked for in full: the window before would publish one of them again.
func TestARestartedWindowIsAskedForInFull(t *testing.T) {
	for name, out := range map[string]bool{"both ends in": false, "control: end out": true} {
		t.Run(name, func(t *testing.T) {
			second(t, simulator.Faults{EndExclusive: out}, func(a *testbed, start int64, p window.Policy) {
				for i := range 250 {
					a.add(strconv.Itoa(1000+i), start+124, 0, 20)
				}
				var phase, keyed atomic.Int32
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					q, list := peek(a, r)
					if !list {
						return false
					}
					left, right := q.Update.End == start+123 && q.Update.Start >= start+119, q.Update.End == start+126 && q.Update.Start >= start+122
					for phase.Load() == 1 && left { // the window before waits for its answer
						time.Sleep(50 * time.Millisecond)
					}
					w.Header().Set("Content-Type", "application/json")
					switch {
					case phase.Load() == 1 && right && q.Key != "":
						keyed.Add(1)
						fmt.Fprint(w, `{"errcode":606006,"errmsg":"next_key"}`)
						return true
					case phase.Load() == 1 && right && keyed.Load() > 0:
						fmt.Fprint(w, `{"errcode":48001,"errmsg":"api unauthorized"}`)
						return true
					case phase.Load() == 2 && right:
						time.Sleep(2 * time.Second)
					}
					return false
				}
				p.PollInterval, p.Concurrency, p.Lookback = 3*time.Second, 3, 10*time.Minute
				w := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(2*time.Minute + time.Second)
				phase.Store(1)
				time.Sleep(10*time.Second + 200*time.Millisecond)
				w.Nudge("wx1", orderNew, "", time.Unix(start+124, 0)) // so the next window opens meanwhile
				time.Sleep(10 * time.Second)
				phase.Store(2)
				time.Sleep(5 * time.Minute)
				stop(t, w)
				for at := start + 110; at < start+150; at++ {
					a.once(strconv.FormatInt(at, 10), fmt.Sprintf("the order of second +%d, which never changed,", at-start))
				}
			})
		})
	}
}

// With a SETTLE_DELAY below a second, an order that comes in the second at which a poll
// ended, after that poll, is read by the next one.
func TestAPollOfTheRunningSecondDelaysNoOrder(t *testing.T) {
	for name, out := range map[string]bool{"both ends in": false, "control: end out": true} {
		t.Run(name, func(t *testing.T) {
			second(t, simulator.Faults{EndExclusive: out}, func(a *testbed, _ int64, p window.Policy) {
				p.SettleDelay, p.Lookback = 0, 10*time.Minute
				w := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(4*time.Minute + 500*time.Millisecond)
				n := len(a.listed())
				for len(a.listed()) == n {
					time.Sleep(50 * time.Millisecond)
				}
				if end := a.listed()[n].Update.End; end != time.Now().Unix() {
					t.Fatalf("polled at %d to %d", time.Now().Unix(), end)
				}
				a.add("7", time.Now().Unix(), 0, 20)
				w.Nudge("wx1", orderNew, "", time.Now())
				time.Sleep(time.Minute)
				a.once("7", "a minute after its push, the order")
				stop(t, w)
			})
		})
	}
}

// hook calls do for each message of the log.
type hook struct{ do func(message string) }

func (hook) Enabled(context.Context, slog.Level) bool { return true }
func (h hook) Handle(_ context.Context, r slog.Record) error {
	h.do(r.Message)
	return nil
}
func (h hook) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h hook) WithGroup(string) slog.Handler      { return h }

// A push that arrives while a walker is launched does not run it before its state is
// complete: the race detector tells. The log only makes the moment certain.
func TestAPushDuringALaunch(t *testing.T) {
	second(t, simulator.Faults{}, func(a *testbed, start int64, p window.Policy) {
		p.PollInterval, p.SettleDelay = time.Second, time.Second
		run := a.prepare(shop{appID: "wx1", policy: p})
		var nudged atomic.Bool
		run.cfg.Log = slog.New(hook{func(message string) {
			if strings.HasPrefix(message, "the start time is earlier") && !nudged.Swap(true) {
				run.Nudge("wx1", orderNew, "", time.Now())
				time.Sleep(time.Millisecond)
			}
		}})
		a.run(run)
		time.Sleep(2 * time.Minute)
		run.Steer(map[string]Wanted{"wx1": {Paused: true}})
		a.until("paused", func() bool { return run.statusOf("wx1").State == StatePaused })
		shops := slices.Clone(run.cfg.Shops)
		shops[0].Policy.Start = start - 3600
		if err := run.SetShops(context.Background(), shops); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		run.Steer(nil)
		time.Sleep(time.Minute)
		if !nudged.Load() {
			t.Error("no push during a launch")
		}
		stop(t, run)
	})
}
