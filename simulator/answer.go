package simulator

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Errcodes that the simulator answers; see the vendor's common list.
const (
	codeBusy            = -1
	codeTooManyOrders   = 31042
	codeToken           = 40001
	codeGrantType       = 40002
	codeAppID           = 40013
	codeURL             = 40066
	codeArgument        = 40097
	codeSecret          = 40125
	codeAddressToken    = 40164
	codeTokenMissing    = 41001
	codeAppIDMissing    = 41002
	codeSecretMissing   = 41004
	codeTokenExpired    = 42001
	codeNotGet          = 43001
	codeNotPost         = 43002
	codeNotHTTPS        = 43003
	codeEmptyBody       = 44002
	codeTooLarge        = 45002
	codeDayLimit        = 45009
	codeMinuteLimit     = 45011
	codeAddressShop     = 45035
	codeBody            = 47001
	codeUnauthorised    = 48001
	codeClearLimit      = 48006
	codeNotAuthorized   = 61003
	codeAddressOpen     = 61004
	codeTicketExpired   = 61005
	codeTicket          = 61006
	codeSetMissing      = 61007
	codeAuthCode        = 61009
	codeAuthCodeExpired = 61010
	codeNeedsComponent  = 61014
	codeNeedsShop       = 61015
	codeRefreshToken    = 61023
	codeRIDUnknown      = 76001
	codeRIDMalformed    = 76002
	codePathMalformed   = 76003
	codePathUnknown     = 76021
	codeKey             = 606006
)

// message returns an errcode's usual text.
func message(code int, caller string) string {
	switch code {
	case codeBusy:
		return "system error"
	case codeTooManyOrders:
		return "请求内订单过多，请缩短时间范围后重试"
	case codeToken:
		return "invalid credential, access_token is invalid or not latest"
	case codeGrantType:
		return "invalid grant_type"
	case codeAppID:
		return "invalid appid"
	case codeURL:
		return "invalid url"
	case codeArgument:
		return "invalid args"
	case codeSecret:
		return "invalid appsecret"
	case codeAddressToken, codeAddressShop, codeAddressOpen:
		return fmt.Sprintf("invalid ip %s ipv6 ::ffff:%s, not in whitelist", caller, caller)
	case codeTokenMissing:
		return "access_token missing"
	case codeAppIDMissing:
		return "appid missing"
	case codeSecretMissing:
		return "appsecret missing"
	case codeTokenExpired:
		return "access_token expired"
	case codeNotGet:
		return "require GET method"
	case codeNotPost:
		return "require POST method"
	case codeNotHTTPS:
		return "require https"
	case codeEmptyBody:
		return "empty post data"
	case codeTooLarge:
		return "content size out of limit"
	case codeDayLimit:
		return "reach max api daily quota limit"
	case codeMinuteLimit:
		return "api minute-quota reach limit must slower retry next minute"
	case codeBody:
		return "data format error"
	case codeUnauthorised:
		return "api unauthorized"
	case codeNotAuthorized:
		return "component is not authorized by this account"
	case codeTicketExpired:
		return "component ticket is expired"
	case codeTicket:
		return "component ticket is invalid"
	case codeSetMissing:
		return "api is unauthorized to component"
	case codeAuthCode:
		return "code is invalid"
	case codeAuthCodeExpired:
		return "code is expired"
	case codeNeedsComponent:
		return "must use component token for component api"
	case codeNeedsShop:
		return "must use account token for this api"
	case codeRefreshToken:
		return "refresh_token is invalid"
	case codeClearLimit:
		return "forbid to clear quota because of reaching the limit"
	case codeRIDUnknown:
		return "rid not found"
	case codeRIDMalformed:
		return "rid is empty or malformed"
	case codePathMalformed:
		return "invalid cgi_path"
	case codePathUnknown:
		return "cgi_path not found, please check"
	case codeKey: // the real text, leading comma included
		return ", next_key参数不正确，本次请求参数与上一页不一致"
	}
	return "unknown error"
}

// answer is the answer to a call, before faults on the way back.
type answer struct {
	code int
	body []byte
}

// result is the common beginning of all answers except tokens.
type result struct {
	Errcode int    `json:"errcode"`
	Errmsg  string `json:"errmsg"`
}

// fail returns an answer with an errcode, its text, an optional detail, and a request
// ID by which the call can be looked up.
func (c *call) fail(code int, detail string) answer {
	text := message(code, c.caller())
	if detail != "" {
		text += ": " + detail
	}
	rid := c.newRID()
	body, _ := json.Marshal(result{code, text + " rid: " + rid})
	c.server.rids.add(rid, ridEntry{
		shop: c.shop, at: c.now, cost: time.Since(c.began), path: c.path,
		request: string(c.body[:min(len(c.body), ridBodyLimit)]), response: string(body), caller: c.caller(),
	})
	return answer{code: code, body: body}
}

// succeed returns value as JSON.
func succeed(value any) answer {
	body, _ := json.Marshal(value)
	return answer{body: body}
}

// caller returns the client's IPv4 address, or 127.0.0.1.
func (c *call) caller() string {
	addr, err := netip.ParseAddrPort(c.req.RemoteAddr)
	if err != nil || !addr.Addr().Unmap().Is4() {
		return "127.0.0.1"
	}
	return addr.Addr().Unmap().String()
}

// newRID returns a request ID: the time in hex and two random numbers.
func (c *call) newRID() string {
	h := mix(c.draw, saltRID)
	return fmt.Sprintf("%08x-%08x-%08x", clamp(c.now.Unix()), uint32(h>>32), uint32(h))
}

const (
	ridKept      = 256 // failed calls kept for rid/get
	ridBodyLimit = 2048
)

// ridEntry records a failed call, without the access token.
type ridEntry struct {
	shop                            *shop
	at                              time.Time
	cost                            time.Duration
	path, request, response, caller string
}

// rids keeps the latest failed calls.
type rids struct {
	mu      sync.Mutex
	entries map[string]ridEntry
	order   []string // oldest first
}

func (l *rids) add(rid string, e ridEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[string]ridEntry{}
	}
	if len(l.order) == ridKept {
		delete(l.entries, l.order[0])
		l.order = append(l.order[:0], l.order[1:]...)
	}
	l.entries[rid] = e
	l.order = append(l.order, rid)
}

func (l *rids) get(rid string) (ridEntry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[rid]
	return e, ok
}

// rid answers /cgi-bin/openapi/rid/get.
func (s *Server) rid(c *call) answer {
	var in struct {
		RID string `json:"rid"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return c.fail(codeBody, "")
	}
	if strings.Count(in.RID, "-") != 2 {
		return c.fail(codeRIDMalformed, "")
	}
	e, ok := s.rids.get(in.RID)
	if !ok || e.shop != c.shop {
		return c.fail(codeRIDUnknown, "")
	}
	return succeed(map[string]any{
		"errcode": 0, "errmsg": "ok",
		"request": map[string]any{
			"invoke_time": e.at.Unix(), "cost_in_ms": e.cost.Milliseconds(),
			"request_url": e.path, "request_body": e.request, "response_body": e.response, "client_ip": e.caller,
		},
	})
}
