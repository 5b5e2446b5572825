// Package roster holds the shops that a worker walks: its own, from the shops file or the
// variables; those that were created over HTTP, whose configurations the group keeps
// (internal/desired); and, if the configuration says so, those that have authorised the
// platform (internal/platform).
//
// A shop of the worker's own wins over a created one of the same name, or of the same app
// ID and time range: what an operator has written into a file is what runs. The created
// one stays, is shown as failed with that reason, and can be changed or deleted. Both win
// over an authorised shop: it is walked if no other shop has its app ID.
package roster

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
)

// Config is what a roster needs.
type Config struct {
	Desired *desired.Store
	// Apply replaces the shops that are walked. After an error nothing has changed.
	Apply func(ctx context.Context, shops []config.Shop) error
	// Members lists the app IDs of the shops that have authorised the platform, those
	// that did first at the front, and a channel that is closed when they are others.
	// Nil = there is no platform.
	Members func() (appIDs []string, news <-chan struct{})
	// Log gets created shops that are not walked; nil discards.
	Log *slog.Logger
}

// Roster is one worker's list of shops. Several goroutines may use it.
type Roster struct {
	cfg Config

	applying sync.Mutex // serialises Update

	mu      sync.Mutex
	own     []config.Shop
	at      map[string]int // of own, by name
	reader  *config.Connectors
	version int // of own: counts Load
	created map[string]created
	// applied are the created shops of the latest successful Update, and appliedOwn was
	// the version of own; 0 = there was none yet.
	applied    map[string]map[string]string
	appliedOwn int
	// walked and walkedAt are own and at of that Update: what is walked while a newer list
	// cannot be applied.
	walked   []config.Shop
	walkedAt map[string]int
	idle     map[string]string // why a created shop is not walked, by name
	// rules are for authorised shops; nil = none are walked. appliedMembers are the
	// members of the latest successful Update, and authorized what came of them.
	rules          *config.Authorized
	appliedMembers []string
	authorized     authorized
	said           map[string]string // the reasons that have been logged, by name
}

// created is a created shop's configuration that has been read.
type created struct {
	sent map[string]string
	shop config.Shop
	err  error
}

// New returns the roster of a worker whose own shops are walked already. Created shops are
// added by Update.
func New(cfg Config, own *config.Config) *Roster {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Roster{cfg: cfg, created: map[string]created{}, said: map[string]string{}}
	r.Load(own)
	r.walked, r.walkedAt = r.own, r.at
	return r
}

// Load replaces the worker's own shops. Update applies them.
func (r *Roster) Load(own *config.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = own.Authorized
	r.own, r.reader, r.at = own.Shops, own.Connectors, make(map[string]int, len(own.Shops))
	for i, s := range r.own {
		r.at[s.Name] = i
	}
	r.version++
}

// Update applies the present list of shops, if it is another than before. After an error
// nothing has changed.
func (r *Roster) Update(ctx context.Context) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	configs := r.cfg.Desired.Created()
	r.mu.Lock()
	members := r.members()
	version, same := r.version, r.version == r.appliedOwn && maps.EqualFunc(configs, r.applied, maps.Equal) && slices.Equal(members, r.appliedMembers)
	own, at, rules := r.own, r.at, r.rules
	shops, idle := r.read(configs)
	r.mu.Unlock()
	if same {
		return nil
	}
	all, shadowed := config.Merge(own, shops)
	for _, s := range shadowed {
		idle[s.Name] = s.Reason
	}
	all, chosen := authorize(rules, members, all, configs)
	if err := r.cfg.Apply(ctx, all); err != nil {
		return err
	}
	r.mu.Lock()
	r.applied, r.appliedOwn, r.idle = configs, version, idle
	r.walked, r.walkedAt = own, at
	was := r.authorized
	r.appliedMembers, r.authorized = members, chosen
	r.mu.Unlock()
	r.say(idle)
	r.sayAuthorized(was, chosen)
	return nil
}

// read returns the shops of the configurations that were created, in no order, and why the
// others cannot be walked. The caller holds mu.
func (r *Roster) read(configs map[string]map[string]string) (shops []config.Shop, idle map[string]string) {
	maps.DeleteFunc(r.created, func(name string, _ created) bool { return configs[name] == nil })
	idle = make(map[string]string)
	for name, sent := range configs {
		c := r.stored(name, sent)
		if c.err != nil {
			idle[name] = c.err.Error()
			continue
		}
		shops = append(shops, c.shop)
	}
	return shops, idle
}

// stored reads a created shop's configuration, unless it has been read. The caller holds mu.
func (r *Roster) stored(name string, sent map[string]string) created {
	c, known := r.created[name]
	if !known || !maps.Equal(c.sent, sent) {
		c = created{sent: sent}
		c.shop, c.err = r.reader.Stored(sent)
		c.shop.Name = name
		r.created[name] = c
	}
	return c
}

// Created returns a created shop as it is configured now, which may be another way than it is
// walked. ok = false if no shop of that name was created, or one of the worker's own has it.
func (r *Roster) Created(name string) (s config.Shop, ok bool) {
	sent := r.cfg.Desired.Of(name).Config
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, own := r.at[name]; own || sent == nil {
		return config.Shop{}, false
	}
	return r.stored(name, sent).shop, true
}

// say logs why created shops are not walked, each reason once.
func (r *Roster) say(idle map[string]string) {
	maps.DeleteFunc(r.said, func(name, _ string) bool { return idle[name] == "" })
	for _, name := range slices.Sorted(maps.Keys(idle)) {
		if r.said[name] != idle[name] {
			r.said[name] = idle[name]
			r.cfg.Log.Warn("a shop that was created over HTTP is not walked", "shop", name, "reason", idle[name])
		}
	}
}

// News returns a channel that is closed when the list of authorised shops has changed; nil
// if there is no platform.
func (r *Roster) News() <-chan struct{} {
	if r.cfg.Members == nil {
		return nil
	}
	_, news := r.cfg.Members()
	return news
}

// Leaving are the names of created shops that are walked and have been deleted.
func (r *Roster) Leaving() map[string]bool {
	all := r.cfg.Desired.Created()
	r.mu.Lock()
	defer r.mu.Unlock()
	leaving := make(map[string]bool)
	for name := range r.applied {
		if _, own := r.at[name]; !own && all[name] == nil {
			leaving[name] = true
		}
	}
	return leaving
}

// Idle is a created or authorised shop that is not walked.
type Idle struct {
	// Shop has what is known of it, at least its name.
	Shop config.Shop
	// Reason is why it is not walked; empty = it is about to be.
	Reason string
}

// Idle lists the created and authorised shops that are not walked and whose names no other
// shop has.
func (r *Roster) Idle() []Idle {
	all := r.cfg.Desired.Created()
	r.mu.Lock()
	defer r.mu.Unlock()
	var idle []Idle
	for name, sent := range all {
		reason, known := r.idle[name]
		if _, own := r.at[name]; own || !known && r.applied[name] != nil {
			continue
		}
		idle = append(idle, Idle{r.stored(name, sent).shop, reason})
	}
	for _, a := range slices.Concat(r.authorized.unfit, r.authorized.beyond) {
		named := r.authorized.shops[a.Shop.Name].AppID == a.Shop.AppID
		if _, own := r.at[a.Shop.Name]; named && !own && all[a.Shop.Name] == nil {
			idle = append(idle, a)
		}
	}
	return idle
}

// Config returns a shop's configuration as that of a connector: of a created shop as it
// was sent.
func (r *Roster) Config(name string) (sent map[string]string, ok bool) {
	r.mu.Lock()
	i, own := r.at[name]
	var shop config.Shop
	if own {
		shop = r.own[i]
	}
	other, known := r.authorized.shops[name]
	if i, walked := r.walkedAt[name]; walked && !known {
		other, known = r.walked[i], true
	}
	r.mu.Unlock()
	if own {
		return config.ConnectorConfig(shop), true
	}
	if sent = r.cfg.Desired.Of(name).Config; sent == nil && known {
		return config.ConnectorConfig(other), true
	}
	return sent, sent != nil
}
