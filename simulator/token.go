package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"sync"
	"time"
)

// Rules of the two token calls, from their official pages; the daily number of plain
// tokens is what users report.
const (
	tokenOverlap       = 300 * time.Second // a plain token stays valid after the next one
	tokenEarly         = 300 * time.Second // a stable token is replaced this long before its end
	plainTokensADay    = 2000
	forcedTokensADay   = 20
	forcedTokenGap     = 30 * time.Second
	stableCallsAMinute = 10_000
	stableCallsADay    = 500_000
)

// Kinds of tokens. Each has its own query parameter, except that authorizer tokens
// share that of a shop's own tokens.
const (
	kindPlain      = "plain"
	kindStable     = "stable"
	kindStatic     = "static"
	kindCloud      = "cloud"
	kindAuthorizer = "authorizer"
	kindComponent  = "component"
)

// token is an issued access token.
type token struct {
	shop       *shop // nil for a component token
	kind       string
	expires    time.Time // answers 42001 from then on
	dies       time.Time // answers 40001 from then on; zero = never
	grant      *grant    // set for authorizer tokens
	issuedWith string    // refresh token issued with it, if its use ends earlier ones
}

// ledger holds all tokens. Plain and stable tokens are independent.
type ledger struct {
	mu       sync.Mutex
	tokens   map[string]*token
	wallet   map[*shop]*shopTokens
	serial   uint64 // number of tokens issued, to trigger clean-ups
	platform *platform
}

// shopTokens is the token state of one shop.
type shopTokens struct {
	plain       *token
	plainToday  tally
	plainSerial uint64

	stable         *token
	stableText     string
	stableSerial   uint64
	stableToday    tally
	stableThisMin  tally
	forcedToday    tally
	lastForced     time.Time
	hasForcedOnce  bool
	refreshesTotal int

	cloud       *token
	cloudText   string
	cloudSerial uint64
	cloudBorn   time.Time

	authorizerSerial uint64
}

func newLedger(shops map[string]*shop, platform *platform) *ledger {
	l := &ledger{tokens: map[string]*token{}, wallet: map[*shop]*shopTokens{}, platform: platform}
	for _, s := range shops {
		l.wallet[s] = &shopTokens{}
		if s.token != "" {
			l.tokens[s.token] = &token{shop: s, kind: kindStatic}
		}
	}
	return l
}

// owner returns the shop that a token was issued for, whether it is still valid or
// not.
func (l *ledger) owner(text string) *shop {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tokens[text]; t != nil {
		return t.shop
	}
	return nil
}

// check returns the errcode for a shop's access token, 0 if it is valid, and whether
// it is one of the platform's. param is its query parameter.
func (l *ledger) check(text, param string, now time.Time) (code int, ofPlatform bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := ""
	if param == paramCloud {
		kind = kindCloud
	}
	if code := l.checkKind(text, kind, now); code != 0 {
		return code, false
	}
	t := l.tokens[text]
	if t.grant == nil {
		return 0, false
	}
	if t.grant.revoked {
		return codeNotAuthorized, true
	}
	if t.issuedWith != "" {
		t.grant.used(t.issuedWith, now)
	}
	return 0, true
}

// checkKind returns the errcode for a token of a kind, 0 if it is valid; kind "" = any
// token that a shop's calls accept as access_token. The caller holds mu.
func (l *ledger) checkKind(text, kind string, now time.Time) int {
	t := l.tokens[text]
	switch {
	case text == "":
		return codeTokenMissing
	case t == nil:
		return codeToken
	case kind == kindComponent && t.kind != kind:
		return codeNeedsComponent
	case kind == "" && t.kind == kindComponent:
		return codeNeedsShop
	case (kind == kindCloud) != (t.kind == kindCloud):
		return codeToken
	case t.kind == kindStatic:
		return 0
	case !t.dies.IsZero() && !now.Before(t.dies):
		return codeToken
	case !now.Before(t.expires):
		return codeTokenExpired
	}
	return 0
}

// refreshes returns the number of tokens issued for a shop.
func (l *ledger) refreshes(s *shop) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wallet[s].refreshesTotal
}

// issue creates a shop's serial-th token of a kind.
func (l *ledger) issue(s *shop, kind string, serial uint64, now time.Time, ttl time.Duration) (string, *token) {
	t := &token{shop: s, kind: kind, expires: now.Add(ttl)}
	text := tokenText(s.seed, kind, serial)
	l.tokens[text] = t
	l.wallet[s].refreshesTotal++
	if l.serial++; l.serial%1000 == 0 {
		for text, old := range l.tokens {
			if old.kind != kindStatic && now.Sub(old.expires) > 24*time.Hour {
				delete(l.tokens, text)
			}
		}
	}
	return text, t
}

// tokenText returns a token's text, about as long as real ones.
func tokenText(seed uint64, kind string, serial uint64) string {
	var b []byte
	for i := range uint64(12) {
		b = binary.BigEndian.AppendUint64(b, mix(seed, saltToken, mixString(kind), serial, i))
	}
	return "99_" + base64.RawURLEncoding.EncodeToString(b)
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
}

// plainToken answers GET /cgi-bin/token: always a new token.
func (s *Server) plainToken(c *call) answer {
	in := c.req.URL.Query()
	if a, bad := c.credentials(in.Get("grant_type"), in.Get("appid"), in.Get("secret")); bad {
		return a
	}
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.wallet[c.shop]
	if !w.plainToday.add(dayOf(c.now), plainTokensADay) {
		return c.fail(codeDayLimit, "")
	}
	if w.plain != nil {
		w.plain.dies = c.now.Add(tokenOverlap)
	}
	w.plainSerial++
	ttl := c.faults.tokenTTL()
	text, t := l.issue(c.shop, kindPlain, w.plainSerial, c.now, ttl)
	w.plain = t
	return succeed(tokenAnswer{text, int64(ttl / time.Second)})
}

// stableToken answers POST /cgi-bin/stable_token: the same token until it is near its
// end or a refresh is forced.
func (s *Server) stableToken(c *call) answer {
	var in struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return c.fail(codeBody, "")
	}
	if a, bad := c.credentials(in.GrantType, in.AppID, in.Secret); bad {
		return a
	}
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.wallet[c.shop]
	switch {
	case !w.stableThisMin.add(minuteOf(c.now), stableCallsAMinute):
		return c.fail(codeMinuteLimit, "")
	case !w.stableToday.add(dayOf(c.now), stableCallsADay):
		return c.fail(codeDayLimit, "")
	}
	// A forced refresh too soon or too often is ignored.
	forced := in.ForceRefresh &&
		(!w.hasForcedOnce || c.now.Sub(w.lastForced) >= forcedTokenGap) &&
		w.forcedToday.add(dayOf(c.now), forcedTokensADay)
	if forced {
		w.lastForced, w.hasForcedOnce = c.now, true
		if w.stable != nil {
			w.stable.dies = c.now
		}
	}
	if forced || w.stable == nil || w.stable.expires.Sub(c.now) < tokenEarly {
		w.stableSerial++
		w.stableText, w.stable = l.issue(c.shop, kindStable, w.stableSerial, c.now, c.faults.tokenTTL())
	}
	return succeed(tokenAnswer{w.stableText, int64(w.stable.expires.Sub(c.now) / time.Second)})
}

// credentials checks the parameters of a token call.
func (c *call) credentials(grantType, appID, secret string) (answer, bool) {
	var code int
	switch {
	case c.faults.Whitelist == codeAddressToken:
		c.countFault("whitelist")
		code = codeAddressToken
	case c.faults.TokenError != 0:
		c.countFault("token_error")
		code = c.faults.TokenError
	case grantType != "client_credential":
		code = codeGrantType
	case appID == "":
		code = codeAppIDMissing
	case secret == "":
		code = codeSecretMissing
	default:
		code = c.secret(appID, secret)
	}
	if code == 0 {
		return answer{}, false
	}
	return c.fail(code, ""), true
}

// secret returns the errcode for an app ID and its secret, 0 if they match.
func (c *call) secret(appID, secret string) int {
	switch shop := c.server.shops[appID]; {
	case shop == nil:
		return codeAppID
	case shop.secret == "" || shop.secret != secret:
		return codeSecret
	}
	return 0
}
