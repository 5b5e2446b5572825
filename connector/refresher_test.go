package connector

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// refreshes returns how many tokens a worker has fetched for a shop, by name.
func (p *process) refreshes(shop string) (n float64) {
	for _, t := range p.cfg.Metrics.refreshes.of(shop) {
		n += float64(t.N)
	}
	return n
}

// TestOneRefresherForAnAppID: two shops of one app ID, whose tokens end each other, are
// in two lanes, and there are two workers. One worker walks both shops and fetches the
// tokens, also when workers join or leave.
func TestOneRefresherForAnAppID(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.heartbeat = 10 * time.Second
		ids := twoPairs(a.name)
		start := time.Now().Unix()
		cfg := simulator.Config{Seed: 51}
		p := a.policy()
		p.PollInterval, p.SettleDelay, p.Lookback = time.Minute, 15*time.Second, 0
		p.Start = start
		var shops []shop
		for _, id := range ids {
			cfg.Shops = append(cfg.Shops, simulator.Shop{AppID: id, Secret: "secret-" + id, Live: simulator.Live{Rate: 0.01, Since: start}})
			for _, kind := range []wechat.Range{wechat.CreateTime, wechat.UpdateTime} {
				p.Range = kind
				shops = append(shops, shop{appID: id, name: id + "-" + string(kind), policy: p, auth: wechat.AuthToken})
			}
		}
		a.simulate(cfg)
		first := a.start(shops...)
		a.until("the first has all", func() bool { return count(first, StateLive) == 4 })
		second := a.start(shops...)
		a.until("each has some", func() bool { return count(first, StateLive) == 2 && count(second, StateLive) == 2 })
		time.Sleep(10 * time.Minute) // tokens that the first worker fetched for shops it no longer has are dead

		calls := len(a.listed())
		before := map[*process][]float64{}
		for _, w := range []*process{first, second} {
			for _, id := range ids {
				before[w] = append(before[w], w.refreshes(id))
			}
		}
		time.Sleep(9 * time.Hour)
		for i, id := range ids {
			walks := func(w *process) int {
				return len(slices.DeleteFunc(w.Status(), func(s ShopStatus) bool { return s.AppID != id || s.State == StateElsewhere }))
			}
			owner, other := first, second
			if walks(second) > 0 {
				owner, other = second, first
			}
			if walks(owner) != 2 || walks(other) != 0 {
				t.Errorf("%s: %d and %d of its shops are walked", id, walks(owner), walks(other))
			}
			if n := owner.refreshes(id) - before[owner][i]; n < 4 || n > 5 {
				t.Errorf("%s: %v tokens in 9 hours", id, n)
			}
			if n := other.refreshes(id) - before[other][i]; n != 0 {
				t.Errorf("%s: %v tokens by who does not walk it", id, n)
			}
		}
		for _, c := range a.listed()[calls:] {
			if c.Outcome != "0" {
				t.Errorf("%s: list call answered %s", c.AppID, c.Outcome)
			}
		}
		if err := second.stop(); err != nil {
			t.Error(err)
		}
		a.until("the first has all again", func() bool { return count(first, StateLive) == 4 })
		if err := first.stop(); err != nil {
			t.Error(err)
		}
	})
}

// twoPairs returns two app IDs, each with two shops in two lanes: one in the first half
// of all lanes and one in the second, which two workers would not share on their own.
func twoPairs(group string) []string {
	taken := map[int]bool{}
	var ids []string
	for i := 0; len(ids) < 2; i++ {
		id := fmt.Sprintf("wx%d", i)
		one := laneOf(group, offsets.Partition{Shop: id, Range: string(wechat.CreateTime)}, 4)
		two := laneOf(group, offsets.Partition{Shop: id, Range: string(wechat.UpdateTime)}, 4)
		if one/2 != two/2 && !taken[one] && !taken[two] {
			taken[one], taken[two] = true, true
			ids = append(ids, id)
		}
	}
	return ids
}
