package fleet

import (
	"context"
	"errors"

	"orderwalk/internal/desired"
	"orderwalk/internal/grouplog"
)

// Steer sets what is wanted of shops: all of them, or none after an error. by is who asked
// for it. After nil the change is committed, and every worker follows within a moment.
func (f *Fleet) Steer(ctx context.Context, target desired.Target, by string, names ...string) error {
	return f.change(ctx, names, func(s desired.Shop) desired.Shop {
		s.By = by
		return s.Aimed(target)
	})
}

// Restart starts shops again from what is committed; with onlyFailed those that failed.
func (f *Fleet) Restart(ctx context.Context, onlyFailed bool, by string, names ...string) error {
	return f.change(ctx, names, func(s desired.Shop) desired.Shop {
		s.By = by
		return s.Restarted(onlyFailed)
	})
}

// change edits what is wanted of some shops.
func (f *Fleet) change(ctx context.Context, names []string, edit func(desired.Shop) desired.Shop) error {
	names, err := f.resolve(ctx, names)
	if err != nil {
		return err
	}
	err = f.desired.Change(ctx, func(v desired.View) ([]desired.Edit, error) {
		var edits []desired.Edit
		created := v.Created()
		for _, name := range names {
			if created[name] == nil && !f.cfg.Roster.Own(name) && !f.cfg.Roster.Authorized(name) {
				return nil, &UnknownError{name} // deleted in between
			}
			edits = append(edits, desired.Edit{Name: name, Shop: edit(v.Of(name))})
		}
		return edits, nil
	})
	if errors.Is(err, grouplog.ErrNotYet) {
		return ErrStarting
	}
	if err == nil {
		f.steer() // this worker need not wait for the news
	}
	return err
}

// resolve returns the names of shops that are given by name or by app ID, which stands for
// all of its ranges. A shop that is not known may have been created at another worker a
// moment ago: then the latest state is read.
func (f *Fleet) resolve(ctx context.Context, given []string) ([]string, error) {
	out, err := f.lookUp(given)
	if err != nil && f.latest(ctx) {
		out, err = f.lookUp(given)
	}
	return out, err
}

func (f *Fleet) lookUp(given []string) ([]string, error) {
	names := make(map[string]bool)
	byID := make(map[string][]string)
	for s := range f.shops() {
		names[s.Name] = true
		byID[s.AppID] = append(byID[s.AppID], s.Name)
	}
	var out []string
	for _, g := range given {
		switch {
		case names[g]:
			out = append(out, g)
		case byID[g] != nil:
			out = append(out, byID[g]...)
		default:
			return nil, &UnknownError{g}
		}
	}
	return out, nil
}

// latest reads what is committed, and reports whether it did.
func (f *Fleet) latest(ctx context.Context) bool { return f.desired.CatchUp(ctx) == nil }
