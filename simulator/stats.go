package simulator

import (
	"maps"
	"sync"
	"time"
)

// Stats counts calls, faults and violations since the start.
type Stats struct {
	// Calls counts API calls by path and outcome: the errcode ("0" if there is none),
	// or the value of ListCall.Outcome. Unknown paths are counted under "other".
	Calls map[string]map[string]int `json:"calls"`
	// Faults counts how often each switch has changed an answer. Switches about format
	// (such as order or ids_as_number) are not counted.
	Faults map[string]int `json:"faults"`
	// Violations counts requests that clients should never send: next_key_parameters
	// (a next_key with other parameters than it was issued for), next_key_unknown,
	// content_length, verify_ticket, refresh_token, not_json, wrong_type, no_range,
	// half_range, null_range, both_ranges, range_order, point_range, span, page_size.
	Violations map[string]int `json:"violations"`
	// Shops holds the counts of each shop, by app ID.
	Shops map[string]ShopStats `json:"shops"`
}

// ShopStats counts the calls of one shop.
type ShopStats struct {
	ListCalls int `json:"list_calls"`
	// MaxListCallsInOneSecond is the greatest number of list calls within any one
	// second, wherever it begins.
	MaxListCallsInOneSecond int `json:"max_list_calls_in_one_second"`
	// TokenRefreshes is the number of tokens issued, of all kinds.
	TokenRefreshes int `json:"token_refreshes"`
}

// Stats returns a copy of the counts.
func (s *Server) Stats() Stats {
	out := s.stats.copy()
	for appID, shop := range s.shops {
		of := out.Shops[appID]
		of.TokenRefreshes = s.ledger.refreshes(shop)
		out.Shops[appID] = of
	}
	return out
}

// counters is the state behind Stats.
type counters struct {
	mu         sync.Mutex
	calls      map[callKind]int
	faults     map[string]int
	violations map[string]int
	lists      map[*shop]*listRate
}

type callKind struct{ path, outcome string }

// listRate counts list calls and their greatest rate.
type listRate struct {
	n, peak int
	recent  []time.Time // calls within the second before the latest
}

func (c *counters) call(path, outcome string, of *shop, isList bool, at time.Time) {
	if !known(path) {
		path = "other"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls, c.lists = map[callKind]int{}, map[*shop]*listRate{}
	}
	c.calls[callKind{path, outcome}]++
	if !isList || of == nil {
		return
	}
	p := c.lists[of]
	if p == nil {
		p = &listRate{}
		c.lists[of] = p
	}
	p.count(at)
}

func (p *listRate) count(at time.Time) {
	p.n++
	gone := 0
	for gone < len(p.recent) && at.Sub(p.recent[gone]) >= time.Second {
		gone++
	}
	p.recent = append(p.recent[:0], p.recent[gone:]...)
	p.recent = append(p.recent, at)
	p.peak = max(p.peak, len(p.recent))
}

func (c *counters) fault(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == nil {
		c.faults = map[string]int{}
	}
	c.faults[name]++
}

func (c *counters) violation(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.violations == nil {
		c.violations = map[string]int{}
	}
	c.violations[name]++
}

func (c *counters) copy() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Stats{
		Calls:      map[string]map[string]int{},
		Faults:     map[string]int{},
		Violations: map[string]int{},
		Shops:      map[string]ShopStats{},
	}
	for kind, n := range c.calls {
		if out.Calls[kind.path] == nil {
			out.Calls[kind.path] = map[string]int{}
		}
		out.Calls[kind.path][kind.outcome] = n
	}
	maps.Copy(out.Faults, c.faults)
	maps.Copy(out.Violations, c.violations)
	for of, p := range c.lists {
		out.Shops[of.appID] = ShopStats{ListCalls: p.n, MaxListCallsInOneSecond: p.peak}
	}
	return out
}
