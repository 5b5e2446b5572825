package platform

import (
	"cmp"
	"slices"
	"time"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
)

// listLag is how old a pushed change must be for the vendor's list to count more: the list
// may show an earlier state for a while.
const listLag = 10 * time.Minute

// membership is whether a shop counts as one that has authorised the platform. The keeper
// decides it from the pushed changes and the vendor's list, and stores it: so all workers
// have the same set of shops, which survives them.
type membership struct {
	in bool
	// since is when the shop began to count, unix seconds. It stays when the shop
	// authorises the platform again.
	since int64
	// at is when the shop authorised the platform, by the vendor's clock, as far as it is
	// known: a withdrawal of an earlier time does not count.
	at int64
	// told is the fingerprint of the pushed changes that the decision covers.
	told string
}

// record returns the membership's record.
func (m membership) record(n func(shop string, kind grouplog.Kind) grouplog.Name, shop string) record {
	change := unauthorized
	if m.in {
		change = authorized
	}
	return record{name: n(shop, kindMember), value: value{At: m.at, Since: m.since, Change: change, Known: m.told}}
}

// pushed returns the membership by the pushed changes, and whether it differs from the
// stored one. Of two changes in one second the order is unknown: the shop counts, since
// that harms nothing, and the list corrects it.
func (t authorizedShop) pushed() (m membership, differs bool) {
	m = t.member
	if t.told == m.told || t.change == "" { // none, covered, or a record that cannot be read
		return m, false
	}
	m.told = t.told
	switch {
	case t.change != unauthorized && !m.in && t.changedAt <= m.at:
		// It joined by this change already, and the list has removed it since. The change
		// differs because its code cannot be read any more.
	case t.change != unauthorized:
		m = m.joined(t.changedAt, t.changedAt)
	case t.changedAt > m.at:
		m.in = false
	}
	return m, true
}

// joined returns the membership of a shop that has authorised the platform.
func (m membership) joined(since, at int64) membership {
	if !m.in {
		m.in, m.since = true, since
	}
	m.at = max(m.at, at)
	return m
}

// pass is the vendor's list of all shops that have authorised the platform.
type pass struct {
	began time.Time // by the vendor's clock
	// told are the changes of each shop that had been pushed by then.
	told  map[string]string
	shops map[string]wechat.Authorizer
	// whole reports that no shop can be missing because others moved between pages.
	whole bool
	// failure is why the list was not read to its end; nil = it was.
	failure error
}

// listed returns the memberships that differ by the list from the stored ones. missing are
// the members that it lacks. A member has withdrawn its authorisation only if it is in
// missed too, the missing ones of the pass before. If the list lacks most members, it may be
// wrong: then only those have that the vendor refuses tokens, and doubted counts the others. Of
// a shop with a change that was pushed since the pass began, or shortly before, the list says
// nothing.
func (s state) listed(p pass, missed map[string]bool) (changed map[string]membership, missing map[string]bool, doubted int) {
	changed, missing = make(map[string]membership), make(map[string]bool)
	members := 0
	for shop, listed := range p.shops {
		t := s.shops[shop]
		if t.member.in || t.told != p.told[shop] {
			continue
		}
		at := int64(0)
		if !listed.AuthorizedAt.IsZero() && !listed.AuthorizedAt.After(p.began) {
			at = listed.AuthorizedAt.Unix()
		}
		if t.told == "" || at > t.changedAt || p.settled(t) {
			m := t.member.joined(cmp.Or(at, p.began.Unix()), at)
			m.told = t.told
			changed[shop] = m
		}
	}
	for shop, t := range s.shops {
		if !t.member.in {
			continue
		}
		members++
		if _, listed := p.shops[shop]; !listed && p.whole && t.told == p.told[shop] && (t.told == "" || p.settled(t)) {
			missing[shop] = true
		}
	}
	most := 2*len(missing) > members
	for shop := range missing {
		switch t := s.shops[shop]; {
		case most && !t.deprived():
			doubted++
		case missed[shop]:
			m := t.member
			m.in, m.told = false, t.told
			changed[shop] = m
		}
	}
	return changed, missing, doubted
}

// deprived reports that the vendor has refused the shop's tokens because it has not
// authorised the platform.
func (t authorizedShop) deprived() bool {
	return t.errcode == revokedCode || t.errcode == refreshRefused
}

// settled reports whether the list covers the last pushed change of a shop.
func (p pass) settled(t authorizedShop) bool {
	return !p.began.Before(time.Unix(t.changedAt, 0).Add(listLag))
}

// members lists the shops that count, those that began first at the front.
func (s state) members() []string {
	var all []string
	for shop, t := range s.shops {
		if t.member.in {
			all = append(all, shop)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.shops[a].member.since, s.shops[b].member.since), cmp.Compare(a, b))
	})
	return all
}

// Members lists the app IDs of the shops that have authorised the platform, those that did
// first at the front, and a channel that is closed when the list has changed. The caller
// must not change the list.
func (s *State) Members() (appIDs []string, news <-chan struct{}) { return s.store.membersNow() }

// Wake makes the keeper look at its configuration: there are other shops.
func (s *State) Wake() { s.store.wake() }
