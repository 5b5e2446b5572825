package desired

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/txn"
)

// writer is the name of the transactional ID of all changes.
const writer = "desired"

// attempts is how often Change decides again because another worker was faster. Workers
// that change something at the same time take turns, so a conflict is rare.
const attempts = 6

// lagging is more than this worker's view of the log is behind another worker's commit.
const lagging = time.Second

// ErrConflict is returned by Change when other workers kept changing the state, or may
// have changed the same shop right after a change whose outcome was unknown. Nothing more
// is known than Of tells afterwards.
var ErrConflict = errors.New("another worker changes the desired state at the same time")

// View is the latest desired state, in a decision.
type View struct{ shops map[string]Shop }

// Of returns what is wanted of a shop.
func (v View) Of(name string) Shop { return of(v.shops, name) }

// Created returns the configurations of the shops that were created over HTTP and not
// deleted since, by name.
func (v View) Created() map[string]map[string]string { return configsOf(v.shops) }

// Edit is one changed shop.
type Edit struct {
	Name   string
	Shop   Shop // its At is set when it is committed
	Delete bool // forgets the shop: it is as if never changed or created
}

// Change commits the edits that decide returns for the latest desired state, all or none.
// They are committed also if they say what is wanted already: that ends the changes of
// other workers that are under way. After ctx has ended, as of a caller that has gone,
// nothing is committed any more.
//
// decide must have no effects: it is called again if another worker was faster. Its error
// for the latest state is returned as it is, and nothing is changed. After nil, this worker's Of and
// All show the change, and so will every worker's within a moment.
//
// It returns grouplog.ErrNotYet until the log's partition is known, and ErrConflict.
// After any other error the outcome is unknown.
func (s *Store) Change(ctx context.Context, decide func(View) ([]Edit, error)) error {
	change, arrived := rand.Text(), time.Now()
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	pause := backoff.New(10*time.Millisecond, 200*time.Millisecond)
	var decided, unsettled *doubt
	for range attempts {
		held := s.owner != nil
		if err := s.open(ctx); errors.Is(err, txn.ErrFenced) { // another worker opens it at the same time
			if err := pause.Sleep(ctx); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return fmt.Errorf("open the desired state: %w", err)
		}
		if unsettled != nil {
			switch settled := s.settle(unsettled, change); settled {
			case committed:
				return nil
			case replaced:
				return ErrConflict
			}
			unsettled = nil
		}
		view, changes := s.view()
		edits, err := decide(view)
		if err != nil || len(edits) == 0 {
			if !held {
				return err
			}
			// No commit will show whether the state was the latest.
			s.owner = nil
			continue
		}
		before := changesOf(edits, changes)
		if decided != nil && !maps.Equal(*decided, *before) {
			return ErrConflict // of two changes at the same time the later one is not known
		}
		if !held || time.Since(arrived) > lagging {
			decided = before
		}
		if err := ctx.Err(); err != nil {
			return err // the caller has gone: nothing may come after what it does next
		}
		owner := s.owner
		if err = txn.Detached(ctx, func(ctx context.Context) error { return owner.Commit(ctx, entries(edits, change)...) }); err == nil {
			if err = s.log.CatchUp(ctx); err != nil {
				s.owner = nil // so that the next Change reads it
			}
			return err
		}
		s.owner = nil
		switch {
		case errors.Is(err, txn.ErrInDoubt):
			unsettled = before
		case !errors.Is(err, txn.ErrFenced):
			return fmt.Errorf("commit the desired state: %w", err)
		}
		if err := backoff.Sleep(ctx, pause.Next()); err != nil {
			return err
		}
	}
	return ErrConflict
}

// open makes this worker the writer, unless it still is as far as it knows, and reads
// what is committed.
func (s *Store) open(ctx context.Context) error {
	if s.owner != nil {
		return nil // what is committed since is this worker's own, or the commit is fenced
	}
	if err := s.log.Found(); err != nil {
		return err
	}
	// Before anything is read: a transaction that a frozen writer has left open ends
	// with that, and the reading would wait for its end.
	owner, err := s.log.Own(ctx, writer)
	if err != nil {
		return err
	}
	if err := s.log.CatchUp(ctx); err != nil {
		return err
	}
	s.owner = owner
	return nil
}

// doubt is what the edited shops' last changes were before a commit whose outcome is not
// known.
type doubt map[string]string

func changesOf(edits []Edit, changes map[string]string) *doubt {
	before := make(doubt, len(edits))
	for _, e := range edits {
		before[e.Name] = changes[e.Name]
	}
	return &before
}

// view returns the latest desired state, and the last change of each shop in it.
func (s *Store) view() (View, map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return View{maps.Clone(s.shops)}, maps.Clone(s.changes)
}

// outcome of a commit that was in doubt.
type outcome int

const (
	aborted   outcome = iota
	committed         // and no other worker has changed these shops since
	replaced          // another worker has changed one of them since, if not before
)

// settle returns the outcome of a commit, after open has settled it.
func (s *Store) settle(before *doubt, change string) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	same, ours := 0, 0
	for name, was := range *before {
		switch s.changes[name] {
		case was:
			same++
		case change:
			ours++
		}
	}
	switch len(*before) {
	case ours:
		return committed
	case same:
		return aborted
	}
	return replaced
}

func entries(edits []Edit, change string) []grouplog.Entry {
	now := time.Now().Unix()
	out := make([]grouplog.Entry, len(edits))
	for i, e := range edits {
		e.Shop.At = now
		out[i] = grouplog.Entry{Name: grouplog.Name{Shop: e.Name, Kind: kindShop}, Value: e.Shop.encode(change, e.Delete)}
	}
	return out
}
