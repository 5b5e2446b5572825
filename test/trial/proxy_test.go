//go:build kafka

package trial

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"orderwalk/simulator"
	"orderwalk/test/kafkatest"
)

// Kafka's API keys of the affected requests.
const (
	produce         = 0
	findCoordinator = 10
	initProducerID  = 22
	addPartitions   = 24
)

// TestProxyThatSwallowsAnswers reads a backlog through a proxy that loses, cuts and
// delays traffic between the program and Kafka, above all the requests that commit and
// their answers. A process that exits is restarted, and counted.
func TestProxyThatSwallowsAnswers(t *testing.T) {
	rule := func(api int16, do kafkatest.Action, probability float64) kafkatest.Rule {
		return kafkatest.Rule{API: api, Do: do, Probability: probability, Delay: time.Second}
	}
	// A late request may arrive at any stage of the next transaction, of the one after
	// it, or of the next owner.
	late := func(api int16, probability float64) (rules []kafkatest.Rule) {
		for _, delay := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
			rules = append(rules, kafkatest.Rule{API: api, Do: kafkatest.DelayRequest, Probability: probability / 4, Delay: delay})
		}
		return rules
	}
	networks := []struct {
		name  string
		rules []kafkatest.Rule
		// upset disturbs all connections from time to time.
		upset func(p *kafkatest.Proxy, n int)
		// succeed kills the process from time to time, or lets another replace it.
		succeed bool
	}{
		// A late commit does harm while the next transaction is half-written: so there
		// are three leaders to write to, and one of them may be slow.
		{"commits", append(late(kafkatest.EndTxn, 0.4),
			rule(produce, kafkatest.SwallowAnswer, 0.05),
			rule(produce, kafkatest.DropRequest, 0.1),
			rule(kafkatest.EndTxn, kafkatest.SwallowAnswer, 0.01),
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.10),
			rule(kafkatest.EndTxn, kafkatest.DropRequest, 0.05),
		), nil, false},
		{"everything", slices.Concat(late(kafkatest.EndTxn, 0.05), late(produce, 0.05), late(addPartitions, 0.05), late(initProducerID, 0.1), []kafkatest.Rule{
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.05),
			rule(produce, kafkatest.SwallowAnswer, 0.005),
			rule(produce, kafkatest.CutAnswer, 0.05),
			rule(addPartitions, kafkatest.SwallowAnswer, 0.01),
			rule(addPartitions, kafkatest.CutAnswer, 0.05),
			rule(initProducerID, kafkatest.CutAnswer, 0.2),
			rule(findCoordinator, kafkatest.CutAnswer, 0.1),
		}), func(p *kafkatest.Proxy, n int) {
			if n%4 == 3 {
				p.Stall(1500 * time.Millisecond)
			} else {
				p.Cut()
			}
		}, false},
		// The late commit of a killed process, or of one that hands over its lanes,
		// arrives at its successor.
		{"successors", slices.Concat(late(kafkatest.EndTxn, 0.2), late(produce, 0.1), late(initProducerID, 0.1), []kafkatest.Rule{
			rule(kafkatest.EndTxn, kafkatest.CutAnswer, 0.1),
			rule(initProducerID, kafkatest.CutAnswer, 0.1),
		}), nil, true},
	}
	// One cluster for all cases: a late request belongs to a transactional ID that no
	// process uses any more.
	proxy := kafkatest.NewProxy(seedOf(t))
	t.Cleanup(proxy.Close)
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Brokers: 3, Proxies: []*kafkatest.Proxy{proxy}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	for _, network := range networks {
		t.Run(network.name, func(t *testing.T) {
			rounds := number(t, "TRIAL_ROUNDS", 6)
			w := newWorld(t, cluster.ProxyBrokers(0), func(w *fixture) simulator.Config { return closedShops(w, 8, 150*rounds) })
			w.api.SetFaults(simulator.Chaos(0.2))
			before := hits(proxy, network.rules)
			proxy.SetRules(network.rules...)
			defer proxy.SetRules()

			// Many lanes, and pages that come one by one, for as many transactions as
			// possible.
			settings := []string{"OFFSETS_PARTITIONS=16", "PAGE_SIZE=5", "RATE_LIMIT=30", "LOOKBACK=0", "TRANSACTION_TIMEOUT=4s"}
			gaveUp, killed, relieved := 0, 0, 0
			p := w.run(settings...)
			for n := 0; p.running(); n++ {
				_, served := w.progress()
				reached := w.await(p, 4*time.Second, func() bool { _, now := w.progress(); return now >= served+1000 })
				switch {
				case !p.running() && p.exit() != 0:
					gaveUp++
					t.Logf("life %d gave up with %d\n%s", p.number, p.exit(), p.tail())
					if gaveUp > 10 {
						t.Fatal("it gave up more than 10 times")
					}
					p = w.run(settings...)
				case network.succeed && reached && n%2 == 0 && p.kill():
					killed++
					p = w.run(settings...)
				case network.succeed && reached && p.running():
					next := w.run(append(settings, fmt.Sprint("WORKER_ID=relief-", n))...)
					w.await(next, time.Duration(w.dice.Int64N(int64(2*time.Second))), func() bool { return false })
					if p.running() {
						relieved++
						p.signal(syscall.SIGTERM)
					}
					if code := p.exit(); code != 0 {
						t.Errorf("life %d was stopped and exited with code %d\n%s", p.number, code, p.tail())
					}
					p = next
				case network.upset != nil:
					network.upset(proxy, n)
				}
			}
			proxy.SetRules()
			w.brokers = cluster.Brokers()
			orders, after := w.eachOnce(), hits(proxy, network.rules)
			for what, n := range before {
				after[what] -= n
			}
			if lost := after["26/2"] + after["26/4"]; lost < 3 { // the number of commits depends on the machine
				t.Errorf("only %d commits were hit", lost)
			}
			t.Logf("%d orders; lives that gave up: %d, killed: %d, relieved: %d; hits by API/action: %v", orders, gaveUp, killed, relieved, after)
		})
	}
}

// hits returns how often each rule's action was applied so far.
func hits(p *kafkatest.Proxy, rules []kafkatest.Rule) map[string]int {
	all := map[string]int{}
	for _, r := range rules {
		all[fmt.Sprintf("%d/%d", r.API, r.Do)] = p.Hits(r.API, r.Do)
	}
	return all
}
