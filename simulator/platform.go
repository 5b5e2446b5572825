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
	refreshOverlap = 300 * time.Second // a rotated refresh token lives on
	ordersSet      = 131               // the permission set of the list call
)

// Platform is a third-party platform, which reads shops that have authorised
// it. Shops with a RefreshToken have.
type Platform struct {
	AppID, Secret string
}

// Authorization is something that a shop's owner has done about the platform.
type Authorization struct {
	// AppID is the shop's, and Platform that of the platform.
	AppID    string `json:"app_id"`
	Platform string `json:"platform"`
	// InfoType is the vendor's word: authorized, updateauthorized or
	// unauthorized.
	InfoType string `json:"info_type"`
	// Code is to be exchanged by api_query_auth before it Expires; empty with
	// unauthorized.
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

// platform is the platform at work. The ledger's lock guards it.
type platform struct {
	Platform
	seed   uint64
	serial uint64 // tokens, codes and refresh tokens issued
	codes  map[string]*authCode
	grants map[*shop]*grant
}

// authCode is an authorization code that has been handed out.
type authCode struct {
	shop    *shop
	expires time.Time
	used    bool
}

// grant is what one shop has given the platform.
type grant struct {
	revoked bool
	refresh string
	since   time.Time
	// former are refresh tokens that were rotated, and when they die; zero =
	// when an access token that came with a later one is used.
	former map[string]time.Time
	// access are its access tokens that may still work, the latest last.
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

// text spells the next code or refresh token.
func (p *platform) text(kind string) string {
	p.serial++
	return kind + "@@@" + tokenText(p.seed, kind, p.serial)[3:40]
}

// VerifyTicket is the platform's component_verify_ticket of that time: another
// one every ten minutes, each good for twelve hours.
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

// checkTicket gives the errcode for a ticket, 0 if it is good.
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

// Authorize has a shop's owner authorise the platform, or change what it may
// do: tokens that it has of the shop end, and there is a code to exchange.
func (s *Server) Authorize(appID string) (Authorization, error) {
	return s.turn(appID, func(p *platform, shop *shop, now time.Time) (Authorization, error) {
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

// Revoke has a shop's owner take the authorisation back.
func (s *Server) Revoke(appID string) error {
	_, err := s.turn(appID, func(p *platform, shop *shop, now time.Time) (Authorization, error) {
		g := p.grants[shop]
		if g == nil || g.revoked {
			return Authorization{}, fmt.Errorf("shop %q has not authorised the platform", appID)
		}
		g.revoked = true
		return Authorization{InfoType: "unauthorized"}, nil
	})
	return err
}

// turn lets do change what a shop grants, and tells Config.OnAuthorization.
func (s *Server) turn(appID string, do func(*platform, *shop, time.Time) (Authorization, error)) (Authorization, error) {
	shop := s.shops[appID]
	p := s.ledger.platform
	switch {
	case shop == nil:
		return Authorization{}, fmt.Errorf("there is no shop %q", appID)
	case p.AppID == "":
		return Authorization{}, fmt.Errorf("there is no platform")
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

// Authorizers lists the shops that have authorised the platform, by app ID,
// with the refresh tokens that are good now.
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

// takes tells whether a refresh token is good.
func (g *grant) takes(refresh string, now time.Time) bool {
	if refresh == "" || g.revoked {
		return false
	}
	dies, former := g.former[refresh]
	return refresh == g.refresh || former && (dies.IsZero() || now.Before(dies))
}

// rotate replaces the refresh token, if the fault says so. atUse tells that the
// former ones die when the access token that comes with it is first used.
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

// used ends the refresh tokens before the one that came with an access token.
func (g *grant) used(came string, now time.Time) {
	for refresh, dies := range g.former {
		if refresh != came && dies.IsZero() {
			g.former[refresh] = now
		}
	}
}
