package connector

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/simulator"
)

// search looks for the secrets of a story in all output of its processes: logs, errors,
// metrics, states, and topics. Topics of a fake Kafka that the story has made
// unreachable are searched elsewhere.
func (a *testbed) search() {
	a.Helper()
	a.mu.Lock()
	all := a.processes
	a.mu.Unlock()
	for i, p := range all {
		where := fmt.Sprintf("process %d: ", i+1)
		a.leaks.Check(a, where+"log", p.logged())
		a.leaks.Check(a, where+"error", fmt.Sprintf("%v %+v %#v", p.err, p.err, p.err))
		a.leaks.Check(a, where+"status", fmt.Sprintf("%+v", p.Status()))
		families, err := p.metrics.Gather()
		if err != nil {
			a.Errorf("%smetrics: %v", where, err)
		}
		var text strings.Builder
		for _, f := range families {
			text.WriteString(f.String())
		}
		a.leaks.Check(a, where+"metrics", text.String())
	}
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch _, err := a.leaks.CheckTopics(ctx, a, a.name+".", a.brokers, kgo.Dialer(a.dial)); {
	case err != nil && a.bubble:
		a.Logf("topics were not searched: %v", err)
	case err != nil:
		a.Errorf("search topics: %v", err)
	}
}

// searchFinds checks search itself: it must find secrets that are present, or it proves
// nothing in other stories.
func searchFinds(a *testbed) {
	sh, p := backlog("wx1", 30)
	a.simulate(simulator.Config{Seed: 21, Shops: []simulator.Shop{sh}})
	run := a.start(shop{appID: "wx1", name: "a-shop-that-has-a-name", policy: p})
	if err := run.wait(); err != nil {
		a.Fatal(err)
	}
	for secret, places := range map[string][]string{
		string(a.published()[0].Key):    {"topic " + a.name + ".orders"},
		"wx1\",\"range\":\"create_time": {"topic " + a.name + ".offsets"},
		"a-shop-that-has-a-name":        {"log", "status", "metrics"},
	} {
		found := &complaints{TB: a.TB}
		other := &testbed{TB: found, bubble: a.bubble, dial: a.dial, brokers: a.brokers, name: a.name, processes: a.processes}
		other.leaks.Hide("a planted secret", secret)
		other.search()
		for _, place := range places {
			if !strings.Contains(found.text.String(), place+" shows a planted secret") {
				a.Errorf("%s is not found in the %s:\n%s", secret, place, &found.text)
			}
		}
	}
}

// complaints is a test that records errors instead of failing.
type complaints struct {
	testing.TB
	text strings.Builder
}

func (c *complaints) Errorf(format string, args ...any) { fmt.Fprintf(&c.text, format+"\n", args...) }
