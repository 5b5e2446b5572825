package simulator

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// Rules of third-party platforms.
const (
	ticketLife     = 12 * time.Hour
	authCodeLife   = time.Hour
	refreshOverlap = 300 * time.Second // validity of a replaced refresh token
	ordersSet      = 131               // the permission set of the list call
)

// Platform is a third-party platform, which reads shops that have authorised it. Shops
// with a RefreshToken have.
type Platform struct {
	AppID, Secret string
}

// Authorization is a change of a shop's authorisation of the platform.
type Authorization struct {
	// AppID is the shop's app ID, Platform the platform's.
	AppID    string `json:"app_id"`
	Platform string `json:"platform"`
	// InfoType is the vendor's name of the change: authorized, updateauthorized or
	// unauthorized.
	InfoType string `json:"info_type"`
	// Code can be exchanged by api_query_auth before Expires; empty if unauthorized.
	Code    string    `json:"code,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	At      time.Time `json:"at"`
}

// Authorizer is a shop that has authorised the platform.
type Authorizer struct {
	AppID        string    `json:"app_id"`
	RefreshToken string    `json:"refresh_token"`
	Since        time.Time `json:"since"`
}

// platform is the state of a Platform. The ledger's lock guards it.
type platform struct {
	Platform
	seed   uint64
	serial uint64 // number of tokens, codes and refresh tokens issued
	codes  map[string]*authCode
	grants map[*shop]*grant
}

// authCode is an issued authorization code.
type authCode struct {
	shop    *shop
	expires time.Time
	used    bool
}

// grant is one shop's authorisation of the platform.
type grant struct {
	revoked bool
	refresh string
	since   time.Time
	// former are replaced refresh tokens and when they expire; zero = when an access
	// token that was issued with a later one is used.
	former map[string]time.Time
	// access are its access tokens that may still be valid, the latest last.
	access []*token
}

func newPlatform(p Platform, seed uint64, shops []Shop, byID map[string]*shop, now time.Time) *platform {
	of := &platform{Platform: p, seed: mix(seed, mixString("platform"), mixString(p.AppID)), codes: map[string]*authCode{}, grants: map[*shop]*grant{}}
	for _, s := range shops {
		if s.RefreshToken != "" {
			of.grants[byID[s.AppID]] = &grant{refresh: s.RefreshToken, since: now}
		}
	}
	return of
}

// text returns the next code or refresh token.
func (p *platform) text(kind string) string {
	p.serial++
	return kind + "@@@" + tokenText(p.seed, kind, p.serial)[3:40]
}

// VerifyTicket returns the platform's component_verify_ticket at a time: a new one
// every ten minutes, each valid for twelve hours.
func (s *Server) VerifyTicket(now time.Time) string {
	return s.ledger.platform.ticket(now.Unix() / int64(ticketEvery/time.Second))
}

func (p *platform) ticket(number int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(number))
	for i := range uint64(4) {
		b = binary.BigEndian.AppendUint64(b, mix(p.seed, saltToken, mixString("ticket"), uint64(number), i))
	}
	return "ticket@@@" + base64.RawURLEncoding.EncodeToString(b)
}

// checkTicket returns the errcode for a ticket, 0 if it is valid.
func (p *platform) checkTicket(text string, now time.Time) int {
	const prefix = "ticket@@@"
	if len(text) < len(prefix) {
		return codeTicket
	}
	b, err := base64.RawURLEncoding.DecodeString(text[len(prefix):])
	if err != nil || len(b) < 8 {
		return codeTicket
	}
	number := int64(binary.BigEndian.Uint64(b))
	issued := time.Unix(number*int64(ticketEvery/time.Second), 0)
	switch {
	case p.ticket(number) != text, issued.After(now):
		return codeTicket
	case now.Sub(issued) >= ticketLife:
		return codeTicketExpired
	}
	return 0
}

// Authorize makes a shop authorise the platform, or change its permissions: the
// platform's tokens of that shop end, and a new code is issued.
func (s *Server) Authorize(appID string) (Authorization, error) {
	return s.changeGrant(appID, func(p *platform, shop *shop, now time.Time) (Authorization, error) {
		a := Authorization{InfoType: "authorized", Code: p.text("queryauthcode"), Expires: now.Add(authCodeLife)}
		if g := p.grants[shop]; g != nil {
			g.end(now)
			if !g.revoked {
				a.InfoType = "updateauthorized"
			}
		}
		p.grants[shop] = &grant{refresh: p.text("refreshtoken"), since: now}
		p.codes[a.Code] = &authCode{shop: shop, expires: a.Expires}
		return a, nil
	})
}

// Revoke makes a shop withdraw its authorisation.
func (s *Server) Revoke(appID string) error {
	_, err := s.changeGrant(appID, func(p *platform, shop *shop, now time.Time) (Authorization, error) {
		g := p.grants[shop]
		if g == nil || g.revoked {
			return Authorization{}, fmt.Errorf("shop %q has not authorised the platform", appID)
		}
		g.revoked = true
		return Authorization{InfoType: "unauthorized"}, nil
	})
	return err
}

// changeGrant lets do change a shop's grant, and calls Config.OnAuthorization.
func (s *Server) changeGrant(appID string, do func(*platform, *shop, time.Time) (Authorization, error)) (Authorization, error) {
	shop := s.shops[appID]
	p := s.ledger.platform
	switch {
	case shop == nil:
		return Authorization{}, fmt.Errorf("unknown shop %q", appID)
	case p.AppID == "":
		return Authorization{}, fmt.Errorf("no platform is configured")
	}
	faults := s.Faults()
	now := s.now(&faults)
	s.ledger.mu.Lock()
	a, err := do(p, shop, now)
	s.ledger.mu.Unlock()
	if err != nil {
		return Authorization{}, err
	}
	a.AppID, a.Platform, a.At = appID, p.AppID, now
	if s.onAuthorization != nil {
		s.onAuthorization(a)
	}
	return a, nil
}

// Authorizers returns the shops that have authorised the platform, by app ID, with
// their current refresh tokens.
func (s *Server) Authorizers() []Authorizer {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.platform.authorizers()
}

func (p *platform) authorizers() []Authorizer {
	all := []Authorizer{}
	for shop, g := range p.grants {
		if !g.revoked {
			all = append(all, Authorizer{shop.appID, g.refresh, g.since})
		}
	}
	slices.SortFunc(all, func(a, b Authorizer) int { return cmp.Compare(a.AppID, b.AppID) })
	return all
}

// end ends the access tokens of a grant.
func (g *grant) end(now time.Time) {
	for _, t := range g.access {
		if t.dies.IsZero() || t.dies.After(now) {
			t.dies = now
		}
	}
	g.access = nil
}

// accepts reports whether a refresh token is valid.
func (g *grant) accepts(refresh string, now time.Time) bool {
	if refresh == "" || g.revoked {
		return false
	}
	dies, former := g.former[refresh]
	return refresh == g.refresh || former && (dies.IsZero() || now.Before(dies))
}

// rotate replaces the refresh token, if the fault says so. atUse reports that the
// former ones end when the new access token is first used.
func (g *grant) rotate(p *platform, f *Faults, now time.Time) (atUse bool) {
	atUse = f.RotateRefreshToken == "at_use"
	if !atUse && f.RotateRefreshToken != "on" {
		return false
	}
	if g.former == nil {
		g.former = map[string]time.Time{}
	}
	g.former[g.refresh] = time.Time{}
	if !atUse {
		g.former[g.refresh] = now.Add(refreshOverlap)
	}
	g.refresh = p.text("refreshtoken")
	return atUse
}

// used ends the refresh tokens before the one that was issued with an access token.
func (g *grant) used(came string, now time.Time) {
	for refresh, dies := range g.former {
		if refresh != came && dies.IsZero() {
			g.former[refresh] = now
		}
	}
}
