package desired

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/txn"
)

// Config locates a store.
type Config struct {
	Log *grouplog.Log
	// Logger gets records that cannot be read; nil discards.
	Logger *slog.Logger
}

// Store is one worker's view of the desired state. Several goroutines may use it.
type Store struct {
	log    *grouplog.Log
	logger *slog.Logger

	changing chan struct{} // full while a change is being made; guards owner
	owner    *grouplog.Owner

	mu      sync.Mutex
	shops   map[string]Shop   // without those that are as if never changed
	changes map[string]string // the change of each shop's last record, by name
	news    chan struct{}     // closed, and replaced, when shops has changed
}

// New returns a store. It reads records that the log delivers; call it before the log is
// followed.
func New(cfg Config) *Store {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{log: cfg.Log, logger: cfg.Logger, changing: make(chan struct{}, 1), shops: make(map[string]Shop), changes: make(map[string]string), news: make(chan struct{})}
	s.log.On(s.deliver, kindShop)
	return s
}

func (s *Store) deliver(r grouplog.Record) {
	shop, change, deleted, ok := decode(r.Value)
	if !ok {
		s.logger.Warn("cannot read the desired state of a shop; it stays as it was", "shop", r.Name.Shop)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[r.Name.Shop] = change
	old, had := s.shops[r.Name.Shop]
	if deleted {
		delete(s.shops, r.Name.Shop)
	} else {
		s.shops[r.Name.Shop] = shop
	}
	if had == deleted || !deleted && !old.Equal(shop) {
		close(s.news)
		s.news = make(chan struct{})
	}
}

// Of returns what is wanted of a shop. A shop that was never changed is Running.
func (s *Store) Of(name string) Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of(s.shops, name)
}

func of(shops map[string]Shop, name string) Shop {
	if shop, ok := shops[name]; ok {
		return shop
	}
	return Shop{Target: Running}
}

// All returns the shops that were ever changed or created and not deleted since, by name.
func (s *Store) All() map[string]Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.shops)
}

// Created returns the configurations of the shops that were created over HTTP and not
// deleted since, by name.
func (s *Store) Created() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return configsOf(s.shops)
}

func configsOf(shops map[string]Shop) map[string]map[string]string {
	configs := make(map[string]map[string]string)
	for name, s := range shops {
		if s.Config != nil {
			configs[name] = s.Config
		}
	}
	return configs
}

// News returns a channel that is closed at the next change of All.
func (s *Store) News() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

// stuck is how long a reading waits for an open transaction before CatchUp ends it, if
// it is a change's.
const stuck = 3 * time.Second

// CatchUp reads all changes committed so far. It returns grouplog.ErrNotYet until the
// log's partition is known. A worker that died while it committed a change has left a
// transaction open: this one ends it, as the next change would.
func (s *Store) CatchUp(ctx context.Context) error {
	if err := s.log.Found(); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, stuck)
	defer cancel()
	if err := s.log.CatchUp(soon); err == nil || soon.Err() == nil || ctx.Err() != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.owner = nil
	_, err := s.log.Own(ctx, writer)
	s.unlock()
	if err != nil && !errors.Is(err, txn.ErrFenced) { // another worker has ended it
		return err
	}
	return s.log.CatchUp(ctx) // a lane's transaction ends when the lane opens again
}

// lock waits for the change that is being made.
func (s *Store) lock(ctx context.Context) error {
	select {
	case s.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) unlock() { <-s.changing }
