package connector

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAnOldDateDoesNotHoldWindowsBackForLong: after one answer with a Date that is
// hours old, as from a gateway with a wrong clock, no window can be read, and so no
// call would bring a newer Date. The walker then asks the API for its clock.
func TestAnOldDateDoesNotHoldWindowsBackForLong(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.simulate(simulator.Config{Seed: 17, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
		p := a.policy()
		p.Start = start
		run := a.start(shop{appID: "wx1", policy: p})
		// Not at the full hour, when the quota request brings a Date.
		time.Sleep(20 * time.Minute)
		a.api.SetFaults(simulator.Faults{ClockSkew: -3 * time.Hour})
		time.Sleep(5 * time.Second)
		a.api.SetFaults(simulator.Faults{})
		before := len(a.listed())
		time.Sleep(3 * time.Minute)
		if lag := run.Status()[0].Lag(time.Now()); lag > time.Minute {
			t.Errorf("%v behind three minutes after one answer with an old Date, and %d calls since", lag, len(a.listed())-before)
		}
		// An API whose clock stays wrong gets a bounded number of calls.
		a.api.SetFaults(simulator.Faults{ClockSkew: -3 * time.Hour})
		time.Sleep(5 * time.Second)
		before = len(a.listed())
		time.Sleep(20 * time.Minute)
		if n := len(a.listed()) - before; n < 15 || n > 25 {
			t.Errorf("%d calls in 20 minutes of a clock that is hours behind", n)
		}
		a.api.SetFaults(simulator.Faults{})
		time.Sleep(3 * time.Minute)
		end := run.Status()[0].Watermark
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		a.eachOnce("wx1", start+1, end-10)
	})
}

// TestClocksThatDifferAreTold: by the earlier clock nothing is late, although every
// order is published late by the difference. The log reports each difference once, a
// metric shows it all the time, and lag uses the later clock.
func TestClocksThatDifferAreTold(t *testing.T) {
	for name, skew := range map[string]time.Duration{"ours is behind": 10 * time.Minute, "the API's is behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix()
				a.simulate(simulator.Config{Seed: 18, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
				p := a.policy()
				p.Start = start
				run := a.start(shop{appID: "wx1", policy: p})
				skewed := func(least, most time.Duration) {
					t.Helper()
					if v := run.single("orderwalk_clock_skew_seconds"); v < least.Seconds() || v > most.Seconds() {
						t.Errorf("the clocks differ by %v s, want %v to %v", v, least, most)
					}
				}
				time.Sleep(2 * time.Minute)
				run.expectLogged("clock", 0)
				skewed(0, 0)

				a.api.SetFaults(simulator.Faults{ClockSkew: skew})
				time.Sleep(10 * time.Minute)
				run.expectLogged("every order is published late by that much", 1)
				skewed(skew-time.Second, skew+time.Second)
				if lag := run.single("orderwalk_lag_seconds"); lag < min(skew.Abs(), 10*time.Minute).Seconds() {
					t.Errorf("by the later clock the shop is %v s behind", lag)
				}
				a.api.SetFaults(simulator.Faults{ClockSkew: 3 * skew})
				time.Sleep(10 * time.Minute)
				run.expectLogged("every order is published late by that much", 2)

				a.api.SetFaults(simulator.Faults{})
				time.Sleep(10 * time.Minute)
				run.expectLogged("agree again", 1)
				skewed(0, 0)
				if err := run.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// twoHoursAhead plays a live shop beside a machine whose clock is two hours ahead of the
// API's. gateway answers instead of the API, or reports that it does not.
func (a *testbed) twoHoursAhead(gateway func(w http.ResponseWriter, r *http.Request) bool) {
	a.Helper()
	const ahead = 2 * time.Hour
	start := time.Now().Add(-ahead - 10*time.Minute).Unix()
	a.simulate(simulator.Config{Seed: 17, Faults: simulator.Faults{ClockSkew: -ahead},
		Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.1, Since: start}}}})
	a.gateway = gateway
	p := testPolicy()
	p.Start = start
	run := a.start(shop{appID: "wx1", policy: p})
	time.Sleep(3 * time.Hour)
	end := run.Status()[0].Watermark
	if err := run.stop(); err != nil {
		a.Error(err)
	}
	if behind := time.Now().Add(-ahead).Unix() - end; behind < 0 || behind > 60 {
		a.Errorf("the shop is %d s behind the API's clock", behind)
	}
	a.eachOnce("wx1", start+1, end-10)
}

// TestAnswersWithoutDateBeginNoWindow: a token without a Date, as through a gateway of its
// own, says nothing of the API's clock. If this machine's is ahead, windows would be read
// before their orders exist, and never again.
func TestAnswersWithoutDateBeginNoWindow(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.twoHoursAhead(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, listPath) {
				return false
			}
			a.dated(w, r, time.Time{})
			return true
		})
	})
}

// TestOneGatewayAheadDoesNotHideAClockThatIs: this machine's clock is ahead, and every other
// answer has a Date that is even more so.
func TestOneGatewayAheadDoesNotHideAClockThatIs(t *testing.T) {
	inBubble(t, func(a *testbed) {
		var answers atomic.Int64
		a.twoHoursAhead(func(w http.ResponseWriter, r *http.Request) bool {
			if answers.Add(1)%2 == 1 {
				return false
			}
			a.dated(w, r, time.Now().Add(24*time.Hour))
			return true
		})
	})
}

// TestAnAPIWithoutDateIsTold: then this machine's clock decides alone, after a few calls.
func TestAnAPIWithoutDateIsTold(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		a.simulate(simulator.Config{Seed: 17, Faults: simulator.Faults{DateAbsent: true},
			Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
		p := a.policy()
		p.Start = start
		run := a.start(shop{appID: "wx1", policy: p})
		time.Sleep(20 * time.Minute)
		run.expectLogged("no Date header", 1)
		end := run.Status()[0].Watermark
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		if behind := time.Now().Unix() - end; behind > 10 {
			t.Errorf("the shop is %d s behind", behind)
		}
		a.eachOnce("wx1", start+1, end-10)
	})
}

// TestAClockThatIsAheadCostsNoCalls: while this machine's clock is ahead, no call is made
// just to hear the API's: each poll tells it, also one that is stretched.
func TestAClockThatIsAheadCostsNoCalls(t *testing.T) {
	for name, c := range map[string]struct {
		most  time.Duration
		calls int
	}{"steady": {}, "idle": {most: time.Minute}, "with few calls a day": {most: time.Minute, calls: 300}} {
		t.Run(name, func(t *testing.T) {
			calls := func(skew time.Duration) (n int) {
				alone(t, func(a *testbed) {
					a.heartbeat = time.Minute
					a.simulate(simulator.Config{Seed: 17, Faults: simulator.Faults{ClockSkew: skew, PerDayLimit: c.calls}, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
					p := testPolicy()
					p.PollIntervalMax = c.most
					run := a.start(shop{appID: "wx1", policy: p})
					time.Sleep(15 * time.Hour)
					run.expectLogged("45009", 0)
					if err := run.stop(); err != nil {
						t.Error(err)
					}
					n = len(a.listed())
				})
				return n
			}
			right := calls(0)
			if ahead := calls(-2 * time.Minute); ahead > right+right/10 {
				t.Errorf("%d calls in 15 hours with the clock two minutes ahead, %d with the right time", ahead, right)
			}
		})
	}
}

// TestAWrongDateDoesNotProlongAUsedUpDay: the day ends at midnight by the clock that gets
// there first. If that is wrong, a few calls are refused.
func TestAWrongDateDoesNotProlongAUsedUpDay(t *testing.T) {
	for name, skew := range map[string]time.Duration{"right": 0, "behind": -10 * time.Hour, "ahead": 5 * time.Hour} {
		t.Run("the Date is "+name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				a.heartbeat = time.Minute
				start := time.Now().Unix()
				a.simulate(simulator.Config{Seed: 17, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.01, Since: start}}}})
				until := time.Now().Add(midnight())
				var refused atomic.Int64
				a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
					if left := time.Until(until); left <= 0 || left > 2*time.Hour || !strings.HasSuffix(r.URL.Path, listPath) {
						return false
					}
					refused.Add(1)
					w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
					_, _ = w.Write([]byte(`{"errcode":45009,"errmsg":"reach max api daily quota limit"}`))
					return true
				}
				p := testPolicy()
				p.Start = start
				run := a.start(shop{appID: "wx1", policy: p})
				time.Sleep(time.Until(until.Add(10 * time.Minute)))
				if s := run.statusOf("wx1"); s.State != StateLive || s.Lag(time.Now()) > 5*time.Minute || refused.Load() == 0 || refused.Load() > 8 {
					t.Errorf("ten minutes into the next day, after %d refused calls, the shop is %s and %v behind: %s", refused.Load(), s.State, s.Lag(time.Now()), s.Reason)
				}
				end := run.statusOf("wx1").Watermark
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				a.eachOnce("wx1", start+1, end-10)
			})
		})
	}
	t.Run("this machine's clock is ahead", func(t *testing.T) {
		inBubble(t, func(a *testbed) {
			a.heartbeat = time.Minute
			a.simulate(simulator.Config{Seed: 17, Faults: simulator.Faults{ClockSkew: -8 * time.Hour, PerDayLimit: 100}, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
			p := testPolicy()
			p.Start = time.Now().Add(-8 * time.Hour).Unix()
			run := a.start(shop{appID: "wx1", policy: p})
			time.Sleep(48 * time.Hour)
			if n := a.answered(listPath, "45009"); n > 3*8 {
				t.Errorf("%d calls were refused in two days", n)
			}
			if err := run.stop(); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestAWrongDateBeginsNoDay: by the Date of the answer that says how many calls are left, the
// day is about to end. The backfill does not take the live walk's share for a new day's.
func TestAWrongDateBeginsNoDay(t *testing.T) {
	inBubble(t, func(a *testbed) {
		until := time.Now().Add(midnight())
		a.gateway = func(w http.ResponseWriter, r *http.Request) bool {
			if left := time.Until(until); r.URL.Path != quotaPath || left < 13*time.Hour || left > 15*time.Hour {
				return false
			}
			a.dated(w, r, until.Add(-time.Minute))
			return true
		}
		run, old := a.oldAndNew(42, 60000, 5000, 0.2)
		time.Sleep(time.Minute)
		a.until("the backfill waits", func() bool { return run.statusOf("old").Held })
		for midnight() > time.Hour {
			time.Sleep(time.Hour)
			if s := run.statusOf("new"); s.State != StateLive || s.Lag(time.Now()) > 10*time.Minute {
				t.Fatalf("the live walk stands: %+v", s)
			}
		}
		time.Sleep(midnight())
		a.until("all is read", func() bool { return run.statusOf("old").State == StateDone })
		if n := a.answered(listPath, "45009"); n > 0 {
			t.Errorf("%d calls too many", n)
		}
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		a.createdOnce("wx1", old.Start, old.End)
	})
}

// dated lets the API answer, with another Date; zero = without one.
func (a *testbed) dated(w http.ResponseWriter, r *http.Request, at time.Time) {
	answer := httptest.NewRecorder()
	a.api.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header()["Date"] = nil
	if !at.IsZero() {
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// single returns the value of a series without labels.
func (p *process) single(name string) float64 {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].Gauge.GetValue()
		}
	}
	p.a.Fatalf("no series %s", name)
	return 0
}
