package connector

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/budget"
	"orderwalk/offsets"
)

// registry holds the state of every shop, and collects the series computed from it.
type registry struct {
	metrics *Metrics
	quotas  *budget.Budgets
	clocks  *clocks
	explain func(error) string // see Config.explain
	quota   quotaSeries
	series  []shopSeries
	state   *prometheus.Desc

	mu     sync.Mutex
	states map[offsets.Partition]*shopState
	// inboxes and histories have the same keys as states.
	inboxes   map[offsets.Partition]*inbox
	histories map[offsets.Partition]*history
	// unread holds when this process first saw each shop without a checkpoint, unix
	// seconds. A shop stays here while a list leaves it out: a list that could not be
	// applied is tried again.
	unread map[offsets.Partition]int64
	// others reports that the group has other workers, which own the lanes that this
	// one does not.
	others bool
}

// shopSeries is one series of a shop, computed from its status.
type shopSeries struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(s ShopStatus, now time.Time) float64 // NaN = no sample
}

func newRegistry(m *Metrics, quotas *budget.Budgets) *registry {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("orderwalk_"+name, help, []string{"shop"}, nil)
	}
	return &registry{
		metrics: m,
		unread:  make(map[offsets.Partition]int64),
		quotas:  quotas,
		quota:   newQuotaSeries(),
		series: []shopSeries{
			{desc("orders_published_total", "Orders committed to the orders topic."), prometheus.CounterValue,
				func(s ShopStatus, _ time.Time) float64 { return float64(s.Published) }},
			{desc("pages_total", "Pages of the order list read."), prometheus.CounterValue,
				func(s ShopStatus, _ time.Time) float64 { return float64(s.Pages) }},
			{desc("late_orders_total", "Orders first listed in a window's second pass."), prometheus.CounterValue,
				func(s ShopStatus, _ time.Time) float64 { return float64(s.Late) }},
			{desc("repeats_dropped_total", "Listed IDs that had been listed before."), prometheus.CounterValue,
				func(s ShopStatus, _ time.Time) float64 { return float64(s.Repeats) }},
			{desc("window_seconds", "Length of the window opened last."), prometheus.GaugeValue,
				func(s ShopStatus, _ time.Time) float64 { return float64(s.Length) }},
			{desc("watermark_timestamp_seconds", "Unix time before which every window has been read and committed; absent while it is not known, and where another worker has the shop."), prometheus.GaugeValue,
				func(s ShopStatus, _ time.Time) float64 {
					if s.Watermark == 0 || s.Away {
						return math.NaN()
					}
					return float64(s.Watermark)
				}},
			{desc("lag_seconds", "Now less the watermark, or less the start of a shop that has none yet; absent where another worker has the shop."), prometheus.GaugeValue,
				func(s ShopStatus, now time.Time) float64 {
					if s.Away {
						return math.NaN()
					}
					return s.Lag(now).Seconds()
				}},
			{desc("backfill_progress_ratio", "Share of the range that has been read: 1 when live or done."), prometheus.GaugeValue,
				func(s ShopStatus, _ time.Time) float64 { return s.Progress() }},
		},
		state: prometheus.NewDesc("orderwalk_shop_state", "1 for the state a shop is in: starting, backfill, live, waiting, exhausted, paused, done, failed or elsewhere.",
			[]string{"shop", "state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (r *registry) Describe(ch chan<- *prometheus.Desc) {
	for _, series := range r.series {
		ch <- series.desc
	}
	ch <- r.state
	r.quota.describe(ch)
}

// Collect implements prometheus.Collector.
func (r *registry) Collect(ch chan<- prometheus.Metric) {
	now := r.clocks.later() // by the slower clock, no order would ever be late
	for _, s := range r.snapshot() {
		for _, series := range r.series {
			if value := series.of(s, now); !math.IsNaN(value) {
				ch <- prometheus.MustNewConstMetric(series.desc, series.kind, value, s.Name)
			}
		}
		ch <- prometheus.MustNewConstMetric(r.state, prometheus.GaugeValue, 1, s.Name, string(s.State))
		r.quota.collect(ch, s, r.quotas.Of(s.AppID))
	}
}

// firstSeen notes when shops that are not registered yet were first listed. A shop
// without a start time begins there, however long its list cannot be applied.
func (r *registry) firstSeen(shops []Shop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, shop := range shops {
		p := shop.partition()
		if _, known := r.unread[p]; !known && r.states[p] == nil {
			r.unread[p] = time.Now().Unix()
		}
	}
}

// register replaces the list of shops. Shops that stay keep their state.
func (r *registry) register(shops []Shop, changed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, h := range r.histories {
		if since := h.unreadSince(); since > 0 {
			r.unread[p] = since
		} else {
			delete(r.unread, p)
		}
	}
	callers := make([]budget.Caller, len(shops))
	for i, shop := range shops {
		callers[i] = budget.Caller{Name: shop.Name, AppID: shop.AppID, Client: shop.Client}
	}
	r.quotas.Enlist(callers)
	states, inboxes, histories := r.states, r.inboxes, r.histories
	r.states = make(map[offsets.Partition]*shopState, len(shops))
	r.inboxes = make(map[offsets.Partition]*inbox, len(shops))
	r.histories = make(map[offsets.Partition]*history, len(shops))
	for _, shop := range shops {
		p := shop.partition()
		r.inboxes[p], r.histories[p] = inboxes[p], histories[p]
		if r.inboxes[p] == nil {
			r.inboxes[p], r.histories[p] = newInbox(), &history{since: time.Now().Unix()}
			if since, known := r.unread[p]; known {
				r.histories[p].since = since
			}
		}
		h := states[p]
		if h == nil || h.name() != shop.Name {
			h = newShopState(shop, r.metrics, changed)
			h.quota, h.explain = r.quotas.Of(shop.AppID), r.explain
		}
		h.due(shop.Policy, r.histories[p].unreadSince())
		r.states[p] = h
	}
}

// of returns the state, inbox and history of a source partition. A shop that was
// removed in the meantime gets new ones that are not registered.
func (r *registry) of(p offsets.Partition, shop Shop) (*shopState, *inbox, *history) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.states[p]; h != nil {
		return h, r.inboxes[p], r.histories[p]
	}
	return newShopState(shop, r.metrics, func() {}), newInbox(), &history{since: time.Now().Unix()}
}

// placed sets the lane that a shop's status shows.
func (r *registry) placed(p offsets.Partition, lane int) {
	r.mu.Lock()
	h := r.states[p]
	r.mu.Unlock()
	if h != nil {
		h.placed(lane)
	}
}

// nudge passes an event to the walkers of an app ID.
func (r *registry) nudge(appID, event string, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, h := range r.states {
		if p.Shop == appID {
			r.inboxes[p].nudge(at)
			h.expect(event, at)
		}
	}
}

// withOthers notes whether the group has other workers.
func (r *registry) withOthers(others bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others = others
}

func (r *registry) snapshot() []ShopStatus {
	r.mu.Lock()
	all := make([]ShopStatus, 0, len(r.states))
	for _, h := range r.states {
		s := h.snapshot()
		s.Away = s.State == StateElsewhere && r.others
		all = append(all, s)
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(x, y ShopStatus) int { return strings.Compare(x.Name, y.Name) })
	return all
}
