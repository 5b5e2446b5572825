//go:build kafka

package trial

import (
	"fmt"
	"testing"
	"time"

	"orderwalk/internal/kafkatest"
	"orderwalk/simulator"
)

// Kafka's numbers for the requests that are hit.
const (
	produce         = 0
	findCoordinator = 10
	initProducerID  = 22
	addPartitions   = 24
)

// TestProxyThatSwallowsAnswers reads a backlog through a proxy that loses,
// cuts and delays what goes between the program and Kafka: above all the
// requests that commit, and their answers. A process that gives up is started
// again, and counted.
func TestProxyThatSwallowsAnswers(t *testing.T) {
	rule := func(api int16, do kafkatest.Action, probability float64) kafkatest.Rule {
		return kafkatest.Rule{API: api, Do: do, Probability: probability, Delay: 1500 * time.Millisecond}
	}
	networks := []struct {
		name  string
		rules []kafkatest.Rule
		// upset does something to all connections from time to time.
		upset func(p *kafkatest.Proxy, n int)
		kill  bool // kill −9 from time to time
	}{
		{"commits", []kafkatest.Rule{
			// What was asked and never answered, and what arrives when its
			// sender has long gone on.
			rule(kafkatest.EndTxn, kafkatest.SwallowAnswer, 0.03),
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.10),
			rule(kafkatest.EndTxn, kafkatest.DelayRequest, 0.10),
			rule(kafkatest.EndTxn, kafkatest.DropRequest, 0.05),
		}, nil, false},
		{"everything", []kafkatest.Rule{
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.05),
			rule(kafkatest.EndTxn, kafkatest.DelayRequest, 0.05),
			rule(produce, kafkatest.SwallowAnswer, 0.005),
			rule(produce, kafkatest.CutAnswer, 0.05),
			rule(produce, kafkatest.DelayRequest, 0.05),
			rule(addPartitions, kafkatest.SwallowAnswer, 0.01),
			rule(addPartitions, kafkatest.CutAnswer, 0.05),
			rule(addPartitions, kafkatest.DelayRequest, 0.05),
			rule(initProducerID, kafkatest.CutAnswer, 0.2),
			rule(initProducerID, kafkatest.DelayRequest, 0.1),
			rule(findCoordinator, kafkatest.CutAnswer, 0.1),
		}, func(p *kafkatest.Proxy, n int) {
			if n%3 == 2 {
				p.Stall(1500 * time.Millisecond)
			} else {
				p.Cut()
			}
		}, false},
		{"kills", []kafkatest.Rule{
			// The late commit of a dead process meets its successor.
			rule(kafkatest.EndTxn, kafkatest.DelayRequest, 0.2),
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.1),
			rule(produce, kafkatest.DelayRequest, 0.1),
			rule(initProducerID, kafkatest.DelayRequest, 0.1),
			rule(initProducerID, kafkatest.CutAnswer, 0.1),
		}, nil, true},
	}
	for _, network := range networks {
		t.Run(network.name, func(t *testing.T) {
			rounds := number(t, "TRIAL_ROUNDS", 6)
			var proxy *kafkatest.Proxy
			w := newWorld(t, nil, func(w *world) simulator.Config {
				proxy = kafkatest.NewProxy(w.seed)
				return closedShops(w, 5, 500*rounds)
			})
			t.Cleanup(proxy.Close)
			cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Proxy: proxy})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Stop)
			w.api.SetFaults(simulator.Chaos(0.2))
			w.brokers = cluster.ProxyBrokers()
			proxy.SetRules(network.rules...)

			// More lanes than sources: trouble in each.
			settings := []string{"OFFSETS_PARTITIONS=16", "PAGE_SIZE=10", "CONCURRENCY=2", "LOOKBACK=0", "TRANSACTION_TIMEOUT=10s"}
			gaveUp, killed := 0, 0
			p := w.run(settings...)
			for n := 0; p.running(); n++ {
				_, served := w.progress()
				reached := w.await(p, 4*time.Second, func() bool { _, now := w.progress(); return now >= served+1000 })
				switch {
				case !p.running() && p.exit() != 0:
					gaveUp++
					t.Logf("life %d gave up with %d\n%s", p.number, p.exit(), p.tail())
					if gaveUp > 10 {
						t.Fatal("it gives up again and again")
					}
					p = w.run(settings...)
				case network.kill && reached && p.kill():
					killed++
					p = w.run(settings...)
				case network.upset != nil:
					network.upset(proxy, n)
				}
			}
			proxy.SetRules()
			w.brokers = cluster.Brokers()
			hits := ""
			for _, r := range network.rules {
				n := proxy.Hits(r.API, r.Do)
				hits += fmt.Sprintf(" %d/%d:%d", r.API, r.Do, n)
			}
			if lost := proxy.Hits(kafkatest.EndTxn, kafkatest.DelayRequest) + proxy.Hits(kafkatest.EndTxn, kafkatest.CutAnswer); lost < 10 {
				t.Errorf("only %d commits were hit", lost)
			}
			t.Logf("%d orders, each once; %d gave up, %d killed, %d commits; hits by API/action:%s",
				w.eachOnce(), gaveUp, killed, proxy.Requests(kafkatest.EndTxn), hits)
		})
	}
}
