package connector

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"orderwalk/internal/group"
	"orderwalk/internal/incident"
)

// outageAfter is how long a request to Kafka may be retried before it counts as a wait.
// A moving leader, or the markers of the previous transaction, take less.
const outageAfter = 2 * time.Second

// outage tracks what this worker waits for from Kafka: a metric, and an incident for the
// log. Lanes wait independently but for the same brokers, so they have one incident.
type outage struct {
	incidents *incident.Log
	retries   *prometheus.CounterVec
	waiting   *prometheus.Desc

	mu    sync.Mutex
	waits map[string]wait // by waiter, such as a lane
	shown map[request]bool
}

// wait is a series of failures of one waiter. Its request and reason are the latest.
type wait struct {
	request
	since  time.Time
	report *incident.Source
}

// request is a request of Kafka's protocol, and why it is retried.
type request struct{ name, reason string }

func newOutage(m *Metrics, incidents *incident.Log) *outage {
	return &outage{incidents: incidents, retries: m.retries, waits: make(map[string]wait), shown: make(map[request]bool),
		waiting: prometheus.NewDesc("orderwalk_kafka_waiting", "Lanes, and the worker's group membership, that have been retrying a request to Kafka for over 2 s, by request and reason.", []string{"request", "reason"}, nil)}
}

// of returns the retry hook of one waiter, such as a lane.
func (o *outage) of(who string) func(name, reason string, err error) {
	return func(name, reason string, err error) {
		o.retries.WithLabelValues(name, reason).Inc()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.note(who, request{name, reason}, err)
	}
}

// membership is the hook for the group membership; nil = it works.
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
	o.note(who, request{who, reason}, err)
}

// Waits returns what another part of the worker calls when its requests to Kafka are
// retried, and when they are answered: they wait for the same brokers as the lanes.
func (c *Connector) Waits(who string) (retried func(request, reason string, err error), answered func()) {
	return c.outage.of(who), func() { c.outage.over(who) }
}

// topicsWait is the waiter for topics to be created, and for their leaders.
const topicsWait = "topics"

// topics is the retry hook of topicsWait.
func (o *outage) topics(err error) { o.of(topicsWait)("CreateTopics", reasonOf(err), err) }

// reasonOf names Kafka's answer by a word from a small set, fit for a label.
func reasonOf(err error) string {
	var code kafka.Error
	if errors.As(err, &code) && code.Title() != "" {
		return code.Title()
	}
	return "no answer"
}

// note notes a failure. The caller holds mu.
func (o *outage) note(who string, r request, err error) {
	w, ok := o.waits[who]
	if !ok {
		w.since, w.report = time.Now(), o.incidents.Of(who)
	}
	w.request = r
	o.waits[who] = w
	var refused *group.Error // waiting alone does not help
	if time.Since(w.since) >= outageAfter || errors.As(err, &refused) {
		attrs := []any{"request", r.name, "reason", r.reason}
		if err != nil {
			attrs = append(attrs, "error", err)
		}
		w.report.Begin(kafkaWait, attrs...)
	}
}

// over ends a wait: the waiter has its answer, or no longer wants it.
func (o *outage) over(who string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w, waited := o.waits[who]; waited {
		delete(o.waits, who)
		w.report.End(kafkaWait, true)
	}
}

// lasting counts the waits that last, by request and reason. The caller holds mu.
func (o *outage) lasting() map[request]int {
	n := make(map[request]int)
	for _, w := range o.waits {
		if time.Since(w.since) >= outageAfter {
			n[w.request]++
		}
	}
	return n
}

// describe lists the requests that last and their reasons; "" = none.
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

// Collect implements prometheus.Collector. A series that was shown once stays, at zero.
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
