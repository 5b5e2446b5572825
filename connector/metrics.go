package connector

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/group"
)

// Metrics are the contract's series that the walk counts; those of a shop's status are
// computed at a scrape, see [Connector.WriteShopMetrics]. Each connector has its own
// value.
type Metrics struct {
	version          string // of the program, see Build
	calls, refreshes tallies
	api              apiUp

	platform                      *prometheus.CounterVec
	callSeconds, commitSeconds    prometheus.Histogram
	lateness, pushToRecord        prometheus.Histogram
	commits, retries, groupEvents *prometheus.CounterVec
	fenced                        prometheus.Counter
}

// NewMetrics registers the series. Those without a shop label start at zero.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderwalk_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "orderwalk_" + name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	m := &Metrics{
		version:       "unknown",
		platform:      counter("platform_token_refreshes_total", "Token calls for a third-party platform and its shops by result, at the worker that makes them for all.", "result"),
		callSeconds:   histogram("api_call_seconds", "Duration of list calls.", []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20}),
		commitSeconds: histogram("commit_seconds", "Duration of Kafka transactions.", []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}),
		lateness:      histogram("late_order_seconds", "Age of the window in which a late order turned up.", []float64{15, 30, 60, 120, 300, 600, 1200, 3600}),
		pushToRecord: histogram("push_to_record_seconds", "Time from the creation of a pushed order event, by the vendor's clock, to the commit of the first orders of the window with that second. "+
			"By creation times only events of new orders count, and only those whose window brings an order in its first pass.", []float64{1, 2, 5, 10, 15, 16, 17, 18, 20, 25, 30, 60, 120, 300, 600, 3600}),
		commits:     counter("commits_total", "Kafka transactions by result: ok or failed.", "result"),
		retries:     counter("kafka_retries_total", "Kafka requests asked again, by request and reason.", "request", "reason"),
		groupEvents: counter("group_events_total", "What has happened to this worker's place in the group.", "event"),
	}
	m.fenced = prometheus.NewCounter(prometheus.CounterOpts{Name: "orderwalk_fenced_total", Help: "Lanes lost to a newer owner, or transactions ended by the broker's timer."})
	reg.MustRegister(m.fenced)
	m.platform.WithLabelValues("ok")
	m.commits.WithLabelValues("ok")
	m.commits.WithLabelValues("failed")
	for _, event := range group.Events() {
		m.groupEvents.WithLabelValues(event)
	}
	return m
}

// Build adds the series that names the program, and sets the version that a connector
// of Kafka Connect would have.
func (m *Metrics) Build(reg prometheus.Registerer, version, commit string) {
	m.version = escape(version)
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orderwalk_build_info", Help: "1 for the program that runs."}, []string{"version", "commit", "go_version"})
	reg.MustRegister(info)
	info.WithLabelValues(version, commit, runtime.Version()).Set(1)
}

// of begins a shop's series, at zero.
func (m *Metrics) of(shop string) {
	m.calls.add(shop, "ok", 0)
	m.refreshes.add(shop, "ok", 0)
}

// keep drops the counts of shops that are not listed any more.
func (m *Metrics) keep(listed map[string]bool) {
	m.calls.keep(listed)
	m.refreshes.keep(listed)
}

func (m *Metrics) groupEvent(event string) { m.groupEvents.WithLabelValues(event).Inc() }

// OnCall counts a list call of a shop.
func (m *Metrics) OnCall(shop, result string, took time.Duration) {
	m.calls.add(shop, result, 1)
	m.api.called(result)
	m.callSeconds.Observe(took.Seconds())
}

// Calls returns the list calls of a shop by result.
func (m *Metrics) Calls(shop string) []Tally { return m.calls.of(shop) }

// OnTokenRefresh returns the hook that counts the token calls of a shop's API client.
func (m *Metrics) OnTokenRefresh(shop string) func(result string) {
	return func(result string) {
		m.refreshes.add(shop, result, 1)
		m.api.called(result)
	}
}

// OnPlatformToken counts a token call for a third-party platform, or for one of its
// shops, which this worker may not walk.
func (m *Metrics) OnPlatformToken(result string) {
	m.platform.WithLabelValues(result).Inc()
	m.api.called(result)
}
