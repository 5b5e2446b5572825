package cli

import (
	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/roster"
)

// authorizedShops exports how many shops have authorised the third-party platform.
type authorizedShops struct {
	count func() roster.Counts
	desc  *prometheus.Desc
}

func newAuthorizedShops(count func() roster.Counts) authorizedShops {
	return authorizedShops{count, prometheus.NewDesc("orderwalk_authorized_shops",
		"Shops that have authorised the third-party platform and that the shops file does not list: walked; unfit, because of another shop; beyond_limit, which are not walked; excluded by the shops file.", []string{"state"}, nil)}
}

// Describe implements prometheus.Collector.
func (a authorizedShops) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect implements prometheus.Collector.
func (a authorizedShops) Collect(ch chan<- prometheus.Metric) {
	n := a.count()
	for _, state := range []struct {
		name string
		n    int
	}{{"walked", n.Walked}, {"unfit", n.Unfit}, {"beyond_limit", n.Beyond}, {"excluded", n.Excluded}} {
		ch <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(state.n), state.name)
	}
}
