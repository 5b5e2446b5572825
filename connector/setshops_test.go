package connector

import (
	"context"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// A list of shops that cannot be applied changes nothing: the shops are walked and
// shown as before, and the worker ends normally.
func TestAListOfShopsThatFailsChangesNothing(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 33, Shops: []simulator.Shop{
			{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2}}, {AppID: "wx2", Secret: "secret-wx2", Live: simulator.Live{Rate: 2}}}})
		p := a.policy()
		p.Start = time.Now().Unix()
		p.End = p.Start + 300
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
		a.until("two are live", func() bool { return count(run, StateLive) == 2 })
		time.Sleep(20 * time.Second)
		before := run.cfg.Shops
		renamed, faster := before[0], before[1]
		renamed.Name, faster.Policy.PageSize = "renamed", 7

		run.plug.pull()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := run.SetShops(ctx, []Shop{renamed, faster})
		cancel()
		if err == nil {
			t.Error("a list of shops was taken while Kafka was away")
		}
		run.plug.mend()
		a.until("the walk goes on", func() bool { return count(run, StateLive) == 2 })
		if s := run.Status(); s[0].Name != "wx1" || s[1].Name != "wx2" {
			t.Errorf("shops are %+v", s)
		}
		if err := run.SetShops(context.Background(), before); err != nil {
			t.Fatal(err)
		}
		if err := run.wait(); err != nil {
			t.Error(err)
		}
		for _, s := range run.Status() {
			if s.Published == 0 {
				t.Errorf("in the end %+v", s)
			}
		}
		a.eachOnce("wx1", p.Start, p.End)
		a.eachOnce("wx2", p.Start, p.End)
	})
}

// A list in which one shop has an impossible topic is applied, and that shop fails.
func TestAListOfShopsWithOneImpossibleTopicIsTaken(t *testing.T) {
	inBubble(t, func(a *testbed) {
		start := time.Now().Unix() - 60
		a.simulate(simulator.Config{Seed: 33, Shops: []simulator.Shop{
			{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2, Since: start}}, {AppID: "wx2", Secret: "secret-wx2", Live: simulator.Live{Rate: 2, Since: start}}}})
		p := a.policy()
		p.Start = start
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
		a.until("two are live", func() bool { return count(run, StateLive) == 2 })
		before := run.cfg.Shops
		wrong := before[1]
		wrong.Topic = "no/such topic"
		a.impossible(wrong.Topic)
		if err := run.SetShops(context.Background(), []Shop{before[0], wrong}); err != nil {
			t.Fatal(err)
		}
		a.until("one has failed", func() bool { return stateOf("wx2", run).State == StateFailed })
		if r := stateOf("wx2", run).Reason; !strings.Contains(r, "no/such topic") || !strings.Contains(r, "not a valid topic name") {
			t.Errorf("the reason is %q", r)
		}
		a.goesOn(run)
		if err := run.SetShops(context.Background(), before); err != nil {
			t.Fatal(err)
		}
		a.until("two are live", func() bool { return count(run, StateLive) == 2 })
		end := min(run.Status()[0].Watermark, run.Status()[1].Watermark)
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		a.eachOnce("wx1", start, end-1)
		a.eachOnce("wx2", start, end-1)
	})
}

// A list of shops that come and go, none of whose topics can be used, is applied if no shop that
// is walked would change its topic: the shops that it lacks go, and those that it adds fail with
// the reason.
func TestAListOfShopsWithImpossibleTopicsOnly(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 33, Shops: []simulator.Shop{
			{AppID: "wx1", Secret: "secret-wx1", Live: simulator.Live{Rate: 2}}, {AppID: "wx2", Secret: "secret-wx2", Live: simulator.Live{Rate: 2}}}})
		p := a.policy()
		p.Start = time.Now().Unix()
		run := a.start(shop{appID: "wx1", policy: p}, shop{appID: "wx2", policy: p})
		a.until("two are live", func() bool { return count(run, StateLive) == 2 })
		first, second := run.cfg.Shops[0], run.cfg.Shops[1]
		first.Created, second.Created = true, true
		wrong := second
		wrong.Topic = "no/such topic"
		a.impossible(wrong.Topic)
		if err := run.SetShops(context.Background(), []Shop{wrong}); err == nil {
			t.Error("a shop that is walked has lost its topic")
		}
		a.goesOn(run)
		if err := run.SetShops(context.Background(), []Shop{first}); err != nil {
			t.Fatal(err)
		}
		if err := run.SetShops(context.Background(), []Shop{wrong}); err != nil {
			t.Fatalf("instead of a shop that has gone: %v", err)
		}
		a.until("it has failed", func() bool { return count(run, StateFailed) == 1 })
		if s := run.Status(); len(s) != 1 || s[0].Name != "wx2" || !strings.Contains(s[0].Reason, "not a valid topic name") {
			t.Errorf("shops are %+v", s)
		}
		if err := run.SetShops(context.Background(), []Shop{first, second}); err != nil {
			t.Fatal(err)
		}
		a.until("two are live again", func() bool { return count(run, StateLive) == 2 })
		if err := run.stop(); err != nil {
			t.Error(err)
		}
	})
}
