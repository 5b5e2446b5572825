package wechat

import (
	"net/http"
	"strconv"
	"time"
)

// entry says how to react to an errcode, and what an operator can do about it.
type entry struct {
	class Class
	hint  string
}

const (
	hintAppID     = "check the app ID of this shop"
	hintSecret    = "check the app secret of this shop"
	hintWhitelist = "add this machine's outgoing IP address to the shop's whitelist"
	hintBug       = "the request is malformed: please report it with the rid"
	hintAuthorise = "have the shop authorise the third-party platform again"
	hintOther     = "this code belongs to another API: check the API URL, and report it with the rid"
	hintUnknown   = "this code is not documented: ask the vendor's support with the rid"
	hintAccount   = "the shop's account is restricted: see its back end"
	hintSet131    = "have the shop grant and confirm permission set 131"
	hintTicket    = "waiting for the platform's next component_verify_ticket"
	hintClear     = "the quota cannot be reset again today: wait until midnight in Shanghai"
	hintQuotaPath = "the API refused the quota call: check its cgi_path and token"
	hintCloudFile = "enable cloud tokens (微信令牌) for this version of the hosting and check that the folder is mounted: the vendor writes the file every 10 minutes"
	hintCloudDead = "the cloud token has expired: check that the hosting still writes its file every 10 minutes"
	hintCloudPath = "add " + listPath + " to the hosting's 微信令牌权限配置"
	hintRelay     = "the relay is not up yet: enable the hosting's 开放接口服务, then deploy a new version"
	hintRelayed   = "the API refused the token of the hosting's relay: check that the hosting belongs to this shop"
	hintKicked    = "another system fetches tokens of this app ID, which ends ours: let one system fetch them, or use stable_token in all"
	hintLent      = "the API refuses what the token server gives: check that it renews the token, and that no other system fetches tokens of this app ID"
	hintCode      = "the authorization code is used or expired: have the shop authorise the third-party platform again"

	hintPlatformID     = "check the app ID of the third-party platform"
	hintPlatformSecret = "check the app secret of the third-party platform"
	hintPlatformList   = "add this machine's outgoing IP address to the platform's whitelist"
	hintPlatformToken  = "the API refused the platform's own token: orderwalk fetches another with the latest ticket"

	hintPlatform = "the API refused the shop's token: the shop may have authorised the platform again, or another platform"
)

// codes maps all known errcodes of the order list and the calls around it. It is
// read-only. lookAgain, below it, has the waits that the vendor gives for some.
var codes = map[int]entry{
	-1:     {Retry, ""},
	100003: {Retry, ""},
	300000: {Retry, ""},
	990010: {Retry, ""},
	// Rate limit of the decode call; it passes by itself.
	10020198: {Retry, ""},

	40001: {Token, "the access token is not the latest: another system may fetch tokens of this app ID; use stable_token in all"},
	40014: {Token, "the access token is of another app ID"},
	42001: {Token, "the access token has expired"},

	31042:  {Shrink, "too many orders in the range: ask for a shorter one"},
	606006: {KeyRefused, "next_key does not match the request: restart the window"},
	45011:  {Throttled, "the calls per minute are used up: lower the rate limit"},
	45009:  {Quota, "the day's calls are used up"},

	40164:    {Wait, hintWhitelist},
	45035:    {Wait, hintWhitelist},
	61004:    {Wait, hintWhitelist},
	48001:    {Wait, "the API is closed to this token: use the shop's own token, not a mini program's"},
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
	40243:    {Wait, "the app secret is frozen: have the account's administrator unfreeze it in the back end; reading then resumes by itself"},
	89501:    {Wait, "have the account's administrator confirm this machine's IP address"},
	89503:    {Wait, "have an administrator of the account confirm this machine's calls"},
	89506:    {Wait, "the account's administrator has refused this machine's IP address twice: next attempt after 24 hours"},
	89507:    {Wait, "the account's administrator has refused this machine's IP address: next attempt after an hour"},
	10080000: {Wait, "the shop is about to be closed: see its back end"},
	10080001: {Wait, "the shop is closed: remove it from the configuration"},
	10080002: {Wait, "the account is a talent's, not a shop's: see its back end"},

	40097: {Stop, "a parameter is invalid: check status, openid, page size and times"},
	47001: {Stop, hintBug},
	41001: {Stop, "the call had no access token: please report it"},
	40002: {Stop, hintBug},
	40013: {Stop, hintAppID},
	40125: {Stop, hintSecret},
	41002: {Stop, hintAppID},
	41004: {Stop, hintSecret},
	48004: {Stop, "the vendor has banned this account from the API for breaking its rules: see the shop's back end"},
	40066: {Stop, "the URL does not belong to the API: check the API URL"},
	43002: {Stop, hintBug},
	43003: {Stop, "the API requires https: check the API URL"},
	44002: {Stop, hintBug},
	45002: {Stop, hintBug},
	48006: {Stop, hintClear},
	61011: {Stop, hintPlatformID},
	61014: {Stop, "the access token is of the wrong kind: the order list needs the shop's"},
	61015: {Stop, "the access token is of the wrong kind: the order list needs the shop's"},
	61024: {Stop, "the access token is of the wrong kind: the order list needs the shop's"},
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

// lookAgain is how long the vendor refuses all calls after such a code. A shop waits
// at least so long; the others look again after 1 to 10 minutes.
var lookAgain = map[int]time.Duration{89506: 24 * time.Hour, 89507: time.Hour}

// platformAuth is the key of the platform's own calls in overrides.
const platformAuth = "platform"

// serverAuth is the auth of clients whose token a token server gives; AuthStatic to
// callers.
const serverAuth = "token server"

// overrides replaces entries of codes for one auth, or for the platform's own calls,
// where a code means another app ID.
var overrides = map[string]map[int]entry{
	platformAuth: {
		40001: {Token, hintPlatformToken}, 40014: {Token, hintPlatformToken}, 42001: {Token, hintPlatformToken},
		40013: {Stop, hintPlatformID}, 41002: {Stop, hintPlatformID},
		40125: {Stop, hintPlatformSecret}, 41004: {Stop, hintPlatformSecret},
		40164: {Wait, hintPlatformList}, 61004: {Wait, hintPlatformList},
		// These calls have no window to shrink or to restart.
		31042: {Stop, hintOther}, 606006: {Stop, hintOther},
	},
	AuthToken:     {40001: {Token, hintKicked}},
	serverAuth:    {40001: {Token, hintLent}, 40014: {Token, hintLent}, 42001: {Token, hintLent}},
	AuthCloudFile: {48001: {Wait, hintCloudPath}},
	AuthCloudOpen: {
		41001: {Retry, hintRelay}, 48001: {Wait, hintCloudPath},
		40001: {Retry, hintRelayed}, 40014: {Retry, hintRelayed}, 42001: {Retry, hintRelayed},
	},
	AuthComponent: {40001: {Token, hintPlatform}, 40014: {Token, hintPlatform}, 48001: {Wait, hintSet131}},
}

// forAuth applies the overrides of one auth.
func (e *Error) forAuth(auth string) *Error {
	if other, ok := overrides[auth][e.Code]; ok {
		e.Class, e.Hint = other.class, other.hint
	}
	return e
}

// The old product API's codes are one block.
const firstProductCode, lastProductCode = 9401001, 9401025

// lookup returns the entry of code; known reports whether the vendor documents it.
func lookup(code int) (e entry, known bool) {
	if code >= firstProductCode && code <= lastProductCode {
		return entry{Stop, hintOther}, true
	}
	e, known = codes[code]
	return e, known
}

// errcodeError returns the error for an answer whose errcode is not 0.
func errcodeError(op string, status, code int, message, rid string) *Error {
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
		v.Class = Retry // the gateway's code, not the API's
	default:
		v.Class, v.Hint, v.unknown = Stop, hintUnknown, true
	}
	return v
}

// tokenErrcodeError is errcodeError for the token endpoint. There is no window to
// shrink, and 40001 means the app secret, not a token.
func tokenErrcodeError(op string, status, code int, message, rid string) *Error {
	v := errcodeError(op, status, code, message, rid)
	switch v.Class {
	case Token:
		v.Class, v.Hint = Stop, hintSecret
	case Shrink, KeyRefused:
		v.Class, v.Hint = Stop, hintOther
	}
	return v
}

// aboutSecret reports whether an error of tokenErrcodeError says that the app secret
// is wrong.
func (e *Error) aboutSecret() bool { return e.Hint == hintSecret }

// badAnswer returns the error for an answer without an errcode and without the
// expected content: HTML, half a document, an empty body, or a gateway's status.
func badAnswer(op string, status int, message string) *Error {
	v := &Error{Op: op, HTTPStatus: status, Message: message, Class: Retry, result: "http_" + strconv.Itoa(status)}
	switch {
	case status >= 200 && status < 300:
		v.result, v.Hint = "bad_body", "if this persists, check what answers at the API URL"
	case status == http.StatusForbidden:
		v.Class, v.Hint = Wait, hintWhitelist
	case status == http.StatusPreconditionFailed:
		v.Class, v.Hint = Stop, "the gateway requires a Content-Length: check proxies between this machine and the API"
	case status >= 300 && status < 500 && status != http.StatusTooManyRequests:
		v.Hint = "check the API URL and proxies"
	case status < 200 || status > 599:
		v.result = "http_other"
	}
	return v
}
