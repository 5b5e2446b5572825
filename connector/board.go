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

// board is every shop's line, and the collector of the series that are
// computed when they are asked for.
type board struct {
	metrics *Metrics
	quotas  *budget.Budgets
	clocks  *clocks
	explain func(error) string // see Config.explain
	quota   quotaSeries
	series  []shopSeries
	state   *prometheus.Desc

	mu     sync.Mutex
	sheets map[offsets.Partition]*sheet
	// inboxes and histories are those of the same shops.
	inboxes   map[offsets.Partition]*inbox
	histories map[offsets.Partition]*history
	// unread are shops without a checkpoint, by when this process came to know
	// them, also those that a list of shops has left out meanwhile: one that could
	// not be taken is tried again.
	unread map[offsets.Partition]int64
	// others says that the group has other workers, which have the lanes that this
	// one has not.
	others bool
}

// shopSeries is one of a shop's series, taken off its status.
type shopSeries struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(s ShopStatus, now time.Time) float64 // NaN = there is none
}

func newBoard(m *Metrics, quotas *budget.Budgets) *board {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("orderwalk_"+name, help, []string{"shop"}, nil)
	}
	return &board{
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
		state: prometheus.NewDesc("orderwalk_shop_state", "1 for the state a shop is in: starting, backfill, live, waiting, exhausted, done, failed or elsewhere.",
			[]string{"shop", "state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (b *board) Describe(ch chan<- *prometheus.Desc) {
	for _, series := range b.series {
		ch <- series.desc
	}
	ch <- b.state
	b.quota.describe(ch)
}

// Collect implements prometheus.Collector.
func (b *board) Collect(ch chan<- prometheus.Metric) {
	now := b.clocks.later() // by the clock that is late, no order would be
	for _, s := range b.snapshot() {
		for _, series := range b.series {
			if value := series.of(s, now); !math.IsNaN(value) {
				ch <- prometheus.MustNewConstMetric(series.desc, series.kind, value, s.Name)
			}
		}
		ch <- prometheus.MustNewConstMetric(b.state, prometheus.GaugeValue, 1, s.Name, string(s.State))
		b.quota.collect(ch, s, b.quotas.Of(s.AppID))
	}
}

// meet notes when shops first came up that are not on the board yet: where the
// walk of one without a start time begins, however long its list cannot be taken.
func (b *board) meet(shops []Shop) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, shop := range shops {
		p := shop.partition()
		if _, known := b.unread[p]; !known && b.sheets[p] == nil {
			b.unread[p] = time.Now().Unix()
		}
	}
}

// enlist makes the board that of these shops. What is known of shops that stay, stays.
func (b *board) enlist(shops []Shop, changed func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, h := range b.histories {
		if since := h.unreadSince(); since > 0 {
			b.unread[p] = since
		} else {
			delete(b.unread, p)
		}
	}
	callers := make([]budget.Caller, len(shops))
	for i, shop := range shops {
		callers[i] = budget.Caller{Name: shop.Name, AppID: shop.AppID, Client: shop.Client}
	}
	b.quotas.Enlist(callers)
	sheets, inboxes, histories := b.sheets, b.inboxes, b.histories
	b.sheets = make(map[offsets.Partition]*sheet, len(shops))
	b.inboxes = make(map[offsets.Partition]*inbox, len(shops))
	b.histories = make(map[offsets.Partition]*history, len(shops))
	for _, shop := range shops {
		p := shop.partition()
		b.inboxes[p], b.histories[p] = inboxes[p], histories[p]
		if b.inboxes[p] == nil {
			b.inboxes[p], b.histories[p] = newInbox(), &history{since: time.Now().Unix()}
			if since, known := b.unread[p]; known {
				b.histories[p].since = since
			}
		}
		h := sheets[p]
		if h == nil || h.name() != shop.Name {
			h = newSheet(shop, b.metrics, changed)
			h.quota, h.explain = b.quotas.Of(shop.AppID), b.explain
		}
		h.due(shop.Policy, b.histories[p].unreadSince())
		b.sheets[p] = h
	}
}

// of returns what belongs to a source partition. A shop that has been removed
// meanwhile has a sheet that is not on the board.
func (b *board) of(p offsets.Partition, shop Shop) (*sheet, *inbox, *history) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.sheets[p]; h != nil {
		return h, b.inboxes[p], b.histories[p]
	}
	return newSheet(shop, b.metrics, func() {}), newInbox(), &history{since: time.Now().Unix()}
}

// placed shows the lane of a shop.
func (b *board) placed(p offsets.Partition, lane int) {
	b.mu.Lock()
	h := b.sheets[p]
	b.mu.Unlock()
	if h != nil {
		h.placed(lane)
	}
}

// nudge tells the walkers of an app ID of an event.
func (b *board) nudge(appID, event string, at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, h := range b.sheets {
		if p.Shop == appID {
			b.inboxes[p].nudge(at)
			h.expect(event, at)
		}
	}
}

// withOthers notes whether the group has other workers.
func (b *board) withOthers(others bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.others = others
}

func (b *board) snapshot() []ShopStatus {
	b.mu.Lock()
	all := make([]ShopStatus, 0, len(b.sheets))
	for _, h := range b.sheets {
		s := h.snapshot()
		s.Away = s.State == StateElsewhere && b.others
		all = append(all, s)
	}
	b.mu.Unlock()
	slices.SortFunc(all, func(x, y ShopStatus) int { return strings.Compare(x.Name, y.Name) })
	return all
}
