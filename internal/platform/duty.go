package platform

import (
	"cmp"
	"slices"
	"time"

	"orderwalk/internal/grouplog"
)

// Tokens are fetched early, before they end, but not in the first half of a life
// that is short; a ticket is good for 12 hours.
const (
	early      = 10 * time.Minute
	ticketLife = 12 * time.Hour
)

// ending tells that a token, fetched at one time and good until another, is to
// be fetched again.
func ending(at, expires, now int64) bool {
	return now >= expires-min(int64(early/time.Second), (expires-at)/2)
}

// duties is what the keeper has to do now.
type duties struct {
	ticket  string // from the file, to be kept
	token   bool   // the platform's own, to be fetched
	tickets bool   // there is none that is good: have them pushed
	// exchange are shops whose code is to be traded in, revoke those that have
	// taken their authorisation back, refresh those that need an access token.
	exchange, revoke, refresh []string
	// reseal are records sealed under a key that is to go.
	reseal []grouplog.Name
}

// due is what there is to do, as a pure function of what the ledger says, what
// the configuration gives (a ticket, and a refresh token, mostly empty, for each
// shop) and the time.
func due(s state, component, fileTicket string, given map[string]string, now time.Time) duties {
	var d duties
	unix := now.Unix()
	good := s.ticket.text != "" && now.Sub(time.Unix(s.ticket.at, 0)) < ticketLife
	// As with refresh tokens: what is kept goes before the file's ticket, unless
	// that has changed since. A file may be the one thing that nobody writes.
	if fileTicket != "" && fileTicket != s.ticket.text && fingerprint(fileTicket) != s.ticket.given {
		d.ticket = fileTicket
		return d
	}
	if !good {
		d.tickets = true
	} else if s.token.text == "" || ending(s.token.at, s.token.expires, unix) {
		d.token = true
	}
	if s.token.text == "" || unix >= s.token.expires {
		return d // nothing else can be done without one
	}
	for shop, file := range given {
		t := s.tenants[shop]
		news, more := t.news()
		switch {
		case news && t.change == unauthorized && !more:
			d.revoke = append(d.revoke, shop)
		case news && t.code != "" && (t.codeEnds == 0 || unix < t.codeEnds):
			d.exchange = append(d.exchange, shop)
		case news, t.Access == "", ending(t.at, t.expires, unix), t.refused == fingerprint(t.Access), file != "" && file != t.Given:
			d.refresh = append(d.refresh, shop)
		}
		if t.aged {
			d.reseal = append(d.reseal, grouplog.Name{Component: component, Shop: shop, Kind: kindTokens})
		}
	}
	if s.ticket.aged {
		d.reseal = append(d.reseal, grouplog.Name{Component: component, Kind: kindTicket})
	}
	if s.token.aged {
		d.reseal = append(d.reseal, grouplog.Name{Component: component, Kind: kindToken})
	}
	for _, list := range [][]string{d.exchange, d.revoke, d.refresh} {
		slices.Sort(list)
	}
	slices.SortFunc(d.reseal, func(a, b grouplog.Name) int { return cmp.Compare(a.Shop, b.Shop) })
	return d
}

// news reports whether there is a change of the authorisation that the tokens
// do not know of. More of the second that they do know of is news as well, but
// not which of it came last: the vendor is asked.
func (t authorizedShop) news() (news, more bool) {
	more = t.changedAt == t.handled && t.told != t.known && t.known != ""
	return t.changedAt > t.handled || more, more
}

// refreshToken is the one to use for a shop: the stored one goes before the
// configuration's, unless the configuration's has changed since.
func refreshToken(t authorizedShop, file string) string {
	if file != "" && file != t.Given || t.Refresh == "" {
		return file
	}
	return t.Refresh
}
