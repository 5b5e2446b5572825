package connector

import (
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// shownStates are the states that orderwalk_shops counts: those of shops that this worker
// walks.
var shownStates = []State{StateStarting, StateBackfill, StateLive, StateWaiting, StateExhausted, StatePaused, StateStopped, StateDone, StateFailed}

// totals are the series of the worker: few, however many shops it walks. The sum of all
// workers is the fleet's.
type totals struct {
	c *Connector

	shops, configured, lag, up                                   *prometheus.Desc
	connectors, tasks, workerConnectors, workerTasks, rebalances *prometheus.Desc
}

func newTotals(c *Connector) *totals {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &totals{
		c:                c,
		shops:            desc("orderwalk_shops", "Shops that this worker walks, by state.", "state"),
		configured:       desc("orderwalk_shops_configured", "Shops of this worker's configuration, whichever worker walks them."),
		lag:              desc("orderwalk_lag_quantile_seconds", "Lag of the shops that this worker walks, without those that are done, paused or stopped: the quantiles p50 and p99, and the largest (1).", "quantile"),
		up:               desc("orderwalk_api_up", "0 while the API has answered none of this worker's calls for 10 s although some were made, else 1. An errcode is an answer; HTTP 5xx is none. Absent while the worker walks no shop."),
		connectors:       desc("kafka_connect_coordinator_assigned_connectors", "Shops of the lanes assigned to this worker."),
		tasks:            desc("kafka_connect_coordinator_assigned_tasks", "Shops of the lanes assigned to this worker."),
		workerConnectors: desc("kafka_connect_worker_connector_count", "Shops that this worker runs."),
		workerTasks:      desc("kafka_connect_worker_task_count", "Shops that this worker runs."),
		rebalances:       desc("kafka_connect_worker_rebalance_rebalancing", "1 while the group has not assigned lanes to this worker, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (t *totals) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{t.shops, t.configured, t.lag, t.up, t.connectors, t.tasks, t.workerConnectors, t.workerTasks, t.rebalances} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (t *totals) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	now := t.c.clocks.later()
	var configured, here, reading int
	states := make(map[State]int)
	var lags []float64
	t.c.registry.each(func(s ShopStatus) {
		configured++
		wanted := s.State != StatePaused && s.State != StateStopped
		if lag := lagOf(s, now); wanted && !math.IsNaN(lag) {
			lags = append(lags, lag)
		}
		if s.State == StateElsewhere {
			return
		}
		here++
		states[s.State]++
		if wanted && !s.State.ended() {
			reading++
		}
	})
	for _, state := range shownStates {
		gauge(t.shops, float64(states[state]), string(state))
	}
	gauge(t.configured, float64(configured))
	if slices.Sort(lags); len(lags) > 0 {
		gauge(t.lag, quantile(lags, 0.5), "0.5")
		gauge(t.lag, quantile(lags, 0.99), "0.99")
		gauge(t.lag, quantile(lags, 1), "1")
	}
	if reading > 0 {
		gauge(t.up, truth(t.c.cfg.Metrics.api.up()))
	}
	for _, desc := range []*prometheus.Desc{t.connectors, t.tasks, t.workerConnectors, t.workerTasks} {
		gauge(desc, float64(here))
	}
	gauge(t.rebalances, truth(!t.c.assigned()))
}

// assigned reports whether this worker has an assignment of its group.
func (c *Connector) assigned() bool {
	c.mu.Lock()
	set := c.set
	c.mu.Unlock()
	if set == nil {
		return false
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.assigned.Generation > 0
}
