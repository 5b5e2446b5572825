package connector

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/wechat"
)

const (
	// skewFrom is the difference of the two clocks from which they are said to
	// differ.
	skewFrom = 5 * time.Second
	// skewAgain is by how much the difference must have changed to be logged
	// again, or by half if that is more.
	skewAgain = 30 * time.Second
)

// clocks watches the difference between this machine's clock and the API's. The
// walk goes by the earlier of the two, so a difference delays every order, while
// by the clock that is late all looks well.
type clocks struct {
	host *wechat.Host // nil = there is none
	log  *slog.Logger
	skew *prometheus.Desc

	logged time.Duration // last; 0 = they do not differ
}

func newClocks(host *wechat.Host, log *slog.Logger) *clocks {
	return &clocks{host: host, log: log, skew: prometheus.NewDesc("orderwalk_clock_skew_seconds",
		"The API's clock, by the Date of its answers, less this machine's: above 0 this machine's is behind.", nil, nil)}
}

// look logs a difference when it begins, when it changes much and when it ends.
// It is not for use by several goroutines.
func (c *clocks) look() {
	if c.host == nil {
		return
	}
	skew, answers := c.host.Skew()
	switch changed := (skew - c.logged).Abs(); {
	case answers < 2:
	case skew.Abs() < skewFrom:
		if c.logged != 0 {
			c.logged = 0
			c.log.Info("this machine's clock and the API's agree again")
		}
	case c.logged != 0 && changed < max(skewAgain, c.logged.Abs()/2):
	case skew > 0:
		c.logged = skew
		c.log.Warn("this machine's clock is behind the API's, and every order comes late by that: set the clock (NTP)",
			"behind", skew.Round(time.Second))
	default:
		c.logged = skew
		c.log.Warn("the API's clock, by the Date of its answers, is behind this machine's, and every order comes late by that: "+
			"set this machine's clock (NTP) if it is the wrong one, or see what gateway or proxy answers with an old Date",
			"behind", -skew.Round(time.Second))
	}
}

// later is the later of the two clocks.
func (c *clocks) later() time.Time {
	if c.host == nil {
		return time.Now()
	}
	return c.host.Later()
}

// Describe implements prometheus.Collector.
func (c *clocks) Describe(ch chan<- *prometheus.Desc) { ch <- c.skew }

// Collect implements prometheus.Collector.
func (c *clocks) Collect(ch chan<- prometheus.Metric) {
	if c.host == nil {
		return
	}
	skew, _ := c.host.Skew()
	ch <- prometheus.MustNewConstMetric(c.skew, prometheus.GaugeValue, skew.Seconds())
}
