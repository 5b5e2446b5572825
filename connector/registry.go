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

	mu     sync.Mutex
	states map[offsets.Partition]*shopState
	// inboxes and histories have the same keys as states.
	inboxes   map[offsets.Partition]*inbox
	histories map[offsets.Partition]*history
	// unread holds when this process first saw each shop without a checkpoint, unix
	// seconds. A shop stays here while a list leaves it out: a list that could not be
	// applied is tried again.
	unread map[offsets.Partition]int64
	// others reports that the group has other workers, which own the lanes that this
	// one does not.
	others bool
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
		if _, known := r.unread[p]; !known && r.states[p] == nil {
			r.unread[p] = time.Now().Unix()
		}
	}
}

// register replaces the list of shops. Shops that stay keep their state.
func (r *registry) register(shops []Shop, changed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, h := range r.histories {
		if since := h.unreadSince(); since > 0 {
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
	states, inboxes, histories := r.states, r.inboxes, r.histories
	r.states = make(map[offsets.Partition]*shopState, len(shops))
	r.inboxes = make(map[offsets.Partition]*inbox, len(shops))
	r.histories = make(map[offsets.Partition]*history, len(shops))
	for _, shop := range shops {
		p := shop.partition()
		r.inboxes[p], r.histories[p] = inboxes[p], histories[p]
		if r.inboxes[p] == nil {
			r.inboxes[p], r.histories[p] = new(inbox), &history{since: time.Now().Unix()}
			if since, known := r.unread[p]; known {
				r.histories[p].since = since
			}
		}
		h := states[p]
		if h == nil || h.name() != shop.Name {
			h = newShopState(shop, r.metrics, changed)
			h.quota, h.explain = r.quotas.Of(shop.AppID), r.explain
		}
		h.due(shop.Policy, r.histories[p].unreadSince())
		r.states[p] = h
	}
}

// of returns the state, inbox and history of a source partition. A shop that was
// removed in the meantime gets new ones that are not registered.
func (r *registry) of(p offsets.Partition, shop Shop) (*shopState, *inbox, *history) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.states[p]; h != nil {
		return h, r.inboxes[p], r.histories[p]
	}
	return newShopState(shop, r.metrics, func() {}), new(inbox), &history{since: time.Now().Unix()}
}

// placed sets the lane that a shop's status shows.
func (r *registry) placed(p offsets.Partition, lane int) {
	r.mu.Lock()
	h := r.states[p]
	r.mu.Unlock()
	if h != nil {
		h.placed(lane)
	}
}

// nudge passes an event to the walkers of an app ID.
func (r *registry) nudge(appID, event string, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, h := range r.states {
		if p.Shop == appID && h.mayBring(event) {
			r.inboxes[p].nudge(at)
			h.expect(event, at)
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
	all := make([]ShopStatus, 0, len(r.states))
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
	for _, h := range r.states {
		if h.name() == name {
			s, known = r.status(h), true
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
	for _, h := range r.states {
		show(r.status(h))
	}
}

// status returns the status of a shop. The caller holds mu.
func (r *registry) status(h *shopState) ShopStatus {
	s := h.snapshot()
	s.Away = s.State == StateElsewhere && r.others
	return s
}
