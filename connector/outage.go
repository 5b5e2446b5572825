package connector

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
)

// outageAfter is how long a request to Kafka may be asked again before it
// counts as a wait. What a moving leader or the markers of the transaction
// before cost is over sooner.
const outageAfter = 2 * time.Second

// outage is what this worker waits for from Kafka: a metric, a line in the log
// when a wait begins to last, and one when there is none left. Lanes wait
// independently of each other, but of the same brokers: it is one line for all.
type outage struct {
	log     *slog.Logger
	retries *prometheus.CounterVec
	waiting *prometheus.Desc

	mu     sync.Mutex
	waits  map[string]wait // by who waits
	shown  map[request]bool
	logged bool
	began  time.Time // of the wait that was logged
}

// wait is one row of failures of one who waits; its request and reason are the
// latest.
type wait struct {
	request
	since time.Time
}

// request is a request of Kafka's protocol, and why it is asked again.
type request struct{ name, reason string }

func newOutage(m *Metrics, log *slog.Logger) *outage {
	return &outage{log: log, retries: m.retries, waits: make(map[string]wait), shown: make(map[request]bool),
		waiting: prometheus.NewDesc("orderwalk_kafka_waiting", "Lanes, and the worker's membership, that have been asking Kafka again for over 2 s, by request and reason.", []string{"request", "reason"}, nil)}
}

// of is the hook for the requests of one who waits, such as a lane.
func (o *outage) of(who string) func(name, reason string, err error) {
	return func(name, reason string, err error) {
		o.retries.WithLabelValues(name, reason).Inc()
		o.mu.Lock()
		defer o.mu.Unlock()
		w := o.note(who, request{name, reason})
		if o.logged || time.Since(w.since) < outageAfter {
			return
		}
		o.logged, o.began = true, w.since
		o.log.Warn("waiting for Kafka, the walk goes on when it answers", "who", who, "request", name, "reason", reason, "error", err)
	}
}

// membership is the hook for the worker's place in the group, which has its own
// lines in the log.
func (o *outage) membership(err error) {
	const who = "membership"
	if err == nil {
		o.over(who)
		return
	}
	reason := reasonOf(err)
	o.retries.WithLabelValues(who, reason).Inc()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(who, request{who, reason})
}

// topicsWait is who waits for topics to be made, and for their leaders.
const topicsWait = "topics"

// topics is the hook for that.
func (o *outage) topics(err error) { o.of(topicsWait)("CreateTopics", reasonOf(err), err) }

// reasonOf names what Kafka answered, from a small set.
func reasonOf(err error) string {
	var code kafka.Error
	if errors.As(err, &code) && code.Title() != "" {
		return code.Title()
	}
	return "no answer"
}

func (o *outage) note(who string, r request) wait {
	w, ok := o.waits[who]
	if !ok {
		w.since = time.Now()
	}
	w.request = r
	o.waits[who] = w
	return w
}

// over ends the wait of one who has got his answer, or does not want it any
// more.
func (o *outage) over(who string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, waited := o.waits[who]; !waited {
		return
	}
	delete(o.waits, who)
	if !o.logged || len(o.lasting()) > 0 {
		return
	}
	o.logged = false
	o.log.Info("no longer waiting for Kafka", "after", time.Since(o.began).Round(time.Millisecond))
}

// lasting counts the waits that last by what they wait for. The caller holds mu.
func (o *outage) lasting() map[request]int {
	n := make(map[request]int)
	for _, w := range o.waits {
		if time.Since(w.since) >= outageAfter {
			n[w.request]++
		}
	}
	return n
}

// describe says which requests last, and why; "" = none.
func (o *outage) describe() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for r := range o.lasting() {
		all = append(all, r.name+": "+r.reason)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Describe implements prometheus.Collector.
func (o *outage) Describe(ch chan<- *prometheus.Desc) { ch <- o.waiting }

// Collect implements prometheus.Collector. A series that has been there stays,
// at zero.
func (o *outage) Collect(ch chan<- prometheus.Metric) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lasting := o.lasting()
	for r := range lasting {
		o.shown[r] = true
	}
	for r := range o.shown {
		ch <- prometheus.MustNewConstMetric(o.waiting, prometheus.GaugeValue, float64(lasting[r]), r.name, r.reason)
	}
}
