package simulator

import (
	"encoding/json"
	"slices"
	"time"
)

// platformCall answers a call of the third-party platform.
func (s *Server) platformCall(c *call) answer {
	var in struct {
		AppID   string `json:"component_appid"`
		Secret  string `json:"component_appsecret"`
		Other   string `json:"component_secret"` // name in api_start_push_ticket
		Ticket  string `json:"component_verify_ticket"`
		Code    string `json:"authorization_code"`
		ShopID  string `json:"authorizer_appid"`
		Refresh string `json:"authorizer_refresh_token"`
		Offset  int    `json:"offset"`
		Count   int    `json:"count"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return c.fail(codeBody, "")
	}
	p := s.ledger.platform
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	switch {
	case c.faults.PlatformError != 0:
		c.countFault("platform_error")
		return c.fail(c.faults.PlatformError, "")
	case c.faults.Whitelist == codeAddressOpen:
		c.countFault("whitelist")
		return c.fail(codeAddressOpen, "")
	case in.AppID == "":
		return c.fail(codeAppIDMissing, "")
	case in.AppID != p.AppID:
		return c.fail(codeAppID, "")
	}
	switch c.path {
	case pathComponentToken, pathStartTickets:
		if code := p.checkSecret(in.Secret + in.Other); code != 0 {
			return c.fail(code, "")
		}
		if c.path == pathStartTickets {
			return c.startTickets()
		}
		if code := p.checkTicket(in.Ticket, c.now); code != 0 {
			c.server.stats.violation("verify_ticket")
			return c.fail(code, "")
		}
		return c.componentToken(p)
	}
	if code := s.ledger.checkKind(c.token, kindComponent, c.now); code != 0 {
		return c.fail(code, "")
	}
	switch c.path {
	case pathQueryAuth:
		return c.queryAuth(p, in.Code)
	case pathAuthorizerToken:
		return c.authorizerToken(p, in.ShopID, in.Refresh)
	}
	return c.authorizerList(p, in.Offset, in.Count)
}

func (p *platform) checkSecret(secret string) int {
	switch {
	case secret == "":
		return codeSecretMissing
	case secret != p.Secret:
		return codeSecret
	}
	return 0
}

// startTickets starts pushing tickets again, if a fault had stopped it.
func (c *call) startTickets() answer {
	if f := *c.faults; f.PushNoTickets {
		f.PushNoTickets = false
		c.server.SetFaults(f)
	}
	return succeed(result{Errmsg: "ok"})
}

// componentToken issues another token; earlier ones stay valid.
func (c *call) componentToken(p *platform) answer {
	ttl := c.faults.tokenTTL()
	p.serial++
	text := tokenText(p.seed, kindComponent, p.serial)
	c.server.ledger.tokens[text] = &token{kind: kindComponent, expires: c.now.Add(ttl)}
	return succeed(map[string]any{"component_access_token": text, "expires_in": int64(ttl / time.Second)})
}

// authorizerAnswer is the common part of two answers.
type authorizerAnswer struct {
	Access    string `json:"authorizer_access_token"`
	ExpiresIn int64  `json:"expires_in"`
	Refresh   string `json:"authorizer_refresh_token"`
}

// access issues an access token of a grant. The previous one stays valid for 300 s;
// atUse makes the first use of the new one end the earlier refresh tokens.
func (c *call) access(shop *shop, g *grant, atUse bool) authorizerAnswer {
	for _, old := range g.access {
		if old.dies.IsZero() {
			old.dies = c.now.Add(tokenOverlap)
		}
	}
	w := c.server.ledger.wallet[shop]
	w.authorizerSerial++
	ttl := c.faults.tokenTTL()
	text, t := c.server.ledger.issue(shop, kindAuthorizer, w.authorizerSerial, c.now, ttl)
	if t.grant = g; atUse {
		t.issuedWith = g.refresh
	}
	if n := len(g.access); n > 0 {
		g.access = g.access[n-1:]
	}
	g.access = append(g.access, t)
	return authorizerAnswer{text, int64(ttl / time.Second), g.refresh}
}

// queryAuth exchanges an authorization code, once.
func (c *call) queryAuth(p *platform, text string) answer {
	code := p.codes[text]
	switch {
	case code == nil:
		return c.fail(codeAuthCode, "")
	case code.used, !c.now.Before(code.expires):
		return c.fail(codeAuthCodeExpired, "")
	}
	g := p.grants[code.shop]
	if g.revoked {
		return c.fail(codeNotAuthorized, "")
	}
	code.used = true
	type category struct {
		ID int `json:"id"`
	}
	type set struct {
		Category category `json:"funcscope_category"`
	}
	sets := []set{{category{129}}, {category{ordersSet}}, {category{179}}}
	if c.faults.MissingSet131 {
		sets = sets[:1]
	}
	return succeed(map[string]any{"authorization_info": struct {
		AppID string `json:"authorizer_appid"`
		authorizerAnswer
		Sets []set `json:"func_info"`
	}{code.shop.appID, c.access(code.shop, g, false), sets}})
}

// authorizerToken issues an access token for a refresh token.
func (c *call) authorizerToken(p *platform, appID, refresh string) answer {
	shop := c.server.shops[appID]
	g := p.grants[shop]
	switch {
	case shop == nil:
		return c.fail(codeAppID, "")
	case g == nil:
		return c.fail(codeNotAuthorized, "")
	case !g.accepts(refresh, c.now):
		c.server.stats.violation("refresh_token")
		return c.fail(codeRefreshToken, "")
	}
	return succeed(c.access(shop, g, g.rotate(p, c.faults, c.now)))
}

// authorizerList returns a page of the shops, by app ID.
func (c *call) authorizerList(p *platform, offset, count int) answer {
	if offset < 0 || count < 1 || count > 500 {
		return c.fail(codeArgument, "offset or count")
	}
	type entry struct {
		AppID   string `json:"authorizer_appid"`
		Refresh string `json:"refresh_token"`
		At      int64  `json:"auth_time"`
	}
	all := p.authorizers()
	if len(all) > 0 && c.hit("authorizers_short_rate", c.faults.AuthorizersShortRate) {
		left := int(mix(c.draw, mixString("authorizers")) % uint64(len(all)))
		all = slices.Delete(all, left, left+1)
	}
	page := []entry{}
	for _, a := range all[min(offset, len(all)):min(offset+count, len(all))] {
		page = append(page, entry{a.AppID, a.RefreshToken, a.Since.Unix()})
	}
	return succeed(map[string]any{"total_count": len(all), "list": page})
}
