package connector

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

var update = flag.Bool("update", false, "write testdata/metrics.golden")

// scraped gathers all that a scrape shows, as a reader of the text gets it.
type scraped struct {
	*prometheus.Registry
	of *Connector
}

func (s *scraped) Gather() ([]*dto.MetricFamily, error) {
	families, err := s.Registry.Gather()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := s.of.WriteShopMetrics(&text); err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(&text)
	if err != nil {
		return nil, err
	}
	for _, f := range parsed {
		families = append(families, f)
	}
	return families, nil
}

// idle is a client that makes no call.
func idle() *wechat.Client {
	return wechat.New(wechat.Config{AppID: "wx1", Secret: func() (string, error) { return "", nil }})
}

// crowd is a connector with many shops, of which all are live.
func crowd(n int) *Connector {
	metrics := NewMetrics(prometheus.NewRegistry())
	cfg := Config{Metrics: metrics, Log: discard(), QuotaLiveShare: 0.5}
	for i := range n {
		cfg.Shops = append(cfg.Shops, Shop{Name: fmt.Sprintf("shop-%05d", i), AppID: fmt.Sprintf("wx%016d", i), Policy: testPolicy(), Client: idle()})
	}
	c := New(cfg, prometheus.NewRegistry())
	for _, one := range c.registry.shops {
		h := one.state
		h.set(StateLive, nil)
		h.started(&offsets.Checkpoint{Watermark: time.Now().Unix() - 30})
		metrics.OnCall(h.s.Name, "ok", time.Millisecond)
	}
	return c
}

// TestSizeOfAScrape: the series and bytes of a worker with ten thousand shops, and the
// memory that the writer itself takes.
func TestSizeOfAScrape(t *testing.T) {
	const shops = 10_000
	c := crowd(shops)
	var out bytes.Buffer
	if err := c.WriteShopMetrics(&out); err != nil {
		t.Fatal(err)
	}
	series := 0
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if per := float64(series) / shops; per < 20 || per > 30 {
		t.Errorf("%v series for each shop", per)
	}
	if per := out.Len() / shops; per > 2400 {
		t.Errorf("%d bytes for each shop", per)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.WriteShopMetrics(io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 6<<20 {
		t.Errorf("a scrape allocates %d bytes", allocated)
	}
}

// BenchmarkScrape writes the series of ten thousand shops, and those of the worker.
func BenchmarkScrape(b *testing.B) {
	c := crowd(10_000)
	registry := prometheus.NewRegistry()
	registry.MustRegister(newTotals(c))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
		if err := c.WriteShopMetrics(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNamesOfMetrics: the names, kinds and labels that dashboards and alerts rely on.
func TestNamesOfMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	metrics.Build(registry, "v1", "abc")
	metrics.retries.WithLabelValues("Produce", "no answer")
	c := New(Config{Metrics: metrics, Log: discard(), Shops: []Shop{{Name: `a "quoted" \ shop`, AppID: "wx1", Policy: testPolicy(), Client: idle()}}}, registry)
	for _, one := range c.registry.shops {
		h := one.state
		h.set(StateLive, nil)
		h.started(&offsets.Checkpoint{Watermark: 1_700_000_000})
	}
	c.outage.shown[request{"Produce", "no answer"}] = true
	families, err := (&scraped{registry, c}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
			if l.GetName() == "shop" && l.GetValue() != `a "quoted" \ shop` {
				t.Errorf("%s has shop %s", f.GetName(), l.GetValue())
			}
		}
		slices.Sort(labels)
		lines = append(lines, fmt.Sprintf("%s %s{%s}\n", strings.ToLower(f.GetType().String()), f.GetName(), strings.Join(labels, ",")))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "")
	const golden = "testdata/metrics.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the metrics are\n%s\nwant\n%s", got, want)
	}
	for _, f := range ShopFamilies() {
		if f.Name != "orderwalk_quota_remaining" && !regexp.MustCompile(`(?m)^(counter|gauge) `+f.Name+`\{`).MatchString(got) {
			t.Errorf("%s is listed and not written", f.Name)
		}
	}
}

// TestStatesAsConnectors: every state has a status that Kafka Connect knows.
func TestStatesAsConnectors(t *testing.T) {
	known := []string{"running", "paused", "failed", "unassigned", "stopped", "destroyed"}
	for _, state := range append(slices.Clone(shownStates), StateElsewhere) {
		connector, task := asConnector(state)
		if !slices.Contains(known, connector) || !slices.Contains(known, task) {
			t.Errorf("%s is %s, %s", state, connector, task)
		}
	}
	if _, task := asConnector(StateWaiting); task != "failed" {
		t.Errorf("a waiting shop's task is %s", task)
	}
}

// TestASeriesLeavesWithItsShop: of two workers, each exports the shops that it walks.
// Together they export every shop once, also after one has left.
func TestASeriesLeavesWithItsShop(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.opening(simulator.Faults{})
		p := testPolicy()
		var shops []shop
		for i := range 6 {
			shops = append(shops, shop{appID: "wx1", name: fmt.Sprintf("s%d", i), policy: p})
			if i > 0 {
				shops[i].appID, shops[i].static = fmt.Sprintf("none%d", i), func() (string, error) { return "no token", nil }
			}
		}
		first := a.start(shops...)
		time.Sleep(time.Minute)
		if n := first.shopsShown(); len(n) != 6 {
			t.Errorf("alone it shows %v", n)
		}
		second := a.start(shops...)
		time.Sleep(5 * time.Minute)
		one, two := first.shopsShown(), second.shopsShown()
		if len(one) == 0 || len(two) == 0 || len(one)+len(two) != 6 {
			t.Errorf("they show %v and %v", one, two)
		}
		for _, name := range one {
			if slices.Contains(two, name) {
				t.Errorf("both show %s", name)
			}
		}
		for _, w := range []*process{first, second} {
			if n := w.total("orderwalk_shops_configured"); n != 6 {
				t.Errorf("%v shops configured", n)
			}
			if n := w.total("orderwalk_shops"); int(n) != len(w.shopsShown()) {
				t.Errorf("%v shops in states, %v shown", n, w.shopsShown())
			}
		}
		calls := first.total("orderwalk_api_calls_total")
		if err := second.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if n := first.shopsShown(); len(n) != 6 {
			t.Errorf("after the other has left it shows %v", n)
		}
		if now := first.total("orderwalk_api_calls_total"); now < calls {
			t.Errorf("its calls were %v and are %v", calls, now)
		}
		first.kill()
	})
}

// shopsShown lists the shops whose information a worker exports. It checks that all
// series with a shop are of those shops.
func (p *process) shopsShown() []string {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	shown := make(map[string][]string)
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "shop" || l.GetName() == "connector" {
					shown[f.GetName()] = append(shown[f.GetName()], l.GetValue())
				}
			}
		}
	}
	shops := shown["orderwalk_shop_info"]
	for name, of := range shown {
		for _, shop := range of {
			if !slices.Contains(shops, shop) {
				p.a.Errorf("%s is of %s, which is not shown", name, shop)
			}
		}
	}
	return shops
}

// total is the sum of a metric's samples.
func (p *process) total(name string) (n float64) {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name {
				n += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// TestTheAPIIsDown: a worker whose calls get no answer says so, and not while one of its
// shops is merely refused.
func TestTheAPIIsDown(t *testing.T) {
	inBubble(t, func(a *testbed) {
		a.opening(simulator.Faults{})
		run := a.start(shop{appID: "wx1", policy: testPolicy()})
		expect := func(what string, want float64) {
			t.Helper()
			time.Sleep(2 * time.Minute)
			if got := run.single("orderwalk_api_up"); got != want {
				t.Errorf("%s: up is %v", what, got)
			}
		}
		expect("it answers", 1)
		a.api.SetFaults(simulator.Faults{HTTP5xxRate: 1})
		expect("HTTP 5xx", 0)
		a.api.SetFaults(simulator.Faults{})
		expect("it answers again", 1)
		a.api.SetFaults(simulator.Faults{Whitelist: 40164})
		expect("an errcode", 1)
		run.kill()
	})
}
