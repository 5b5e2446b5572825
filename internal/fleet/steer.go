package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"orderwalk/internal/desired"
	"orderwalk/internal/grouplog"
)

// Steer sets what is wanted of shops: all of them, or none after an error. by is who asked
// for it. Shops are given by name or by app ID, which stands for all of its ranges. After nil
// the change is committed, and every worker follows within a moment.
func (f *Fleet) Steer(ctx context.Context, target desired.Target, by string, names ...string) error {
	_, err := f.change(ctx, f.given(names), aimed(target, by))
	return err
}

// SteerAll is Steer for all shops that there are. It returns how many.
func (f *Fleet) SteerAll(ctx context.Context, target desired.Target, by string) (int, error) {
	return f.change(ctx, f.every, aimed(target, by))
}

// Restart starts shops again from what is committed; with onlyFailed those that failed or
// wait for the vendor.
func (f *Fleet) Restart(ctx context.Context, onlyFailed bool, by string, names ...string) error {
	_, err := f.change(ctx, f.given(names), restarted(onlyFailed, by))
	return err
}

// RestartAll is Restart for all shops that there are. It returns how many.
func (f *Fleet) RestartAll(ctx context.Context, onlyFailed bool, by string) (int, error) {
	return f.change(ctx, f.every, restarted(onlyFailed, by))
}

func aimed(target desired.Target, by string) func(desired.Shop) desired.Shop {
	return func(s desired.Shop) desired.Shop {
		s.By = by
		return s.Aimed(target)
	}
}

func restarted(onlyFailed bool, by string) func(desired.Shop) desired.Shop {
	return func(s desired.Shop) desired.Shop {
		s.By = by
		return s.Restarted(onlyFailed)
	}
}

// change edits what is wanted of the shops that choose names, of those that there are by the
// latest state: app IDs by name.
func (f *Fleet) change(ctx context.Context, choose func(there map[string]string) ([]string, error), edit func(desired.Shop) desired.Shop) (n int, err error) {
	err = f.desired.Change(ctx, func(v desired.View) ([]desired.Edit, error) {
		names, err := choose(f.there(v.Created()))
		if err != nil {
			return nil, err
		}
		n = len(names)
		edits := make([]desired.Edit, n)
		for i, name := range names {
			edits[i] = desired.Edit{Name: name, Shop: edit(v.Of(name))}
		}
		return edits, nil
	})
	if errors.Is(err, grouplog.ErrNotYet) {
		return 0, ErrStarting
	}
	if err == nil {
		f.steer() // this worker need not wait for the news
	}
	return n, err
}

// there lists the shops that there are, if these were created: the app IDs by name. Of the
// created ones this worker may know others, or with other app IDs.
func (f *Fleet) there(created map[string]map[string]string) map[string]string {
	there := make(map[string]string)
	for s := range f.shops() {
		if f.cfg.Roster.Has(s.Name) {
			there[s.Name] = s.AppID
		}
	}
	for name, sent := range created {
		if !f.cfg.Roster.Own(name) {
			there[name] = strings.TrimSpace(sent["app_id"])
		}
	}
	return there
}

// every chooses all shops that there are.
func (f *Fleet) every(there map[string]string) ([]string, error) {
	return slices.Sorted(maps.Keys(there)), nil
}

// given chooses the shops that words name: by name, or by app ID all of its ranges.
func (f *Fleet) given(words []string) func(there map[string]string) ([]string, error) {
	return func(there map[string]string) (names []string, err error) {
		byID := make(map[string][]string)
		for name, appID := range there {
			byID[appID] = append(byID[appID], name)
		}
		for _, word := range words {
			_, named := there[word]
			switch {
			case named:
				names = append(names, word)
			case byID[word] != nil:
				names = append(names, byID[word]...)
			default:
				return nil, &UnknownError{word}
			}
		}
		return names, nil
	}
}

// latest reads what is committed, and reports whether it did.
func (f *Fleet) latest(ctx context.Context) bool { return f.desired.CatchUp(ctx) == nil }
