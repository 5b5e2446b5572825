package config

import (
	"fmt"
	"strings"
)

// roster holds the values that two shops must not share, each with the first shop that
// has it, by its number in shops.
type roster struct {
	// place names a shop in the conflicts of others.
	place func(i int) string
	shops []Shop
	// named reports whether a shop sets a name; its name is its app ID otherwise.
	named func(i int) bool

	sources            map[source]int
	names, rates       map[string]int // by name, by app ID
	auths, cloudTokens map[string]int // by app ID, by file
	servers            map[tokenRequest]int
	open               int // the first shop with auth cloud_open; -1 = none
}

// source is what a shop reads.
type source struct{ appID, timeRange string }

// conflict is a value of a shop that excludes it beside an earlier one.
type conflict struct {
	// with is the number of the earlier shop.
	with int
	// field is the field of the value; empty = the shop as a whole.
	field, problem, allowed string
}

func newRoster(place func(i int) string) *roster {
	return &roster{place: place, sources: map[source]int{}, names: map[string]int{}, rates: map[string]int{},
		auths: map[string]int{}, cloudTokens: map[string]int{}, servers: map[tokenRequest]int{}, open: -1}
}

// identity returns the conflicts of a shop's name, source and rate limit. taken reports
// that another shop has its source; its other values are not compared then.
func (r *roster) identity(i int) (found []conflict, taken bool) {
	s := r.shops[i]
	if first, ok := r.sources[source{s.AppID, s.TimeRange}]; ok {
		return []conflict{{first, "app_id", fmt.Sprintf("%s is walked by %s in %s already", appID(s.AppID), s.TimeRange, r.place(first)),
			"list each app ID once for each time_range"}}, true
	}
	if first, ok := r.names[s.Name]; ok {
		c := conflict{first, "name", fmt.Sprintf("%s is already the name of %s", appID(s.Name), r.place(first)), "give each shop a unique name"}
		switch {
		case !r.named(i) && !r.named(first):
			c.field = ""
			c.problem = fmt.Sprintf("would have the name %s of %s: the name of a shop defaults to its app ID", appID(s.Name), r.place(first))
			c.allowed = "give one of them a name, such as " + s.Name + "-" + strings.TrimSuffix(s.TimeRange, "_time")
		case !r.named(i) || !r.named(first):
			c.problem = fmt.Sprintf("%s is also the name of %s: the name of a shop defaults to its app ID", appID(s.Name), r.place(first))
		}
		found = append(found, c)
	}
	if first, ok := r.rates[s.AppID]; ok && r.shops[first].RateLimit != s.RateLimit {
		found = append(found, conflict{first, "rate_limit", fmt.Sprintf("differs from that of %s, which has the same app ID", r.place(first)),
			"give both the same: the limit belongs to the app ID"})
	}
	return found, false
}

func (r *roster) addIdentity(i int) {
	s := r.shops[i]
	r.sources[source{s.AppID, s.TimeRange}] = i
	addFirst(r.names, s.Name, i)
	addFirst(r.rates, s.AppID, i)
}

// authorization returns the conflict of a shop's auth, if any.
func (r *roster) authorization(i int) []conflict {
	s := r.shops[i]
	if first, ok := r.auths[s.AppID]; ok && r.shops[first].Auth != s.Auth {
		return []conflict{{first, "auth", fmt.Sprintf("is %s, and that of %s, which has the same app ID, is %s", s.Auth, r.place(first), r.shops[first].Auth),
			"give both the same: an app ID has one token"}}
	} else if ok && r.shops[first].tokenRequest() != s.tokenRequest() {
		return []conflict{{first, "access_token_url", fmt.Sprintf("or what belongs to it differs from that of %s, which has the same app ID", r.place(first)),
			"give both the same: an app ID has one token"}}
	}
	if request := s.tokenRequest(); request != (tokenRequest{}) {
		if first, ok := r.servers[request]; ok && r.shops[first].AppID != s.AppID {
			return []conflict{{first, "access_token_url", fmt.Sprintf("gives the token of %s, which has another app ID", r.place(first)),
				"put " + appIDMark + " into the address or the pointer: each app ID has its own token"}}
		}
	}
	switch s.Auth {
	case authCloudOpen:
		if r.open >= 0 && r.shops[r.open].AppID != s.AppID {
			return []conflict{{r.open, "auth", fmt.Sprintf("is cloud_open, as that of %s, which has another app ID", r.place(r.open)),
				"the hosting calls for one app ID: walk each shop from its own"}}
		}
	case authCloudFile:
		if first, ok := r.cloudTokens[s.CloudTokenFile]; ok && r.shops[first].AppID != s.AppID {
			return []conflict{{first, "cloud_token_file", fmt.Sprintf("is that of %s, which has another app ID", r.place(first)),
				"the hosting's token is of one app ID: walk each shop from its own"}}
		}
	}
	return nil
}

func (r *roster) addAuthorization(i int) {
	s := r.shops[i]
	if first, ok := r.auths[s.AppID]; ok && r.shops[first].Auth != s.Auth {
		return
	}
	addFirst(r.auths, s.AppID, i)
	if request := s.tokenRequest(); request != (tokenRequest{}) {
		if _, ok := r.servers[request]; !ok {
			r.servers[request] = i
		}
	}
	switch s.Auth {
	case authCloudOpen:
		if r.open < 0 {
			r.open = i
		}
	case authCloudFile:
		addFirst(r.cloudTokens, s.CloudTokenFile, i)
	}
}

func addFirst(m map[string]int, key string, i int) {
	if _, ok := m[key]; !ok {
		m[key] = i
	}
}
