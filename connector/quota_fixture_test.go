package connector

import (
	"strings"
	"time"

	"orderwalk/internal/wechat"
)

// gauge returns a shop's value of a series; there reports whether it has one.
func (p *process) gauge(name, shop string) (value float64, there bool) {
	p.a.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.a.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "orderwalk_quota_"+name && m.Label[0].GetValue() == shop {
				return m.Gauge.GetValue(), true
			}
		}
	}
	return 0, false
}

func (p *process) expectGauge(name, shop string, least, most float64) {
	p.a.Helper()
	if v, there := p.gauge(name, shop); !there || v < least || v > most {
		p.a.Errorf("orderwalk_quota_%s of %s is %v (%v), want %v to %v", name, shop, v, there, least, most)
	}
}

func (p *process) expectLogged(text string, times int) {
	p.a.Helper()
	if n := strings.Count(p.logged(), text); n != times {
		p.a.Errorf("the log says %q %d times, want %d", text, n, times)
	}
}

// statusOf returns the status of a shop, by name.
func (p *process) statusOf(name string) ShopStatus {
	p.a.Helper()
	for _, s := range p.Status() {
		if s.Name == name {
			return s
		}
	}
	p.a.Fatalf("no shop %s", name)
	return ShopStatus{}
}

// answered returns how many calls of a path the API has had, by outcome; "" = any.
func (a *testbed) answered(path, outcome string) (n int) {
	for code, calls := range a.api.Stats().Calls[path] {
		if outcome == "" || code == outcome {
			n += calls
		}
	}
	return n
}

const (
	listPath  = "/channels/ec/order/list/get"
	quotaPath = "/cgi-bin/openapi/quota/get"
)

// midnight returns the time until the day ends in Shanghai. A bubble begins at 08:00
// there.
func midnight() time.Duration {
	now := time.Now().In(wechat.Zone)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, wechat.Zone).Sub(now)
}

// createdOnce is eachOnce for records by creation time only.
func (a *testbed) createdOnce(appID string, from, to int64) {
	a.Helper()
	count := make(map[string]int)
	for _, r := range a.published() {
		if v := decodeOrder(a, r); v.TimeRange == "create_time" {
			count[v.OrderID]++
		}
	}
	for _, o := range a.api.Orders(appID, time.Unix(to, 0)) {
		if o.Created >= from && count[o.ID] != 1 {
			a.Fatalf("order %s of %d was published %d times", o.ID, o.Created, count[o.ID])
		}
	}
}
