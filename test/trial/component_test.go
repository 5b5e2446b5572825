//go:build kafka

package trial

import (
	"strings"
	"testing"
	"time"

	"orderwalk/test/kafkatest"
)

// TestKillMinusNineOfAPlatform kills the worker that refreshes a platform's tokens,
// above all between an answer with another refresh token and its commit, and between
// that and the first use. Each refresh token ends with the first use of its
// successor's access token. A worker that used an access token before its refresh
// token was stored would find the stored one dead: the API counts that as a violation.
// Meanwhile the network loses commits and the state keys change twice.
func TestKillMinusNineOfAPlatform(t *testing.T) {
	kills := number(t, "TRIAL_REFRESHES", 8)
	proxy := kafkatest.NewProxy(seedOf(t))
	t.Cleanup(proxy.Close)
	cluster, err := kafkatest.Launch(t.Context(), kafkatest.Options{Proxies: []*kafkatest.Proxy{proxy}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	p := newPlatform(t, proxy, cluster.ProxyBrokers(0), 12)
	proxy.SetRules(
		kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.CutAnswer, Probability: 0.05},
		kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.DelayRequest, Probability: 0.05, Delay: 200 * time.Millisecond},
		kafkatest.Rule{API: kafkatest.EndTxn, Do: kafkatest.DropRequest, Probability: 0.05})

	keys := []string{p.newKey()}
	p.writeKeys(keys)
	workers := map[string]*process{"a": p.work("a"), "b": p.work("b")}
	p.eventually("lanes", workers["a"], workers["a"].ready)
	p.deliver()

	for p.killed() < kills {
		select {
		case <-p.answered: // from before
		default:
		}
		desk := p.desk(workers)
		// Every other time Kafka is unreachable from before the answer on. The walkers
		// continue meanwhile; if the worker handed them a token that is not stored,
		// they would use it.
		p.cut.Store(p.killed()%2 == 0)
		select {
		case <-p.answered:
		case <-time.After(patience):
			t.Fatalf("no worker refreshes the tokens\n%s", workers[desk].tail())
		}
		// At once, while the token is being stored, or while it is used.
		longest := []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond}[p.dice.IntN(3)]
		if p.killed()%2 == 0 {
			longest = 3 * time.Second
		}
		if longest > 0 {
			p.await(workers[desk], time.Duration(p.dice.Int64N(int64(longest))), func() bool { return false })
		}
		for name, worker := range workers {
			if name != desk && p.dice.IntN(4) > 0 {
				continue
			}
			if !worker.kill() {
				t.Fatalf("life %d ended by itself with %d\n%s", worker.number, worker.cmd.ProcessState.ExitCode(), worker.tail())
			}
			if name == desk {
				p.oneMoreKill()
			}
		}
		p.cut.Store(false)
		proxy.Unplug(0)
		if n := p.killed(); n == kills/3 || n == kills*2/3 {
			keys = append([]string{p.newKey()}, keys...)
			p.writeKeys(keys)
		}
		for name, worker := range workers {
			if !worker.running() {
				workers[name] = p.work(name)
			}
		}
	}
	proxy.SetRules()

	// All records are soon encrypted with the new key; then the older keys can be
	// removed.
	p.eventually("all is sealed under the first key", workers["a"], func() bool { return p.sealedUnder(keys[0]) })
	p.writeKeys(keys[:1])
	for name, worker := range workers {
		worker.kill()
		workers[name] = p.work(name)
	}
	p.finish(3 * time.Second)
	for _, worker := range workers {
		if code := worker.exit(); code != 0 {
			t.Errorf("life %d = %d\n%s", worker.number, code, worker.tail())
		}
	}
	orders := p.eachOnce()
	hit, unkept, unused, all := p.hits()
	calls := p.api.Stats().Calls
	t.Logf("%d kills, %d of them in the middle of a refresh, %d lives, %d orders; of %d refreshes %d were lost before they were kept, %d kept and not used before the kill; commits cut %d, late %d, lost %d; lists asked for %v",
		kills, hit, len(p.lives), orders, all, unkept, unused, proxy.Hits(kafkatest.EndTxn, kafkatest.CutAnswer), proxy.Hits(kafkatest.EndTxn, kafkatest.DelayRequest),
		proxy.Hits(kafkatest.EndTxn, kafkatest.DropRequest), calls["/cgi-bin/component/api_get_authorizer_list"])
	if unkept == 0 || hit < kills/4 {
		t.Errorf("the kills did not hit what they were to hit")
	}
	if refused := calls[refreshPath]["61023"]; refused > 0 {
		t.Errorf("%d refresh tokens were refused", refused)
	}
	for _, life := range p.lives {
		if strings.Contains(life.stderr.String(), "ignoring an unreadable record") {
			t.Errorf("life %d could not read a record of the ledger\n%s", life.number, life.tail())
		}
	}
}
