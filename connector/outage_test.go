package connector

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// waiting returns the series of orderwalk_kafka_waiting, as "reason: request".
func (p *process) waiting() map[string]float64 {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != "orderwalk_kafka_waiting" {
			continue
		}
		for _, m := range f.Metric {
			found[m.Label[0].GetValue()+": "+m.Label[1].GetValue()] = m.Gauge.GetValue()
		}
	}
	return found
}

// TestWhatIsWaitedForIsToldOnce: Kafka refuses one kind of request for minutes, for all
// lanes. The walk waits and continues. The metric shows the request, and the log has
// one line when the wait begins to last, one a minute, and one when it ends.
func TestWhatIsWaitedForIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault  kfake.Fault
		series string
	}{
		"below min ISR":            {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "story.offsets", Err: kerr.NotEnoughReplicas}, "Not Enough Replicas: Produce"},
		"no leader":                {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.LeaderNotAvailable}, "Leader Not Available: Produce"},
		"coordinator loads":        {kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID}, Err: kerr.CoordinatorLoadInProgress}, "Group Load In Progress: EndTxn"},
		"coordinator is not found": {kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.InitProducerID}, Err: kerr.CoordinatorNotAvailable}, "Group Coordinator Not Available: InitProducerID"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(a *testbed) {
				start := time.Now().Unix() - 60
				var world []simulator.Shop
				var shops []shop
				for i := range 8 {
					id := fmt.Sprintf("wx%02d", i)
					world = append(world, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 1, Since: start}})
					p := a.policy()
					p.Start = start
					shops = append(shops, shop{appID: id, policy: p})
				}
				a.simulate(simulator.Config{Seed: 35, Shops: world})
				run := a.start(shops...)
				a.until("all are live", func() bool { return count(run, StateLive) == len(shops) })
				if w := run.waiting(); len(w) != 0 {
					t.Errorf("waits before there is anything to wait for: %v", w)
				}

				c.fault.Count = -1
				fault := a.cluster.Fault(c.fault)
				most := 0.0
				for range 180 {
					time.Sleep(time.Second)
					most = max(most, run.waiting()[c.series])
				}
				if most == 0 || most > 4 {
					t.Errorf("%.0f lanes wait for %q; all there is: %v", most, c.series, run.waiting())
				}
				if n := strings.Count(run.logged(), "waiting for Kafka; the walk resumes"); n != 1 {
					t.Errorf("%d lines about one outage:\n%s", n, run.logged())
				}
				fault.Remove()
				a.until("the log says that it is over", func() bool { return strings.Contains(run.logged(), "no longer waiting for Kafka") })
				mark := time.Now().Unix()
				a.until("all go on", func() bool {
					return !slices.ContainsFunc(run.Status(), func(s ShopStatus) bool { return s.Watermark < mark })
				})
				for series, n := range run.waiting() {
					if n != 0 {
						t.Errorf("%.0f lanes still wait for %q", n, series)
					}
				}
				if n := strings.Count(run.logged(), "aiting for Kafka"); n != 1+2+1 {
					t.Errorf("%d lines about one outage:\n%s", n, run.logged())
				}
				end := make(map[string]int64)
				for _, s := range run.Status() {
					end[s.AppID] = s.Watermark
				}
				if err := run.stop(); err != nil {
					t.Error(err)
				}
				for _, s := range shops {
					a.eachOnce(s.appID, start, end[s.appID]-1)
				}
			})
		})
	}
}
