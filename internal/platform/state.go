package platform

import (
	"context"
	"log/slog"
	"time"

	"orderwalk/internal/grouplog"
)

// Config configures a platform's State.
type Config struct {
	Log *grouplog.Log
	// Keys are the state keys; nil if there is nothing to seal.
	Keys Keys
	// Component is the platform's app ID.
	Component string
	// OnProblem, if any, is called when a shop has lost its tokens, so that a waiting
	// walker notices. It must not block.
	OnProblem func(shop string, at time.Time)
	Logger    *slog.Logger // nil discards
}

// oddClock is how far ahead a time must be to have come from a clock that was wrong.
const oddClock = 10 * time.Minute

// State is the group's knowledge of a platform: its ticket and token, the tokens of the
// shops that have authorised it, and changes of their authorisations. Several goroutines
// may call its methods.
type State struct {
	cfg   Config
	store *store
}

// New returns a state that receives the log's records from now on.
func New(cfg Config) *State {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &State{cfg: cfg, store: newStore(cfg.Log.Group(), cfg.Keys, cfg.Logger, cfg.OnProblem)}
	cfg.Log.On(s.store.add, kindTicket, kindToken, kindTokens, kindAuthorized, kindRefused, kindMember, kindPass)
	return s
}

// Watch retries unreadable records until ctx ends: the state keys may have changed on
// another worker before they did here.
func (s *State) Watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.store.retryUnread()
		}
	}
}

// Ticket posts a verify ticket of that time. The zero time means that the caller knows it
// to be the latest, independent of clocks. A ticket that this machine's clock, or another
// worker's, dated far ahead does not keep those from counting that the vendor pushes.
func (s *State) Ticket(ctx context.Context, ticket string, at time.Time) error {
	if err := s.cfg.Log.Latest(ctx); err != nil {
		return err
	}
	known, _ := s.store.snapshot()
	switch {
	case at.IsZero():
		at = time.Unix(max(time.Now().Unix(), known.ticket.at), 0)
	case at.Unix() < known.ticket.at && time.Until(time.Unix(known.ticket.at, 0)) < oddClock:
		return nil // a late one
	}
	return s.post(ctx, record{name: s.of("", kindTicket), value: value{At: at.Unix(), Given: known.ticket.given}, text: []byte(ticket)})
}

// Authorization posts that a shop's authorisation has changed; code is valid until
// expires, and is empty if the authorisation was revoked.
func (s *State) Authorization(ctx context.Context, shop, change, code string, expires, at time.Time) error {
	if err := s.cfg.Log.Latest(ctx); err != nil {
		return err
	}
	if t, _ := s.store.shop(shop); at.Unix() < t.changedAt {
		return nil // a late one must not undo later changes
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
