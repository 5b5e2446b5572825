package wechat

import (
	"net/http"
	"strconv"
	"time"
)

// entry is what one errcode asks for, and what an operator may do about it.
type entry struct {
	class Class
	hint  string
}

const (
	hintAppID     = "check the app ID of this shop"
	hintSecret    = "check the app secret of this shop"
	hintWhitelist = "add this machine's outgoing IP address to the shop's whitelist"
	hintBug       = "the request is malformed: please report it with the rid"
	hintAuthorise = "the shop must authorise the third-party platform again"
	hintOther     = "this code belongs to another API: check the API URL, report it with the rid"
	hintUnknown   = "this code is not documented: ask the vendor's support with the rid"
	hintAccount   = "the shop's account is restricted: see its back-end"
	hintSet131    = "the permission set 131 must be granted and confirmed by the shop"
	hintTicket    = "waits for the platform's next component_verify_ticket"
	hintClear     = "quota cannot be cleared any more: wait for midnight in Shanghai"
	hintQuotaPath = "the quota call was refused: check its cgi_path and token"
	hintCloudFile = "switch on cloud tokens (微信令牌) for this version of the hosting, and see that its folder is mounted: the vendor writes the file every 10 minutes"
	hintCloudDead = "the cloud token is dead: is its file still being written, every 10 minutes?"
	hintCloudPath = "put " + listPath + " into the hosting's 微信令牌权限配置"
	hintRelay     = "the relay is not up yet: switch on the hosting's 开放接口服务, then deploy a new version"
	hintRelayed   = "the hosting's relay sent a token that was refused: does the hosting belong to this shop?"
	hintKicked    = "another system asks for tokens of this app ID, which ends ours: have one system ask, or use stable_token in all of them"
	hintCode      = "the authorization code is used up or too old: the shop must authorise the third-party platform again"

	hintPlatformID     = "check the app ID of the third-party platform"
	hintPlatformSecret = "check the app secret of the third-party platform"
	hintPlatformList   = "add this machine's outgoing IP address to the platform's whitelist"
	hintPlatformToken  = "the platform's own token was refused: the next one is asked for with the latest ticket"

	hintPlatform = "the shop's token of the platform was refused: it may have been authorised anew, or to another platform"
)

// codes is the table of all errcodes known for the order list and the calls
// around it. Reading it is the only use of it.
var codes = map[int]entry{
	-1:     {Retry, ""},
	100003: {Retry, ""},
	300000: {Retry, ""},
	990010: {Retry, ""},
	// The limit of the decode call; it passes like any other rush.
	10020198: {Retry, ""},

	40001: {Token, "the access token is not the latest: another system may fetch tokens of this app ID; use stable_token everywhere"},
	40014: {Token, "the access token is not one of this app ID"},
	42001: {Token, "the access token has expired"},

	31042:  {Shrink, "too many orders in the range: ask for a shorter one"},
	606006: {KeyRefused, "next_key does not fit the request: start the window again"},
	45011:  {Throttled, "the calls per minute are used up: lower the rate limit"},
	45009:  {Quota, "the calls of the day are used up"},

	40164:    {Wait, hintWhitelist},
	45035:    {Wait, hintWhitelist},
	61004:    {Wait, hintWhitelist},
	48001:    {Wait, "the API is not open to this token: it must be the shop's own, not a mini program's"},
	50001:    {Wait, hintAccount},
	50002:    {Wait, hintAccount},
	50004:    {Wait, hintAccount},
	61003:    {Wait, hintAuthorise},
	61005:    {Wait, hintTicket},
	61006:    {Wait, hintTicket},
	61007:    {Wait, hintSet131},
	61009:    {Wait, hintCode},
	61010:    {Wait, hintCode},
	61016:    {Wait, hintSet131},
	61017:    {Wait, hintSet131},
	61023:    {Wait, hintAuthorise},
	40243:    {Wait, "the app secret is frozen: the account's administrator can unfreeze it in its back-end, and the walk goes on by itself"},
	89501:    {Wait, "this machine's IP address waits for the confirmation of the account's administrator"},
	89503:    {Wait, "an administrator of the account must confirm this machine's calls"},
	89506:    {Wait, "the account's administrator has refused this machine's IP address twice: it is looked at again after 24 hours"},
	89507:    {Wait, "the account's administrator has refused this machine's IP address: it is looked at again after an hour"},
	10080000: {Wait, "the shop is about to be closed: see its back-end"},
	10080001: {Wait, "the shop is closed: remove it from the configuration"},
	10080002: {Wait, "the account is a talent's, not a shop's: see its back-end"},

	40097: {Stop, "a parameter is wrong: check status, openid, page size and times"},
	47001: {Stop, hintBug},
	41001: {Stop, "the call went out without an access token: please report it"},
	40002: {Stop, hintBug},
	40013: {Stop, hintAppID},
	40125: {Stop, hintSecret},
	41002: {Stop, hintAppID},
	41004: {Stop, hintSecret},
	48004: {Stop, "the API is forbidden to this account for breaking its rules: see the shop's back-end"},
	40066: {Stop, "the URL is not one of the API: check the API URL"},
	43002: {Stop, hintBug},
	43003: {Stop, "the API wants https: check the API URL"},
	44002: {Stop, hintBug},
	45002: {Stop, hintBug},
	48006: {Stop, hintClear},
	61011: {Stop, hintPlatformID},
	61014: {Stop, "the access token is of the wrong kind: the order list wants the shop's"},
	61015: {Stop, "the access token is of the wrong kind: the order list wants the shop's"},
	61024: {Stop, "the access token is of the wrong kind: the order list wants the shop's"},
	76003: {Stop, hintQuotaPath},
	76021: {Stop, hintQuotaPath},
	76022: {Stop, hintQuotaPath},

	100002:   {Stop, hintOther},
	10020003: {Stop, hintOther},
	10020004: {Stop, hintOther},
	10070004: {Stop, hintOther},
	10070006: {Stop, hintOther},
	10024000: {Stop, hintOther},
	10024001: {Stop, hintOther},
	10024003: {Stop, hintOther},
}

// lookAgain is how long the vendor refuses all calls after a code.
var lookAgain = map[int]time.Duration{89506: 24 * time.Hour, 89507: time.Hour}

// ofPlatform is the key of the platform's own calls among the exceptions.
const ofPlatform = "platform"

// exceptions are codes that ask for something else in one way of authorising,
// or mean another app ID in the platform's own calls.
var exceptions = map[string]map[int]entry{
	ofPlatform: {
		40001: {Token, hintPlatformToken}, 40014: {Token, hintPlatformToken}, 42001: {Token, hintPlatformToken},
		40013: {Stop, hintPlatformID}, 41002: {Stop, hintPlatformID},
		40125: {Stop, hintPlatformSecret}, 41004: {Stop, hintPlatformSecret},
		40164: {Wait, hintPlatformList}, 61004: {Wait, hintPlatformList},
		// There is no window to shrink and no list to begin again.
		31042: {Stop, hintOther}, 606006: {Stop, hintOther},
	},
	AuthToken:     {40001: {Token, hintKicked}},
	AuthCloudFile: {48001: {Wait, hintCloudPath}},
	AuthCloudOpen: {
		41001: {Retry, hintRelay}, 48001: {Wait, hintCloudPath},
		40001: {Retry, hintRelayed}, 40014: {Retry, hintRelayed}, 42001: {Retry, hintRelayed},
	},
	AuthComponent: {40001: {Token, hintPlatform}, 40014: {Token, hintPlatform}, 48001: {Wait, hintSet131}},
}

// by makes the exceptions of one way of authorising.
func (e *Error) by(auth string) *Error {
	if other, ok := exceptions[auth][e.Code]; ok {
		e.Class, e.Hint = other.class, other.hint
	}
	return e
}

// The old product API's codes are one block.
const firstProductCode, lastProductCode = 9401001, 9401025

// lookup tells what code asks for; known is false for a code of no table.
func lookup(code int) (e entry, known bool) {
	if code >= firstProductCode && code <= lastProductCode {
		return entry{Stop, hintOther}, true
	}
	e, known = codes[code]
	return e, known
}

// refusal is the verdict on an answer whose errcode is not 0.
func refusal(op string, status, code int, message, rid string) *Error {
	v := &Error{Op: op, Code: code, Message: message, RID: rid, HTTPStatus: status}
	e, known := lookup(code)
	if known {
		v.Class, v.Hint, v.result, v.RetryAfter = e.class, e.hint, strconv.Itoa(code), lookAgain[code]
		return v
	}
	v.result = "other_errcode"
	switch {
	case status == http.StatusForbidden:
		v.Class, v.Hint = Wait, hintWhitelist
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		v.Class = Retry // a gateway's own code
	default:
		v.Class, v.Hint, v.unknown = Stop, hintUnknown, true
	}
	return v
}

// tokenRefusal is refusal for the token endpoint, where there is no window to
// shrink and where 40001 is about the app secret, not about a token.
func tokenRefusal(op string, status, code int, message, rid string) *Error {
	v := refusal(op, status, code, message, rid)
	switch v.Class {
	case Token:
		v.Class, v.Hint = Stop, hintSecret
	case Shrink, KeyRefused:
		v.Class, v.Hint = Stop, hintOther
	}
	return v
}

// aboutSecret reports whether a verdict of tokenRefusal is that the app secret is
// wrong.
func (e *Error) aboutSecret() bool { return e.Hint == hintSecret }

// noVerdict is the verdict on an answer without an errcode and without what
// was asked for: HTML, half a document, nothing at all, or a gateway's status.
func noVerdict(op string, status int, message string) *Error {
	v := &Error{Op: op, HTTPStatus: status, Message: message, Class: Retry, result: "http_" + strconv.Itoa(status)}
	switch {
	case status >= 200 && status < 300:
		v.result = "bad_body"
	case status == http.StatusForbidden:
		v.Class, v.Hint = Wait, hintWhitelist
	case status == http.StatusPreconditionFailed:
		v.Class, v.Hint = Stop, "the gateway wants a Content-Length: check proxies between here and the API"
	case status >= 300 && status < 500 && status != http.StatusTooManyRequests:
		v.Hint = "check the API URL and proxies"
	case status < 200 || status > 599:
		v.result = "http_other"
	}
	return v
}
