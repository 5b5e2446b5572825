package connector

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/wechat"
)

const (
	// skewFrom is the difference from which a warning is logged.
	skewFrom = 5 * time.Second
	// skewAgain is by how much the difference must change to be logged again, or by
	// half of it if that is more.
	skewAgain = 30 * time.Second
)

// clocks watches the difference between this machine's clock and the API's. The walk
// uses the earlier of the two, so a difference delays every order, and by the slower
// clock no order looks late.
type clocks struct {
	host *wechat.Host // nil = no API, so no difference
	log  *slog.Logger
	skew *prometheus.Desc

	logged  time.Duration // difference logged last; 0 = the clocks agree
	undated bool          // it was logged that the API sends no Date
}

func newClocks(host *wechat.Host, log *slog.Logger) *clocks {
	return &clocks{host: host, log: log, skew: prometheus.NewDesc("orderwalk_clock_skew_seconds",
		"The API's clock, by the Date of its answers, less this machine's: above 0 this machine's is behind.", nil, nil)}
}

// check logs a difference when it begins, changes much, and ends. It must not be called
// concurrently.
func (c *clocks) check() {
	if c.host == nil {
		return
	}
	if c.host.Undated() && !c.undated {
		c.undated = true
		c.log.Warn("the API's answers have no Date header, so this machine's clock alone decides how far orders are read: " +
			"if it is ahead, orders are lost. Keep it set (NTP), or find the gateway or proxy that removes the header")
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
		c.log.Warn("this machine's clock is behind the API's, so every order is published late by that much: set the clock (NTP)",
			"behind", skew.Round(time.Second))
	default:
		c.logged = skew
		c.log.Warn("the API's clock (Date header) is behind this machine's, so every order is published late by that much: "+
			"set this machine's clock (NTP) if it is wrong, or find the gateway or proxy that answers with an old Date",
			"behind", -skew.Round(time.Second))
	}
}

// later returns the later of the two clocks.
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
