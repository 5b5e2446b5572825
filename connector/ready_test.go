package connector

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

// TestAWorkerThatIsNotReadySaysWhy: the error has what the worker waits for, and
// Kafka's answer.
func TestAWorkerThatIsNotReadySaysWhy(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.simulate(simulator.Config{Seed: 19, Shops: []simulator.Shop{{AppID: "wx1", Secret: "secret-wx1"}}})
		var mended atomic.Bool
		a.cluster.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			a.cluster.KeepControl()
			if mended.Load() {
				return nil, nil, false
			}
			answer := kreq.ResponseKind().(*kmsg.CreateTopicsResponse)
			for _, topic := range kreq.(*kmsg.CreateTopicsRequest).Topics {
				refused := kmsg.NewCreateTopicsResponseTopic()
				refused.Topic, refused.ErrorCode = topic.Topic, kerr.NotController.Code
				answer.Topics = append(answer.Topics, refused)
			}
			return answer, nil, true
		})
		run := a.start(shop{appID: "wx1", policy: a.policy()})
		time.Sleep(10 * time.Second)
		if err := run.Ready(); err == nil || !strings.HasPrefix(err.Error(), "starting: checking the topics; waiting for Kafka: CreateTopics: ") {
			t.Errorf("ready although its topics cannot be created: %v", err)
		}
		mended.Store(true)
		a.until("it is ready", func() bool { return run.Ready() == nil })
		if err := run.stop(); err != nil {
			t.Error(err)
		}
		if err := run.Ready(); err == nil || err.Error() != "stopping" {
			t.Errorf("after its end it is ready: %v", err)
		}
	})
}

// TestUnfinishedShopsAreCounted: the error counts shops that are not done, or have
// failed.
func TestUnfinishedShopsAreCounted(t *testing.T) {
	for want, err := range map[string]error{
		"the shop has failed:\na":          unfinished([]string{"a"}, 1, false),
		"the shop is not done:\na":         unfinished([]string{"a"}, 1, true),
		"all 2 shops have failed:\na\nb":   unfinished([]string{"a", "b"}, 2, false),
		"1 of 3 shops is not done:\na":     unfinished([]string{"a"}, 3, true),
		"2 of 3 shops are not done:\na\nb": unfinished([]string{"a", "b"}, 3, true),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// The shops of a worker that has not reached Kafka are not said to be in a rebalance.
func TestWorkersAreNotKnownBeforeKafka(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := New(Config{Metrics: NewMetrics(registry), Log: discard()}, registry)
	if _, err := c.Workers(t.Context()); !errors.Is(err, ErrStarting) {
		t.Error(err)
	}
}
