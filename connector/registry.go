package connector

import (
	"slices"
	"strings"
	"sync"
	"time"

	"orderwalk/internal/budget"
	"orderwalk/offsets"
)

// registry holds the state of every shop, which the metrics of WriteShopMetrics are computed from.
type registry struct {
	metrics *Metrics
	quotas  *budget.Budgets
	clocks  *clocks
	explain func(error) string // see Config.explain

	mu    sync.Mutex
	shops map[offsets.Partition]registered
	// unread holds when this process first saw each shop without a checkpoint, unix
	// seconds. A shop stays here while a list leaves it out: a list that could not be
	// applied is tried again.
	unread map[offsets.Partition]int64
	// others reports that the group has other workers, which own the lanes that this
	// one does not.
	others bool
}

// registered is what outlives the walkers of a shop, and its members.
type registered struct {
	state   *shopState
	inbox   *inbox
	history *history
}

func newRegistry(m *Metrics, quotas *budget.Budgets) *registry {
	return &registry{metrics: m, unread: make(map[offsets.Partition]int64), quotas: quotas}
}

// firstSeen notes when shops that are not registered yet were first listed. A shop
// without a start time begins there, however long its list cannot be applied.
func (r *registry) firstSeen(shops []Shop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, shop := range shops {
		p := shop.partition()
		if _, known := r.unread[p]; !known && r.shops[p].state == nil {
			r.unread[p] = time.Now().Unix()
		}
	}
}

// register replaces the list of shops. Shops that stay keep their state.
func (r *registry) register(shops []Shop, changed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, one := range r.shops {
		if since := one.history.unreadSince(); since > 0 {
			r.unread[p] = since
		} else {
			delete(r.unread, p)
		}
	}
	callers, listed := make([]budget.Caller, len(shops)), make(map[string]bool, len(shops))
	for i, shop := range shops {
		listed[shop.Name] = true
		callers[i] = budget.Caller{Name: shop.Name, AppID: shop.AppID, Client: shop.Client}
	}
	r.quotas.Enlist(callers)
	r.metrics.keep(listed)
	had := r.shops
	r.shops = make(map[offsets.Partition]registered, len(shops))
	for _, shop := range shops {
		p := shop.partition()
		one := had[p]
		if one.inbox == nil {
			one.inbox, one.history = new(inbox), &history{since: time.Now().Unix()}
			if since, known := r.unread[p]; known {
				one.history.since = since
			}
		}
		if one.state == nil || one.state.name() != shop.Name {
			one.state = newShopState(shop, r.metrics, changed)
			one.state.quota, one.state.explain = r.quotas.Of(shop.AppID), r.explain
		}
		one.state.due(shop.Policy, one.history.unreadSince())
		r.shops[p] = one
	}
}

// of returns the state, inbox and history of a source partition. A shop that was
// removed in the meantime gets new ones that are not registered.
func (r *registry) of(p offsets.Partition, shop Shop) (*shopState, *inbox, *history) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one, known := r.shops[p]; known {
		return one.state, one.inbox, one.history
	}
	return newShopState(shop, r.metrics, func() {}), new(inbox), &history{since: time.Now().Unix()}
}

// placed sets the lane that a shop's status shows.
func (r *registry) placed(p offsets.Partition, lane int) {
	r.mu.Lock()
	state := r.shops[p].state
	r.mu.Unlock()
	if state != nil {
		state.placed(lane)
	}
}

// nudge passes an event to the walkers of an app ID.
func (r *registry) nudge(appID, event, order string, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, one := range r.shops {
		if p.Shop == appID && one.state.mayBring(event) {
			one.inbox.nudge(at, order)
			one.state.expect(event, at)
		}
	}
}

// withOthers notes whether the group has other workers.
func (r *registry) withOthers(others bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others = others
}

func (r *registry) snapshot() []ShopStatus {
	r.mu.Lock()
	all := make([]ShopStatus, 0, len(r.shops))
	r.mu.Unlock()
	r.each(func(s ShopStatus) {
		r.outlook(&s)
		all = append(all, s)
	})
	slices.SortFunc(all, func(x, y ShopStatus) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// one returns the status of the shop of a name.
func (r *registry) one(name string) (s ShopStatus, known bool) {
	r.mu.Lock()
	for _, one := range r.shops {
		if one.state.name() == name {
			s, known = r.status(one.state), true
			break
		}
	}
	r.mu.Unlock()
	if known {
		r.outlook(&s)
	}
	return s, known
}

// each calls show with the status of every shop, in no order.
func (r *registry) each(show func(ShopStatus)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.shops {
		show(r.status(one.state))
	}
}

// status returns the status of a shop. The caller holds mu.
func (r *registry) status(h *shopState) ShopStatus {
	s := h.snapshot()
	s.Away = s.State == StateElsewhere && r.others
	return s
}
