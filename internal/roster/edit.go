package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderwalk/internal/config"
	"orderwalk/internal/desired"
)

// ErrExists is the creation of a shop whose name is taken.
var ErrExists = errors.New("the name is taken")

// ErrUnknown is the change of a shop that was not created.
var ErrUnknown = errors.New("no shop of that name was created")

// OwnError is a change of a shop of the worker's own configuration.
type OwnError struct{ Name string }

func (e *OwnError) Error() string {
	return fmt.Sprintf("shop %s comes from the worker's own configuration, its shops file or its variables: it is changed and deleted there", e.Name)
}

// AuthorizedError is a change of a shop that is walked because it has authorised the
// platform.
type AuthorizedError struct{ Name string }

func (e *AuthorizedError) Error() string {
	return fmt.Sprintf("shop %s is walked because it has authorised the third-party platform: it goes when it withdraws that, and overrides in the shops file change how it is walked", e.Name)
}

// Validate returns everything that is wrong with a configuration, alone or beside the
// shops that there are. secrets reports whether the secrets that it refers to are read
// too: what that says of files is only for those who may create shops.
func (r *Roster) Validate(sent map[string]string, secrets bool) config.ConfigInfos {
	others := r.others(r.cfg.Desired.Created(), sent["name"])
	if !secrets {
		return r.reading().Preview(sent, others)
	}
	_, infos := r.reading().Check(sent, others)
	return infos
}

// Keys are the keys that a configuration may have.
func (r *Roster) Keys() []config.ConfigKeyInfo { return r.reading().Keys() }

func (r *Roster) reading() *config.Connectors {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reader
}

// others are the shops that a shop of this name must fit to.
func (r *Roster) others(configs map[string]map[string]string, name string) []config.Shop {
	name = strings.TrimSpace(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	shops, _ := r.read(configs)
	shops = slices.DeleteFunc(shops, func(s config.Shop) bool { return s.Name == name })
	return append(slices.Clip(slices.Clone(r.own)), shops...)
}

// Create keeps a new shop. Its configuration has its name. It returns ErrExists, an
// *OwnError, an *AuthorizedError, a *config.InvalidError, or an error of desired.Store.Change.
func (r *Roster) Create(ctx context.Context, name string, sent map[string]string, target desired.Target, by string) error {
	return r.edit(ctx, name, func(s desired.Shop, exists bool) (desired.Shop, error) {
		if exists {
			return s, ErrExists
		}
		s = fresh().Aimed(target)
		s.Config, s.By = sent, by
		return s, nil
	})
}

// Put keeps a shop's configuration, and reports whether the shop is new. The errors are
// those of Create without ErrExists.
func (r *Roster) Put(ctx context.Context, name string, sent map[string]string, by string) (isNew bool, err error) {
	err = r.edit(ctx, name, func(s desired.Shop, exists bool) (desired.Shop, error) {
		isNew = !exists
		return replaced(s, exists, sent, by), nil
	})
	return isNew, err
}

// Patch changes keys of a shop's configuration; a nil value removes its key. The errors
// are those of Put and ErrUnknown.
func (r *Roster) Patch(ctx context.Context, name string, changes map[string]*string, by string) error {
	return r.edit(ctx, name, func(s desired.Shop, exists bool) (desired.Shop, error) {
		if !exists {
			return s, ErrUnknown
		}
		return replaced(s, exists, config.Patch(s.Config, changes), by), nil
	})
}

// replaced is a shop with another configuration. If it has failed, it starts again: the
// configuration may have been the reason.
func replaced(s desired.Shop, exists bool, sent map[string]string, by string) desired.Shop {
	if !exists {
		s = fresh()
	}
	s.Config, s.By = sent, by
	return s.Restarted(true)
}

// fresh is a shop that begins. Its restarts are more than those of any shop of the same name
// that was deleted: a worker that hears of both at once starts the shop again.
func fresh() desired.Shop { return desired.Shop{Target: desired.Running, Restarts: time.Now().Unix()} }

// Delete forgets a created shop; what is committed of it stays. It returns an *OwnError,
// an *AuthorizedError, ErrUnknown, or an error of desired.Store.Change.
func (r *Roster) Delete(ctx context.Context, name, by string) error {
	return r.cfg.Desired.Change(ctx, func(v desired.View) ([]desired.Edit, error) {
		if r.Own(name) {
			return nil, &OwnError{name}
		}
		s := v.Of(name)
		if s.Config == nil && r.Authorized(name) {
			return nil, &AuthorizedError{name}
		}
		if s.Config == nil {
			return nil, ErrUnknown
		}
		s.By = by
		return []desired.Edit{{Name: name, Shop: s, Delete: true}}, nil
	})
}

// edit commits what change makes of the latest state of a shop. exists reports whether it
// was created.
func (r *Roster) edit(ctx context.Context, name string, change func(s desired.Shop, exists bool) (desired.Shop, error)) error {
	return r.cfg.Desired.Change(ctx, func(v desired.View) ([]desired.Edit, error) {
		if r.Own(name) {
			return nil, &OwnError{name}
		}
		s := v.Of(name)
		if s.Config == nil && r.Authorized(name) {
			return nil, &AuthorizedError{name}
		}
		s, err := change(s, s.Config != nil)
		if err != nil {
			return nil, err
		}
		s.Config = maps.Clone(s.Config)
		s.Config["name"] = name
		_, infos := r.reading().Check(s.Config, r.others(v.Created(), name))
		if err := infos.Err(); err != nil {
			return nil, err
		}
		return []desired.Edit{{Name: name, Shop: s}}, nil
	})
}

// Has reports whether a shop is known by the worker's configuration, or by the one that is
// walked as long as that cannot be applied, or because it has authorised the platform.
func (r *Roster) Has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, own := r.at[name]
	_, walked := r.walkedAt[name]
	_, authorised := r.authorized.shops[name]
	return own || walked || authorised
}

// Own reports whether a shop is of the worker's own configuration.
func (r *Roster) Own(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, own := r.at[name]
	return own
}
