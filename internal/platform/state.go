package platform

import (
	"context"
	"log/slog"
	"time"

	"orderwalk/internal/grouplog"
)

// Config says which platform's state it is, and where it is kept.
type Config struct {
	Log *grouplog.Log
	// Keys are the state keys; nil if there is nothing to seal.
	Keys Keys
	// Component is the platform's app ID.
	Component string
	// OnProblem, if any, hears of a shop that has lost its tokens, so that a walk at
	// rest finds out. It must not block.
	OnProblem func(shop string, at time.Time)
	Logger    *slog.Logger // nil discards
}

// State is what the group knows of a platform: its ticket and its token, those of
// the shops that have authorised it, and what has changed of their authorisations.
// Its methods may be called by several goroutines.
type State struct {
	cfg   Config
	store *store
}

// New makes a state that knows what the log delivers from then on.
func New(cfg Config) *State {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &State{cfg: cfg, store: newStore(cfg.Log.Group(), cfg.Keys, cfg.Logger, cfg.OnProblem)}
	cfg.Log.On(s.store.add, kindTicket, kindToken, kindTokens, kindAuthorized, kindRefused)
	return s
}

// Watch tries again, until ctx ends, what could not be read: the state keys may have
// changed elsewhere before they did here.
func (s *State) Watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.store.again()
		}
	}
}

// Ticket posts a verify ticket of that time; of the zero time if somebody has
// given it who says that it is the latest, whatever the clocks say.
func (s *State) Ticket(ctx context.Context, ticket string, at time.Time) error {
	if err := s.cfg.Log.Latest(ctx); err != nil {
		return err
	}
	known, _ := s.store.snapshot()
	switch {
	case at.IsZero():
		at = time.Unix(max(time.Now().Unix(), known.ticket.at), 0)
	case at.Unix() < known.ticket.at:
		return nil // one that came late
	}
	return s.post(ctx, record{name: s.of("", kindTicket), value: value{At: at.Unix(), Given: known.ticket.given}, text: []byte(ticket)})
}

// Authorization posts that a shop's authorisation has changed; code, which is
// good until expires, is empty if it was taken back.
func (s *State) Authorization(ctx context.Context, shop, change, code string, expires, at time.Time) error {
	if err := s.cfg.Log.Latest(ctx); err != nil {
		return err
	}
	if t, _ := s.store.shop(shop); at.Unix() < t.changedAt {
		return nil // one that came late must not undo what came since
	}
	r := record{name: s.of(shop, kindAuthorized), value: value{At: at.Unix(), Change: change}}
	if code != "" {
		r.text = []byte(code)
	}
	if !expires.IsZero() {
		r.value.Expires = expires.Unix()
	}
	return s.post(ctx, r)
}

func (s *State) of(shop string, kind grouplog.Kind) grouplog.Name {
	return grouplog.Name{Component: s.cfg.Component, Shop: shop, Kind: kind}
}

// post seals a record and posts it.
func (s *State) post(ctx context.Context, r record) error {
	e, err := r.entry(s.cfg.Log.Group(), s.cfg.Keys)
	if err != nil {
		return err
	}
	return s.cfg.Log.Post(ctx, e)
}
