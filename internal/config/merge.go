package config

import (
	"cmp"
	"maps"
	"slices"
)

// Shadowed is a shop that is not walked, because an earlier one excludes it.
type Shadowed struct {
	// Name is the shop's name, and By that of the shop that excludes it.
	Name, By string
	// Reason says why, and what to change.
	Reason string
}

// Merge returns the shops to walk: those of the shops file or the variables, and those
// that were created over HTTP. The file wins: a created shop with the name, or the app ID
// and time range, of a shop of the file is shadowed, and so is one that needs another auth
// or rate limit for the same app ID. Of two created shops, the first by name wins. All
// workers with the same shops come to the same result.
func Merge(file, created []Shop) (all []Shop, shadowed []Shadowed) {
	created = slices.SortedStableFunc(slices.Values(created), func(a, b Shop) int { return cmp.Compare(a.Name, b.Name) })
	r := mergeRoster(slices.Clip(file)) // created ones are appended to a copy
	for i := range file {
		r.add(i)
	}
	for _, s := range created {
		i := len(r.shops)
		r.shops = append(r.shops, s)
		if found := r.of(i); len(found) > 0 {
			c := found[0]
			shadowed = append(shadowed, Shadowed{s.Name, r.shops[c.with].Name, Fault{Where: c.field, Problem: c.problem, Allowed: c.allowed}.String()})
			r.shops = r.shops[:i]
			continue
		}
		r.add(i)
	}
	return r.shops, shadowed
}

// mergeRoster is a roster of shops that are known by name.
func mergeRoster(shops []Shop) *roster {
	r := newRoster(nil)
	r.shops = shops
	r.named = func(int) bool { return true }
	r.place = func(i int) string { return "shop " + appID(r.shops[i].Name) }
	return r
}

// of returns all conflicts of a shop with those that were added.
func (r *roster) of(i int) []conflict {
	found, _ := r.identity(i)
	return append(found, r.authorization(i)...)
}

func (r *roster) add(i int) {
	r.addIdentity(i)
	r.addAuthorization(i)
}

// Patch returns a configuration with the changes: a nil value removes its key. It changes
// neither of the two.
func Patch(config map[string]string, changes map[string]*string) map[string]string {
	patched := make(map[string]string, len(config)+len(changes))
	maps.Copy(patched, config)
	for key, value := range changes {
		if value == nil {
			delete(patched, key)
		} else {
			patched[key] = *value
		}
	}
	return patched
}
