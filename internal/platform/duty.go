package platform

import (
	"cmp"
	"slices"
	"time"

	"orderwalk/internal/grouplog"
)

// Tokens are fetched before they expire, but not in the first half of a short life; a
// ticket is valid for 12 hours.
const (
	early      = 10 * time.Minute
	ticketLife = 12 * time.Hour
)

// ending reports whether a token, fetched at one time and valid until another, is due for
// renewal.
func ending(at, expires, now int64) bool {
	return now >= expires-min(int64(early/time.Second), (expires-at)/2)
}

// duties lists what the keeper has to do now.
type duties struct {
	ticket  string // from the file, to be stored
	token   bool   // the platform's token is to be fetched
	tickets bool   // no ticket is valid: ask the vendor to push one
	// exchange lists shops whose authorization code is to be exchanged, revoke those
	// that have revoked their authorisation, refresh those that need an access token.
	exchange, revoke, refresh []string
	// reseal lists records sealed under a key that is to be removed.
	reseal []grouplog.Name
}

// due returns what there is to do, as a pure function of the log's state, the
// configuration (a ticket, and for each shop a refresh token, usually empty) and the
// time.
func due(s state, component, fileTicket string, given map[string]string, now time.Time) duties {
	var d duties
	unix := now.Unix()
	good := s.ticket.text != "" && now.Sub(time.Unix(s.ticket.at, 0)) < ticketLife
	// As with refresh tokens, the stored ticket wins over the file's unless the
	// file has changed since: the file may be one that no program updates.
	if fileTicket != "" && fileTicket != s.ticket.text && fingerprint(fileTicket) != s.ticket.given {
		d.ticket = fileTicket
		return d
	}
	d.reseal = oldSeals(s, component)
	if !good {
		d.tickets = true
	} else if s.token.text == "" || ending(s.token.at, s.token.expires, unix) {
		d.token = true
	}
	if s.token.text == "" || unix >= s.token.expires {
		return d // without a platform token, the rest is impossible
	}
	for shop, file := range given {
		t := s.shops[shop]
		news, more := t.news()
		switch {
		case news && t.change == unauthorized && !more:
			d.revoke = append(d.revoke, shop)
		case news && t.code != "" && (t.codeEnds == 0 || unix < t.codeEnds):
			d.exchange = append(d.exchange, shop)
		case news, t.Access == "", ending(t.at, t.expires, unix), t.refused == fingerprint(t.Access), file != "" && file != t.Given:
			d.refresh = append(d.refresh, shop)
		}
	}
	for _, list := range [][]string{d.exchange, d.revoke, d.refresh} {
		slices.Sort(list)
	}
	return d
}

// oldSeals lists the records that are sealed under a key other than the first. They are of
// every shop with tokens, configured now or not, and do not wait for the vendor: an operator
// removes the old key a minute after the change.
func oldSeals(s state, component string) (names []grouplog.Name) {
	if s.ticket.oldKey {
		names = append(names, grouplog.Name{Component: component, Kind: kindTicket})
	}
	if s.token.oldKey {
		names = append(names, grouplog.Name{Component: component, Kind: kindToken})
	}
	for shop, t := range s.shops {
		if t.oldKey {
			names = append(names, grouplog.Name{Component: component, Shop: shop, Kind: kindTokens})
		}
	}
	slices.SortStableFunc(names, func(a, b grouplog.Name) int { return cmp.Compare(a.Shop, b.Shop) })
	return names
}

// news reports whether the authorisation has changed in a way that the tokens do not
// cover. Another change in the same second counts as news too; since the order within a
// second is unknown, more reports that the vendor has to be asked.
func (t authorizedShop) news() (news, more bool) {
	more = t.changedAt == t.handled && t.told != t.known && t.known != ""
	return t.changedAt > t.handled || more, more
}

// refreshToken returns the refresh token to use for a shop: the stored one, unless the
// configuration's has changed since.
func refreshToken(t authorizedShop, file string) string {
	if file != "" && file != t.Given || t.Refresh == "" {
		return file
	}
	return t.Refresh
}
