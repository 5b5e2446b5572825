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
	counted := map[string]uint64{}
	for _, name := range []string{"created", "changed"} {
		for _, calls := range book.metrics.Calls(name) {
			if calls.Result == "ok" {
				counted[name] = calls.N
			}
		}
	}
	if shops[0].Client != shops[1].Client || counted["created"] != 3 || counted["changed"] != 5 {
		t.Errorf("counted %v", counted)
	}
}

// A list of shops that is not taken in the end changes nothing for those there are.
func TestADraftOfShopsChangesNothing(t *testing.T) {
	host := &wechat.Host{URL: "http://localhost:1"}
	t.Cleanup(host.Close)
	book := &shopBook{host: host, metrics: connector.NewMetrics(prometheus.NewRegistry()), log: slog.New(slog.DiscardHandler), clients: map[string]known{}}
	token := func() (string, error) { return "token-of-wx1", nil }
	shop := config.Shop{AppID: "wx1", Name: "one", Auth: wechat.AuthStatic, AccessToken: token, TimeRange: "create_time", RateLimit: 100}
	before := book.shops(&config.Config{Shops: []config.Shop{shop}})
	name := func() string {
		return *book.clients["wx1"].names.of(wechat.CreateTime).Load()
	}
	renamed, faster, other := shop, shop, shop
	renamed.Name, faster.RateLimit, other.AppID = "renamed", 7, "wx2"
	for what, drafted := range map[string][]config.Shop{"renamed": {renamed}, "faster": {faster}, "other": {other}} {
		book.draft(&config.Config{Shops: drafted})
		if s := book.shopOf("wx1"); s == nil || s.Name != "one" || name() != "one" || book.shopOf("wx2") != nil || book.clients["wx1"].client != before[0].Client {
			t.Errorf("after the draft %q: shop %+v is counted as %q", what, s, name())
		}
	}
	shops, keep := book.draft(&config.Config{Shops: []config.Shop{renamed}})
	keep()
	if shops[0].Client != before[0].Client || name() != "renamed" || book.shopOf("wx1").Name != "renamed" {
		t.Errorf("the draft that was kept: shop %+v is counted as %q", book.shopOf("wx1"), name())
	}
}
