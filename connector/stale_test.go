package connector

import (
	"testing"
	"time"

	"orderwalk/simulator"
)

// A shop that waits for the vendor is a failed task to Kafka Connect's tools: a restart of
// what failed has it try at once.
func TestAWaitingShopIsRestartedAsAFailedOne(t *testing.T) {
	steer(t, func(s *steered) {
		s.api.SetFaults(simulator.Faults{Unauthorised: true})
		time.Sleep(time.Hour) // it looks every ten minutes now
		s.expect(StateWaiting)
		s.api.SetFaults(simulator.Faults{})
		s.run.Steer(map[string]Wanted{"guest": {IfFailed: 1}})
		time.Sleep(15 * time.Second)
		if got := s.run.statusOf("guest").State; got == StateWaiting {
			t.Errorf("15 s after the restart it is %s still", got)
		}
		time.Sleep(15 * time.Minute)
	})
}

// A lane whose shops rest, and are then removed, is not taken for one of this worker's when
// another worker has it.
func TestALaneOfRemovedShopsIsLeft(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		var world simulator.Config
		var shops []shop
		for lane := range 4 {
			id := a.inLane(lane, 1)[0]
			world.Shops = append(world.Shops, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 0.2}})
			p := testPolicy()
			p.Start, p.PollInterval, p.MinWindow, p.Lookback = start, 10*time.Second, time.Minute, 0
			shops = append(shops, shop{appID: id, policy: p})
		}
		a.simulate(world)
		one := a.start(shops...)
		time.Sleep(time.Minute)
		all := one.Shops()
		wanted := map[string]Wanted{}
		for _, s := range all {
			wanted[s.Name] = Wanted{Stopped: true}
		}
		one.Steer(wanted)
		time.Sleep(time.Minute)
		if err := one.SetShops(a.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		other := a.start(shops...)
		time.Sleep(time.Minute)
		if err := one.SetShops(a.Context(), all); err != nil {
			t.Fatal(err)
		}
		one.Steer(nil)
		time.Sleep(time.Minute)
		if n := len(one.set.numbers()) + len(other.set.numbers()); n != 4 {
			t.Errorf("two workers have lanes %v and %v", one.set.numbers(), other.set.numbers())
		}
		for _, p := range []*process{one, other} {
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
