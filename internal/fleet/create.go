package fleet

import (
	"context"
	"errors"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/roster"
)

// Create creates a shop. It returns roster's errors, ErrStarting, or those of
// desired.Store.Change. After nil the change is committed and all calls show it; every
// worker follows within a moment.
func (f *Fleet) Create(ctx context.Context, name string, sent map[string]string, target desired.Target, by string) error {
	return f.created(name, f.cfg.Roster.Create(ctx, name, sent, target, by))
}

// Configure creates a shop or changes its configuration, and reports whether it is new.
func (f *Fleet) Configure(ctx context.Context, name string, sent map[string]string, by string) (isNew bool, err error) {
	isNew, err = f.cfg.Roster.Put(ctx, name, sent, by)
	return isNew, f.created(name, err)
}

// Patch changes keys of a created shop's configuration; nil removes a key.
func (f *Fleet) Patch(ctx context.Context, name string, changes map[string]*string, by string) error {
	return f.created(name, f.cfg.Roster.Patch(ctx, name, changes, by))
}

// Delete deletes a created shop. What is committed of it stays, and so do its orders.
func (f *Fleet) Delete(ctx context.Context, name, by string) error {
	return f.created(name, f.cfg.Roster.Delete(ctx, name, by))
}

// Validate returns everything that is wrong with a configuration.
func (f *Fleet) Validate(sent map[string]string, secrets bool) config.ConfigInfos {
	return f.cfg.Roster.Validate(sent, secrets)
}

// Keys are the keys that a configuration may have.
func (f *Fleet) Keys() []config.ConfigKeyInfo { return f.cfg.Roster.Keys() }

// created is the error of a change of a created shop that returned err.
func (f *Fleet) created(name string, err error) error {
	switch {
	case errors.Is(err, grouplog.ErrNotYet):
		return ErrStarting
	case errors.Is(err, roster.ErrUnknown):
		return &UnknownError{name}
	}
	return err
}
