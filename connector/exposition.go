package connector

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Family describes one metric whose series have a shop.
type Family struct {
	Name, Help string
	Labels     []string
}

// ShopFamilies lists the metrics that [Connector.WriteShopMetrics] writes, in its order.
func ShopFamilies() []Family {
	var all []Family
	for _, f := range shopFamilies {
		all = append(all, Family{f.name, f.help, f.labels})
	}
	return all
}

// WriteShopMetrics writes the series of the shops that this worker walks, in Prometheus'
// text format. They are written straight from the shops' states: ten thousand shops have
// a quarter of a million series, which a gatherer would hold in memory all at once.
//
// A worker that has lost its place in the group keeps the series of its shops until it
// knows that another worker walks them: their lag must not vanish with Kafka.
func (c *Connector) WriteShopMetrics(w io.Writer) error {
	rows := c.registry.rows()
	out := &samples{w: w, buf: make([]byte, 0, flushSamples+1024)}
	for _, f := range shopFamilies {
		if len(rows) == 0 {
			break
		}
		out.family = f.name
		out.buf = fmt.Appendf(out.buf, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
		for i := range rows {
			f.write(out, &rows[i])
			if err := out.flush(flushSamples); err != nil {
				return err
			}
		}
	}
	return out.flush(0)
}

// shopRow is what a scrape shows of one shop.
type shopRow struct {
	ShopStatus
	label   string // the shop's name, escaped
	lag     float64
	metrics *Metrics
}

// rows returns the shops that this worker exports, by name.
func (r *registry) rows() []shopRow {
	now := r.clocks.later() // by the slower clock, no order would ever be late
	r.mu.Lock()
	rows := make([]shopRow, 0, len(r.shops))
	r.mu.Unlock()
	r.each(func(s ShopStatus) {
		if !s.exported() {
			return
		}
		r.outlook(&s)
		rows = append(rows, shopRow{ShopStatus: s, label: escape(s.Name), lag: s.Lag(now).Seconds(), metrics: r.metrics})
	})
	slices.SortFunc(rows, func(x, y shopRow) int { return strings.Compare(x.Name, y.Name) })
	return rows
}

// outlook adds what is known of the day's list calls to a status.
func (r *registry) outlook(s *ShopStatus) {
	s.CallsLeft = math.NaN()
	if q := r.quotas.Of(s.AppID); q != nil && !s.State.ended() {
		s.CallsLeft, s.CallsEnd = q.Outlook()
	}
}

// exported reports whether this worker has the shop's series.
func (s *ShopStatus) exported() bool {
	return s.State != StateElsewhere || s.Start != 0 && !s.Away
}

// escape returns a label's value as the text format has it.
func escape(value string) string {
	if !strings.ContainsAny(value, "\\\"\n") {
		return value
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}

// flushSamples is how many bytes are gathered before they are written.
const flushSamples = 32 << 10

// samples writes lines of Prometheus' text format.
type samples struct {
	w      io.Writer
	buf    []byte
	family string
}

// shop adds a sample of the shop; more are further labels, name and value in turn.
func (o *samples) shop(s *shopRow, value float64, more ...string) {
	o.sample(`{shop="`, s.label, value, more)
}

// connector adds a sample under Kafka Connect's name of the label.
func (o *samples) connector(s *shopRow, value float64, more ...string) {
	o.sample(`{connector="`, s.label, value, more)
}

func (o *samples) sample(first, label string, value float64, more []string) {
	if math.IsNaN(value) {
		return
	}
	b := append(o.buf, o.family...)
	b = append(b, first...)
	b = append(b, label...)
	for i := 0; i < len(more); i += 2 {
		b = append(b, `",`...)
		b = append(b, more[i]...)
		b = append(b, `="`...)
		b = append(b, more[i+1]...)
	}
	b = append(b, `"} `...)
	if whole := int64(value); float64(whole) == value {
		b = strconv.AppendInt(b, whole, 10)
	} else {
		b = strconv.AppendFloat(b, value, 'g', -1, 64)
	}
	o.buf = append(b, '\n')
}

// flush writes what has been gathered if it is at least so many bytes.
func (o *samples) flush(least int) error {
	if len(o.buf) < least || len(o.buf) == 0 {
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// quantile returns the value below which the share q of the sorted values lies.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// lagOf returns the lag of a shop that still has something to read; NaN = it does not.
func lagOf(s ShopStatus, now time.Time) float64 {
	if s.State == StateDone || !s.exported() {
		return math.NaN()
	}
	return s.Lag(now).Seconds()
}
