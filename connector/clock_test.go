package connector

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// TestAnOldDateDoesNotHoldWindowsBackForLong: one answer whose Date is hours
// old, as of a gateway with a wrong clock, leaves no window to read and so no
// call that would tell better. The API is asked for its clock then.
func TestAnOldDateDoesNotHoldWindowsBackForLong(t *testing.T) {
	inBubble(t, func(a *arena) {
		start := time.Now().Unix()
		a.world(simulator.Config{Seed: 17, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 0.5, Since: start}}}})
		p := a.policy()
		p.Start = start
		run := a.start(shop{appID: "wx1", policy: p})
		// Not at the hour, when the quota is asked for.
		time.Sleep(20 * time.Minute)
		a.api.SetFaults(simulator.Faults{ClockSkew: -3 * time.Hour})
		time.Sleep(5 * time.Second)
		a.api.SetFaults(simulator.Faults{})
		before := len(a.listed())
		time.Sleep(3 * time.Minute)
		if lag := run.Status()[0].Lag(time.Now()); lag > time.Minute {
			t.Errorf("%v behind three minutes after one answer with an old Date, and %d calls since", lag, len(a.listed())-before)
		}
		// An API whose clock is wrong for good is asked no more than it need be.
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
