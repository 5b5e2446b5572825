package platform

import (
	"reflect"
	"testing"
	"time"

	"orderwalk/internal/grouplog"
)

func TestDue(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	const t0, hour = 1_000_000, 3600
	ticket := secret{text: "T", at: t0 - 60}
	token := secret{text: "C", at: t0 - 60, expires: t0 + hour}
	fine := authorizedShop{pair: pair{Access: "A", Refresh: "R"}, at: t0 - 60, expires: t0 + hour}
	with := func(change func(*authorizedShop)) map[string]authorizedShop {
		shop := fine
		change(&shop)
		return map[string]authorizedShop{"wx1": shop}
	}
	for _, c := range []struct {
		what   string
		state  state
		ticket string
		given  map[string]string
		want   duties
	}{
		{what: "nothing is known", want: duties{tickets: true}},
		{what: "a ticket in a file", ticket: "F", want: duties{ticket: "F"}},
		{what: "the file's ticket is the one there is", ticket: "T", state: state{ticket: ticket}, want: duties{token: true}},
		{what: "a newer one came than the file's", ticket: "F", state: state{ticket: secret{text: "T", at: t0 - 11*hour, given: fingerprint("F")}, token: token}},
		{what: "the file has changed since", ticket: "G", state: state{ticket: secret{text: "T", at: t0 - 60, given: fingerprint("F")}, token: token}, want: duties{ticket: "G"}},
		{what: "neither is good any more", ticket: "F", state: state{ticket: secret{text: "T", at: t0 - 12*hour, given: fingerprint("F")}, token: token}, want: duties{tickets: true}},
		{what: "a ticket", state: state{ticket: ticket}, want: duties{token: true}},
		{what: "an old ticket", state: state{ticket: secret{text: "T", at: t0 - 12*hour}}, want: duties{tickets: true}},
		{what: "the token is about to end", state: state{ticket: ticket, token: secret{text: "C", expires: t0 + 600}}, want: duties{token: true}},
		{what: "a token that ends finds an old ticket, and still serves", state: state{token: secret{text: "C", expires: t0 + 60}},
			given: map[string]string{"wx1": ""}, want: duties{tickets: true, refresh: []string{"wx1"}}},
		{what: "an unknown shop", state: state{ticket: ticket, token: token}, given: map[string]string{"wx1": ""}, want: duties{refresh: []string{"wx1"}}},
		{what: "all is well", state: state{ticket: ticket, token: token, shops: with(func(*authorizedShop) {})}, given: map[string]string{"wx1": ""}},
		{what: "not configured", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.expires = 0 })}},
		{what: "the shop's token is about to end", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.at, s.expires = t0-hour, t0+600 })},
			given: map[string]string{"wx1": ""}, want: duties{refresh: []string{"wx1"}}},
		{what: "a short life has more than half to go", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.at, s.expires = t0-99, t0+100 })},
			given: map[string]string{"wx1": ""}},
		{what: "its token was refused", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.refused = fingerprint("A") })},
			given: map[string]string{"wx1": ""}, want: duties{refresh: []string{"wx1"}}},
		{what: "an older token was refused", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.refused = fingerprint("B") })},
			given: map[string]string{"wx1": ""}},
		{what: "the file has a new refresh token", state: state{ticket: ticket, token: token, shops: with(func(*authorizedShop) {})},
			given: map[string]string{"wx1": "F"}, want: duties{refresh: []string{"wx1"}}},
		{what: "the file has the one it had", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.Given = "F" })},
			given: map[string]string{"wx1": "F"}},
		{what: "authorised again", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.changedAt, s.change, s.code = t0, "authorized", "K" })},
			given: map[string]string{"wx1": ""}, want: duties{exchange: []string{"wx1"}}},
		{what: "authorised, and traded in", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.changedAt, s.handled, s.change, s.code = t0, t0, "authorized", "K" })},
			given: map[string]string{"wx1": ""}},
		{what: "a code that has ended", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) {
			s.changedAt, s.change, s.code, s.codeEnds, s.Access = t0-10, "authorized", "K", t0, ""
		})}, given: map[string]string{"wx1": ""}, want: duties{refresh: []string{"wx1"}}},
		{what: "taken back", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.changedAt, s.change = t0, "unauthorized" })},
			given: map[string]string{"wx1": ""}, want: duties{revoke: []string{"wx1"}}},
		{what: "taken back, and noted", state: state{ticket: ticket, token: token, shops: with(func(s *authorizedShop) { s.changedAt, s.handled, s.change = t0, t0, "unauthorized" })},
			given: map[string]string{"wx1": ""}},
		{what: "sealed under an older key", state: state{ticket: secret{text: "T", at: t0 - 60, oldKey: true}, token: token, shops: with(func(s *authorizedShop) { s.oldKey = true })},
			given: map[string]string{"wx1": ""}, want: duties{reseal: []grouplog.Name{{Component: "wxc", Kind: kindTicket}, {Component: "wxc", Shop: "wx1", Kind: kindTokens}}}},
		{what: "sealed under an older key, without a ticket, a token and the shop's configuration", state: state{shops: with(func(s *authorizedShop) { s.oldKey = true })},
			want: duties{tickets: true, reseal: []grouplog.Name{{Component: "wxc", Shop: "wx1", Kind: kindTokens}}}},
	} {
		if got := due(c.state, "wxc", c.ticket, c.given, now); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestRefreshToken(t *testing.T) {
	for _, c := range []struct{ stored, given, file, want string }{
		{"", "", "", ""}, {"", "", "F", "F"}, {"S", "F", "F", "S"}, {"S", "F", "F2", "F2"}, {"S", "F", "", "S"}, {"S", "", "F", "F"},
	} {
		if got := refreshToken(authorizedShop{pair: pair{Refresh: c.stored, Given: c.given}}, c.file); got != c.want {
			t.Errorf("stored %q with the file's %q, now %q: %q, want %q", c.stored, c.given, c.file, got, c.want)
		}
	}
}
