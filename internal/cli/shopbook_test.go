package cli

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// Two shops of one app ID share its client, and each has its own calls counted.
func TestShopsOfOneAppCountTheirOwnCalls(t *testing.T) {
	api := httptest.NewServer(simulator.New(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1", Token: "token-of-wx1"}}}))
	t.Cleanup(api.Close)
	registry := prometheus.NewRegistry()
	host := &wechat.Host{URL: api.URL}
	t.Cleanup(host.Close)
	book := &shopBook{host: host, metrics: connector.NewMetrics(registry), log: slog.New(slog.DiscardHandler), clients: map[string]known{}}
	token := func() (string, error) { return "token-of-wx1", nil }
	shops := book.shops(&config.Config{Shops: []config.Shop{
		{AppID: "wx1", Name: "created", Auth: wechat.AuthStatic, AccessToken: token, TimeRange: "create_time", RateLimit: 100},
		{AppID: "wx1", Name: "changed", Auth: wechat.AuthStatic, AccessToken: token, TimeRange: "update_time", RateLimit: 100},
	}})
	for i, calls := range []int{3, 5} {
		for range calls {
			end := time.Now().Unix() - 60
			if _, err := shops[i].Client.List(t.Context(), wechat.Query{Range: shops[i].Policy.Range, Start: end - 60, End: end, PageSize: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "orderwalk_api_calls_total" {
			continue
		}
		for _, m := range f.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["result"] == "ok" {
				counted[labels["shop"]] = m.Counter.GetValue()
			}
		}
	}
	if shops[0].Client != shops[1].Client || counted["created"] != 3 || counted["changed"] != 5 {
		t.Errorf("counted %v", counted)
	}
}
