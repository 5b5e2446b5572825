package connector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/group"
)

// Metrics are the contract's series that the walk knows about. They are a
// value: two connectors in one process have two.
type Metrics struct {
	published, pages, late, repeats *prometheus.CounterVec
	calls, refreshes                *prometheus.CounterVec
	window                          *prometheus.GaugeVec
	callSeconds, commitSeconds      prometheus.Histogram
	lateness                        prometheus.Histogram
	commits, retries, groupEvents   *prometheus.CounterVec
	fenced                          prometheus.Counter
}

// NewMetrics registers the series. Those without a shop stand at zero from the
// start.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderwalk_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orderwalk_" + name, Help: help}, []string{"shop"})
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "orderwalk_" + name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	m := &Metrics{
		published:     counter("orders_published_total", "Orders committed to the orders topic.", "shop"),
		pages:         counter("pages_total", "Pages of the order list read.", "shop"),
		late:          counter("late_orders_total", "Orders first listed in a window's second pass.", "shop"),
		repeats:       counter("repeats_dropped_total", "Listed IDs that had been listed before.", "shop"),
		calls:         counter("api_calls_total", "List calls by result: ok, an errcode, or what went wrong.", "shop", "result"),
		refreshes:     counter("token_refreshes_total", "Access token calls by result.", "shop", "result"),
		window:        gauge("window_seconds", "Length of the window opened last."),
		callSeconds:   histogram("api_call_seconds", "Duration of list calls.", []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20}),
		commitSeconds: histogram("commit_seconds", "Duration of Kafka transactions.", []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}),
		lateness:      histogram("late_order_seconds", "Age of the window in which a late order turned up.", []float64{15, 30, 60, 120, 300, 600, 1200, 3600}),
		commits:       counter("commits_total", "Kafka transactions by result: ok or failed.", "result"),
		retries:       counter("kafka_retries_total", "Kafka requests asked again, by request and reason.", "request", "reason"),
		groupEvents:   counter("group_events_total", "What has happened to this worker's place in the group.", "event"),
	}
	m.fenced = prometheus.NewCounter(prometheus.CounterOpts{Name: "orderwalk_fenced_total", Help: "Lanes lost to a newer owner, or transactions ended by the broker's timer."})
	reg.MustRegister(m.fenced)
	m.commits.WithLabelValues("ok")
	m.commits.WithLabelValues("failed")
	for _, event := range group.Events() {
		m.groupEvents.WithLabelValues(event)
	}
	return m
}

// shopMetrics are one shop's series, made at zero when the shop is added.
type shopMetrics struct {
	published, pages, late, repeats prometheus.Counter
	window                          prometheus.Gauge
}

func (m *Metrics) of(shop string) shopMetrics {
	m.calls.WithLabelValues(shop, "ok")
	m.refreshes.WithLabelValues(shop, "ok")
	return shopMetrics{
		published: m.published.WithLabelValues(shop),
		pages:     m.pages.WithLabelValues(shop),
		late:      m.late.WithLabelValues(shop),
		repeats:   m.repeats.WithLabelValues(shop),
		window:    m.window.WithLabelValues(shop),
	}
}

func (m *Metrics) groupEvent(event string) { m.groupEvents.WithLabelValues(event).Inc() }

// OnCall is the hook for a shop's API client that counts its list calls.
func (m *Metrics) OnCall(shop string) func(result string, took time.Duration) {
	return func(result string, took time.Duration) {
		m.calls.WithLabelValues(shop, result).Inc()
		m.callSeconds.Observe(took.Seconds())
	}
}

// OnTokenRefresh is the hook for a shop's API client that counts its token
// calls.
func (m *Metrics) OnTokenRefresh(shop string) func(result string) {
	return func(result string) { m.refreshes.WithLabelValues(shop, result).Inc() }
}
