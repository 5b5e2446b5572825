package connector

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/connector/window"
	"orderwalk/internal/record"
	"orderwalk/simulator"
)

// admin changes topics as an operator's tool does.
func (a *testbed) admin(do func(ctx context.Context, admin *kadm.Client) error) {
	a.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.Dialer(a.dial))
	if err != nil {
		a.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := do(ctx, kadm.NewClient(client)); err != nil {
		a.Fatal(err)
	}
}

// deleteTopic deletes a topic and returns once it is gone.
func (a *testbed) deleteTopic(name string) {
	a.Helper()
	a.admin(func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.DeleteTopic(ctx, name)
		return err
	})
	a.until("the topic is gone", func() bool {
		there := true
		a.admin(func(ctx context.Context, admin *kadm.Client) error {
			found, err := admin.ListTopics(ctx, name)
			there = found.Has(name)
			return err
		})
		return !there
	})
}

func (a *testbed) createOffsetsTopic() {
	a.Helper()
	compact := "compact"
	a.admin(func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.CreateTopic(ctx, 4, 1, map[string]*string{"cleanup.policy": &compact}, a.name+".offsets")
		return err
	})
}

// offsetsDeleted: an operator deletes the offsets topic, the worker ends, and a
// supervisor starts it again. That is no first start: the worker starts over only if an
// operator creates the topic. A range without any published order starts as usual.
func offsetsDeleted(a *testbed) {
	sh, p := backlog("wx1", 200)
	a.simulate(simulator.Config{Seed: 3, Shops: []simulator.Shop{sh}})
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Fatal(err)
	}
	a.eachOnce("wx1", p.Start, p.End)
	live := p
	live.End = 0
	run := a.start(shop{appID: "wx1", policy: live})
	a.until("it is live", func() bool { return count(run, StateLive) == 1 })
	a.deleteTopic(a.name + ".offsets")
	var deleted *DeletedError
	if err := run.wait(); !errors.As(err, &deleted) {
		a.Errorf("a worker under which the offsets topic is deleted ended with %v", err)
	}

	open := p
	open.Start, open.End = 0, 0
	for name, policy := range map[string]window.Policy{"the range": p, "no range": open} {
		err := a.start(shop{appID: "wx1", policy: policy}).wait()
		var lost *LostError
		if !errors.As(err, &lost) || lost.Partition.Shop != "wx1" {
			a.Errorf("%s: %v", name, err)
		} else if lost.Topic != a.name+".offsets" || lost.Partitions != 4 {
			a.Errorf("the error is about another topic: %+v", lost)
		}
	}
	a.eachOnce("wx1", p.Start, p.End)

	earlier := p
	earlier.Start, earlier.End = p.Start-7200, p.Start-3600
	if err := a.start(shop{appID: "wx1", policy: earlier}).wait(); err != nil {
		a.Errorf("another range: %v", err)
	}

	// Another group starts on its own.
	group := a.name
	a.deleteTopic(group + ".offsets")
	a.name += "-another"
	a.ordersOf = group
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Errorf("another group: %v", err)
	}
	a.name, a.ordersOf = group, ""

	a.createOffsetsTopic()
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Errorf("started over on purpose: %v", err)
	}
	if n := len(a.published()); n < 600 {
		a.Errorf("%d records: it did not start over", n)
	}
}

// offsetsRemade deletes the offsets topic during a walk and creates it again, as tools
// do that replace a topic. The worker knows everything that was in it and must write
// all of it again: a later worker reads only the new topic, and would take what the
// second pass lists for late orders.
func offsetsRemade(a *testbed) { remade(a, false) }

// offsetsRemadeEarly is the same right after the worker has resumed.
func offsetsRemadeEarly(a *testbed) { remade(a, true) }

func remade(a *testbed, resumed bool) {
	now := time.Now().Unix()
	p := a.policy()
	p.Start, p.End, p.PageSize, p.Concurrency = now-40, now-1, 20, 4
	p.MaxWindow, p.Lookback = 2*time.Second, 12*time.Second
	a.pod = "pod"
	a.simulate(simulator.Config{Seed: 4, Latency: 100 * time.Millisecond, Shops: []simulator.Shop{
		{AppID: "wx1", Secret: "secret-wx1", Backlog: simulator.Backlog{Orders: 1500, From: p.Start, To: p.End}}}})
	first := a.start(shop{appID: "wx1", policy: p})
	a.until("all is read", func() bool { return len(a.listed()) > 20 && len(a.published()) == 1500 })
	if resumed { // the worker has read the checkpoints and committed nothing yet
		first.kill()
		first = a.start(shop{appID: "wx1", policy: p})
		a.until("it has them", func() bool { return strings.Contains(first.logged(), "lane opened") })
	}
	a.deleteTopic(a.name + ".offsets")
	a.createOffsetsTopic()
	a.until("it is noticed", func() bool { return strings.Contains(first.logged(), "committed records are missing") })
	// The first transaction may be the one that notices; the next writes all again.
	before := first.committed()
	a.until("it is made good", func() bool { return first.committed() >= before+2 })
	first.kill()
	if err := a.start(shop{appID: "wx1", policy: p}).wait(); err != nil {
		a.Error(err)
	}
	a.eachOnce("wx1", p.Start, p.End)
}

// committed returns how many transactions a worker has committed.
func (p *process) committed() (n float64) {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "orderwalk_commits_total" && m.Label[0].GetValue() == "ok" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestWouldRead(t *testing.T) {
	encoder, err := record.JSON().Open(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	record := []byte(`{"window_start":1000,"window_end":2000}`)
	for _, c := range []struct {
		name  string
		p     window.Policy
		order []byte
		want  bool
	}{
		{"within", window.Policy{Start: 500}, record, true},
		{"begins inside", window.Policy{Start: 1500, End: 9000}, record, true},
		{"begins where it ends", window.Policy{Start: 2000}, record, false},
		{"ends before", window.Policy{Start: 1, End: 900}, record, false},
		{"ends inside", window.Policy{Start: 1, End: 1000}, record, true},
		{"begins when it is started", window.Policy{}, record, true},
		{"another form", window.Policy{Start: 5000}, []byte("\x00\x00"), true},
	} {
		if got := wouldRead(c.p, encoder, c.order); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
