package roster

import (
	"fmt"

	"orderwalk/internal/config"
)

// authorized is what came of the shops that have authorised the platform.
type authorized struct {
	// shops are those that are walked, and those that should be, by name. A name that two
	// would have is that of the first.
	shops map[string]config.Shop
	// unfit are those that do not fit to another shop, beyond those over the limit.
	unfit, beyond []Idle
	limit         int
	walked        int
	excluded      int // by the shops file
}

// Counts are the shops that have authorised the platform and that the shops file does not
// list.
type Counts struct{ Walked, Unfit, Beyond, Excluded int }

// Counts counts them.
func (r *Roster) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.authorized.counts()
}

func (a authorized) counts() Counts {
	return Counts{Walked: a.walked, Unfit: len(a.unfit), Beyond: len(a.beyond), Excluded: a.excluded}
}

// authorize adds to the shops those of the members that the rules let in, in the order of
// the members up to the limit. A member that another shop's configuration has is that
// shop's, also if that one cannot be walked. All workers with the same configuration and
// the same members come to the same result.
func authorize(rules *config.Authorized, members []string, shops []config.Shop, created map[string]map[string]string) ([]config.Shop, authorized) {
	out := authorized{shops: make(map[string]config.Shop)}
	if rules == nil {
		return shops, out
	}
	out.limit = rules.Limit
	taken := make(map[string]bool, len(shops)+len(created))
	for _, s := range shops {
		taken[s.AppID] = true
	}
	for _, sent := range created {
		taken[sent["app_id"]] = true
	}
	var chosen []config.Shop
	for _, appID := range members {
		s, err := rules.Shop(appID)
		other, named := out.shops[s.Name]
		switch {
		case taken[appID]:
			continue
		case rules.Excluded(appID):
			out.excluded++
			continue
		case err != nil:
			out.unfit = append(out.unfit, Idle{s, err.Error()})
		case named:
			out.unfit = append(out.unfit, Idle{s, fmt.Sprintf("its name %q is that of the shop with the app ID %s: give another name in overrides", s.Name, other.AppID)})
			continue
		case len(chosen) == rules.Limit:
			out.beyond = append(out.beyond, Idle{s, fmt.Sprintf("more shops have authorised the platform than the limit of %d in the shops file: those that did last are not walked", rules.Limit)})
		default:
			chosen = append(chosen, s)
		}
		out.shops[s.Name] = s
	}
	all, shadowed := config.Merge(shops, chosen)
	out.walked = len(all) - len(shops)
	for _, s := range shadowed {
		out.unfit = append(out.unfit, Idle{out.shops[s.Name], s.Reason})
	}
	return all, out
}

// Choose adds to a worker's own shops those of the members that it would walk, if no shop
// was created over HTTP.
func Choose(own *config.Config, members []string) (all []config.Shop, counts Counts) {
	all, chosen := authorize(own.Authorized, members, own.Shops, nil)
	return all, chosen.counts()
}

// members are the shops that have authorised the platform, if they are walked. The caller
// holds mu.
func (r *Roster) members() []string {
	if r.rules == nil || r.cfg.Members == nil {
		return nil
	}
	members, _ := r.cfg.Members()
	return members
}

// Authorized reports whether a shop is known because it has authorised the platform.
func (r *Roster) Authorized(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.authorized.shops[name]
	return ok
}

// Follows reports whether shops that authorise the platform are walked.
func (r *Roster) Follows() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules != nil
}

// sayAuthorized logs which authorised shops are not walked, when that changes.
func (r *Roster) sayAuthorized(was, now authorized) {
	over, had := len(now.beyond), len(was.beyond)
	switch {
	case over > 0 && (over != had || now.limit != was.limit):
		r.cfg.Log.Error("more shops have authorised the platform than the limit in the shops file: those that did last are not walked",
			"limit", now.limit, "not_walked", over, "do", "raise limit in the shops file, or exclude shops there")
	case over == 0 && had > 0:
		r.cfg.Log.Info("the shops that have authorised the platform are within the limit again", "limit", now.limit)
	}
	said := make(map[string]string, len(was.unfit))
	for _, i := range was.unfit {
		said[i.Shop.AppID] = i.Reason
	}
	for _, i := range now.unfit {
		if said[i.Shop.AppID] != i.Reason {
			r.cfg.Log.Warn("a shop that has authorised the platform is not walked", "shop", i.Shop.Name, "app_id", i.Shop.AppID, "reason", i.Reason)
		}
	}
}
