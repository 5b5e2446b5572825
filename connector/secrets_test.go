package connector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// search looks for the secrets of a story in all that has come out of its
// processes: logs, errors, metrics, states, and what is on the topics. A Kafka
// that the story has put out of reach has its topics searched elsewhere.
func (a *arena) search() {
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
	if len(all) == 0 || !a.bubble {
		return // a broker that stories share is searched through their own topics by internal/trial
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := a.leaks.CheckTopics(ctx, a, a.brokers, kgo.Dialer(a.dial)); err != nil {
		a.Logf("topics were not searched: %v", err)
	}
}
