package deploy

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"orderwalk/connector"
)

// others are metrics that the connector does not describe when it is made, with
// their labels, and where they are.
var others = []struct {
	name, file string
	labels     []string
}{
	{"orderwalk_authorized_shops", "/internal/cli/authorizedshops.go", []string{"state"}},
	{"orderwalk_pushes_total", "/internal/cli/sidecar.go", []string{"result"}},
	{"kafka_producer_outgoing_byte_total", "/internal/cli/traffic.go", nil},
	{"kafka_consumer_incoming_byte_total", "/internal/cli/traffic.go", nil},
	{"kafka_producer_connection_count", "/internal/cli/traffic.go", nil},
	{"kafka_consumer_connection_count", "/internal/cli/traffic.go", nil},
}

// collectors are those of the Go runtime and of the process, which the program
// registers as they are.
var collectors = []string{
	"go_goroutines", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
}

// scraped are the labels that Prometheus gives to what it scrapes.
var scraped = []string{"job", "pod", "namespace", "le"}

// inventory is a registerer that notes names and labels of what is registered.
type inventory map[string][]string

func (v inventory) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc, 100)
	c.Describe(ch)
	close(ch)
	for desc := range ch {
		// There is no other way to learn a description's name.
		text := desc.String()
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(text)[1]
		labels := regexp.MustCompile(`variableLabels: \{([^}]*)\}`).FindStringSubmatch(text)[1]
		v[name] = strings.FieldsFunc(labels, func(r rune) bool { return r == ',' || r == ' ' })
	}
	return nil
}

func (v inventory) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = v.Register(c) // cannot fail
	}
}

func (v inventory) Unregister(prometheus.Collector) bool { return false }

// expressions are those of the rules and of the dashboard.
func expressions(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, rule := range alerts(t) {
		all = append(all, rule.Expr)
	}
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Definition string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, chart+"/files/dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, v := range board.Templating.List {
		all = append(all, v.Definition)
	}
	return all
}

// alert is one rule of the chart.
type alert struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal([]byte(read(t, chart+"/files/rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

// metricsOf returns the names and labels of all metrics of the program.
func metricsOf(t *testing.T) inventory {
	t.Helper()
	have := inventory{}
	metrics := connector.NewMetrics(have)
	metrics.Build(have, "v1", "abc")
	connector.New(connector.Config{Metrics: metrics, Log: slog.New(slog.DiscardHandler)}, have)
	for _, f := range connector.ShopFamilies() {
		have[f.Name] = f.Labels
	}
	for _, m := range others {
		if !strings.Contains(read(t, root+m.file), `"`+m.name+`"`) {
			t.Errorf("%s does not have %s any more", m.file, m.name)
		}
		have[m.name] = m.labels
	}
	return have
}

// docs/METRICS.md lists every metric with its labels, and no other.
func TestDocsListEveryMetric(t *testing.T) {
	const docs = root + "/docs/METRICS.md"
	text := read(t, docs)
	var want []string
	for name, labels := range metricsOf(t) {
		row := name
		if len(labels) > 0 {
			row += "{" + strings.Join(labels, ",") + "}"
		}
		want = append(want, row)
		if !strings.Contains(text, "\n| `"+row+"` |") {
			t.Errorf("no row for %s", row)
		}
	}
	for _, row := range found(t, docs, "(?m)^\\| `((?:orderwalk|kafka)_[^`]+)` \\|") {
		if !slices.Contains(want, row) {
			t.Errorf("no metric %s", row)
		}
	}
}

// Every metric and every label in an alert or on the dashboard is one that the
// program has.
func TestMetricsAreTheProgramsOwn(t *testing.T) {
	have := metricsOf(t)
	for _, name := range collectors {
		have[name] = nil
	}

	metric := regexp.MustCompile(`\b((?:orderwalk|kafka|process|go)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	grouping := regexp.MustCompile(`\b(?:by|on) \(([a-z_, ]+)\)`)
	used := 0
	for _, expr := range expressions(t) {
		known := slices.Clone(scraped)
		for _, found := range metric.FindAllStringSubmatch(expr, -1) {
			used++
			name := found[1]
			labels, ok := have[name]
			if !ok {
				labels, ok = have[strings.TrimSuffix(name, "_bucket")]
			}
			if !ok {
				t.Errorf("no metric %s, in %s", name, expr)
			}
			known = append(known, labels...)
			for _, label := range matcher.FindAllStringSubmatch(found[2], -1) {
				if !slices.Contains(labels, label[1]) && !slices.Contains(scraped, label[1]) {
					t.Errorf("%s has no label %s, in %s", name, label[1], expr)
				}
			}
		}
		for _, group := range grouping.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(group[1], ", ") {
				if !slices.Contains(known, label) {
					t.Errorf("nothing has a label %s, in %s", label, expr)
				}
			}
		}
	}
	if used < 50 {
		t.Errorf("only %d metrics looked at", used)
	}
}

// Whoever has the chart's metrics can show all the program has: the dashboard
// leaves out none but what other panels say as well.
func TestDashboardShowsEveryMetric(t *testing.T) {
	have := metricsOf(t)
	elsewhere := map[string]string{
		"orderwalk_watermark_timestamp_seconds": "orderwalk_lag_seconds",
		"orderwalk_late_order_seconds":          "orderwalk_late_orders_total",
	}
	board := read(t, chart+"/files/dashboard.json")
	for name := range have {
		if other, ok := elsewhere[name]; ok {
			name = other
		}
		if strings.HasPrefix(name, "orderwalk_") && !strings.Contains(board, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
