package connector

import (
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// steered is a lane with two live shops, of which operators want something of "guest".
type steered struct {
	*testbed
	run   *process
	shops []shop
	start int64
}

func steer(t *testing.T, story func(s *steered)) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix()
		world := simulator.Config{Seed: 75}
		var shops []shop
		for _, id := range []string{"guest", "neighbour"} {
			world.Shops = append(world.Shops, simulator.Shop{AppID: id, Secret: "secret-" + id,
				Backlog: simulator.Backlog{Orders: 300, From: start - 3600, To: start - 60}, Live: simulator.Live{Rate: 0.2}})
			p := testPolicy()
			p.Start, p.PollInterval, p.MinWindow, p.Lookback = start-3600, 10*time.Second, time.Minute, 0
			shops = append(shops, shop{appID: id, policy: p})
		}
		a.simulate(world)
		run := a.prepare(shops...)
		run.cfg.OffsetsPartitions = 1
		a.run(run)
		time.Sleep(3 * time.Minute)
		s := &steered{a, run, shops, start}
		story(s)
		end := time.Now().Unix()
		time.Sleep(3 * time.Minute)
		if err := s.run.stop(); err != nil {
			t.Fatal(err)
		}
		a.eachOnce("guest", start-3600, end-30)
		a.eachOnce("neighbour", start-3600, end-30)
	})
}

// expect waits until the guest is in a state.
func (s *steered) expect(state State) {
	s.Helper()
	s.until("guest is "+string(state), func() bool { return s.run.statusOf("guest").State == state })
}

// quiet fails if the guest makes calls.
func (s *steered) quiet() {
	s.Helper()
	calls := func() (n int) {
		for _, c := range s.listed() {
			if c.AppID == "guest" {
				n++
			}
		}
		return n
	}
	before := calls()
	time.Sleep(3 * time.Minute)
	if n := calls() - before; n > 0 {
		s.Errorf("%d calls of a shop that is %s", n, s.run.statusOf("guest").State)
	}
}

// opened fails unless the lane was opened n times.
func (s *steered) opened(n int) {
	s.Helper()
	if got := strings.Count(s.run.logged(), "lane opened"); got != n {
		s.Errorf("the lane was opened %d times, want %d", got, n)
	}
}

func TestAShopIsPausedStoppedAndResumed(t *testing.T) {
	steer(t, func(s *steered) {
		for _, wanted := range []Wanted{{Paused: true}, {Stopped: true}, {Paused: true}, {}, {Stopped: true}, {}} {
			s.run.Steer(map[string]Wanted{"guest": wanted, "unknown": {Paused: true}})
			switch {
			case wanted.Paused:
				s.expect(StatePaused)
				s.quiet()
			case wanted.Stopped:
				s.expect(StateStopped)
				s.quiet()
			default:
				s.expect(StateLive)
			}
		}
		s.opened(1)
	})
}

// All shops of a lane are stopped: the lane ends, and opens again for the first that is
// resumed.
func TestALaneOfStoppedShopsEnds(t *testing.T) {
	steer(t, func(s *steered) {
		s.run.Steer(map[string]Wanted{"guest": {Stopped: true}, "neighbour": {Stopped: true}})
		s.expect(StateStopped)
		s.quiet()
		s.opened(1)
		s.run.Steer(map[string]Wanted{"guest": {Stopped: true}})
		s.quiet()
		s.run.Steer(nil)
		s.expect(StateLive)
		s.opened(2)
	})
}

// A worker that starts shows how far shops have come that are paused or stopped, whether
// it walks another shop of their lane or none.
func TestARestartShowsHowFarRestingShopsAre(t *testing.T) {
	for name, wanted := range map[string]map[string]Wanted{
		"beside a shop that is walked": {"guest": {Stopped: true}},
		"alone":                        {"guest": {Paused: true}, "neighbour": {Stopped: true}},
	} {
		t.Run(name, func(t *testing.T) {
			steer(t, func(s *steered) {
				s.run.Steer(wanted)
				time.Sleep(time.Minute)
				was := s.run.statusOf("guest").Watermark
				if err := s.run.stop(); err != nil {
					t.Fatal(err)
				}
				s.run = s.prepare(s.shops...)
				s.run.cfg.OffsetsPartitions = 1
				s.run.Steer(wanted)
				s.testbed.run(s.run)
				s.until("the guest's watermark is shown", func() bool { return s.run.statusOf("guest").Watermark != 0 })
				if got := s.run.statusOf("guest").Watermark; got != was {
					t.Errorf("watermark %d, it was %d", got, was)
				}
				s.run.Steer(nil)
			})
		})
	}
}

func TestAShopStartsAgain(t *testing.T) {
	steer(t, func(s *steered) {
		s.run.Steer(map[string]Wanted{"guest": {Restarts: 1}})
		time.Sleep(time.Minute)
		s.expect(StateLive)
		s.run.Steer(map[string]Wanted{"guest": {Restarts: 1, IfFailed: 1}}) // it has not failed
		time.Sleep(time.Minute)
		s.expect(StateLive)
		s.opened(1)
	})
}

// A shop that failed stays failed until it is restarted, or stopped and resumed. Its
// neighbour does not notice.
func TestAFailedShopStartsAgain(t *testing.T) {
	for name, again := range map[string][]Wanted{
		"restart":             {{Restarts: 1}},
		"restart if failed":   {{IfFailed: 1}},
		"stopped and resumed": {{Stopped: true}, {}},
		"paused and resumed":  {{Paused: true}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			steer(t, func(s *steered) {
				s.run.Steer(map[string]Wanted{"guest": {Paused: true}, "neighbour": {Paused: true}})
				time.Sleep(5 * time.Minute) // orders wait to be read
				s.api.SetFaults(simulator.Faults{UnknownErrcode: 12345})
				s.run.Steer(map[string]Wanted{"neighbour": {Paused: true}})
				time.Sleep(5 * time.Minute)
				s.expect(StateFailed)
				s.api.SetFaults(simulator.Faults{})
				s.run.Steer(nil) // the neighbour is resumed; a shop that failed stays so
				time.Sleep(time.Minute)
				s.expect(StateFailed)
				for _, wanted := range again {
					s.run.Steer(map[string]Wanted{"guest": wanted})
					time.Sleep(time.Minute)
				}
				s.expect(StateLive)
			})
		})
	}
}
