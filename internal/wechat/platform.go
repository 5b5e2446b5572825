package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	componentTokenOp  = "get component token"
	queryAuthOp       = "exchange authorization code"
	authorizerTokenOp = "get authorizer token"
	authorizersOp     = "list authorizers"
	startTicketsOp    = "start ticket push"

	componentTokenPath  = "/cgi-bin/component/api_component_token"
	queryAuthPath       = "/cgi-bin/component/api_query_auth"
	authorizerTokenPath = "/cgi-bin/component/api_authorizer_token"
	authorizersPath     = "/cgi-bin/component/api_get_authorizer_list"
	startTicketsPath    = "/cgi-bin/component/api_start_push_ticket"

	authorizersPage = 500    // the API's maximum
	maxAuthorizers  = 200000 // a longer list is taken for endless
	maxLeaving      = 100    // shops that may leave while the list is read
)

// Platform makes the calls of a third-party platform, which reads shops that have
// authorised it. Each method is one of the vendor's calls: it makes one attempt,
// stores nothing and retries nothing. Errors are of type *Error, and Class says what
// to do. Token means that the API refused the component token; get another with
// ComponentToken.
//
//	ticket (pushed every 10 minutes) ─► ComponentToken ─► component token, 2 h
//	authorization code (pushed) ─► QueryAuth ─► the shop's access and refresh token
//	refresh token ─► AuthorizerToken ─► another access token, 2 h, and perhaps another refresh token
//
// Safe for concurrent use.
type Platform struct {
	// Host sends the calls; clients and platform share it.
	Host *Host
	// AppID is the platform's app ID.
	AppID string
	// Secret returns the platform's app secret; called before each API call that needs
	// it.
	Secret func() (string, error)
}

// ComponentToken is the platform's own access token.
type ComponentToken struct {
	Value string
	// Life is how long the token is valid, counted from the answer.
	Life time.Duration
}

// Authorization holds the tokens that a shop's authorisation gives.
type Authorization struct {
	AppID string
	// AccessToken is valid for Life. It and RefreshToken are empty if the shop has
	// granted no permission set that contains an API.
	AccessToken string
	Life        time.Duration
	// RefreshToken is the refresh token to use from now on. Store it before using the
	// access token: the first use of that may end the previous refresh token.
	RefreshToken string
	// Sets are the permission sets that the shop has granted, as returned by
	// QueryAuth; the order list is in 131.
	Sets []int
}

// Authorizer is a shop that has authorised the platform.
type Authorizer struct {
	AppID, RefreshToken string
	// AuthorizedAt is when the shop authorised the platform; zero = unknown.
	AuthorizedAt time.Time
}

// ComponentToken gets a component token for the latest verify ticket.
func (p *Platform) ComponentToken(ctx context.Context, ticket string) (ComponentToken, error) {
	secret, v := p.readSecret(componentTokenOp)
	if v != nil {
		return ComponentToken{}, v
	}
	var answer struct {
		Token string   `json:"component_access_token"`
		Life  lifetime `json:"expires_in"`
	}
	v = p.call(ctx, platformCall{op: componentTokenOp, path: componentTokenPath, hidden: []string{secret, ticket}, body: map[string]any{
		"component_appid": p.AppID, "component_appsecret": secret, "component_verify_ticket": ticket,
	}}, &answer, func() bool { return strings.TrimSpace(answer.Token) != "" })
	if v != nil {
		return ComponentToken{}, v.ofSecret()
	}
	return ComponentToken{Value: answer.Token, Life: answer.Life.duration()}, nil
}

// QueryAuth exchanges an authorization code, which is valid once and for an hour.
func (p *Platform) QueryAuth(ctx context.Context, componentToken, code string) (Authorization, error) {
	var answer struct {
		Info struct {
			authorizerAnswer
			AppID string `json:"authorizer_appid"`
			Sets  []struct {
				Category struct {
					ID number `json:"id"`
				} `json:"funcscope_category"`
			} `json:"func_info"`
		} `json:"authorization_info"`
	}
	v := p.call(ctx, platformCall{op: queryAuthOp, path: queryAuthPath, token: componentToken, hidden: []string{code}, body: map[string]any{
		"component_appid": p.AppID, "authorization_code": code,
	}}, &answer, func() bool { return answer.Info.AppID != "" })
	if v != nil {
		return Authorization{}, v
	}
	got := answer.Info.authorization(answer.Info.AppID)
	for _, set := range answer.Info.Sets {
		got.Sets = append(got.Sets, int(set.Category.ID))
	}
	return got, nil
}

// AuthorizerToken gets a shop's access token. The returned RefreshToken replaces the
// one passed in, and may be the same.
func (p *Platform) AuthorizerToken(ctx context.Context, componentToken, appID, refreshToken string) (Authorization, error) {
	var answer authorizerAnswer
	v := p.call(ctx, platformCall{op: authorizerTokenOp, path: authorizerTokenPath, token: componentToken, hidden: []string{refreshToken}, body: map[string]any{
		"component_appid": p.AppID, "authorizer_appid": appID, "authorizer_refresh_token": refreshToken,
	}}, &answer, func() bool { return strings.TrimSpace(answer.Access) != "" })
	if v != nil {
		return Authorization{}, v
	}
	got := answer.authorization(appID)
	if got.RefreshToken == "" {
		got.RefreshToken = refreshToken
	}
	return got, nil
}

// Authorizers lists all shops that have authorised the platform, each once, by as many
// calls as it takes. If an answer leaves something out, or the list gets shorter while
// it is read, it returns an error of class Retry: the caller would take a missing shop
// for one that has not authorised the platform.
func (p *Platform) Authorizers(ctx context.Context, componentToken string) ([]Authorizer, error) {
	all, _, err := p.AuthorizersWhole(ctx, componentToken)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// listedAuthorizer is an entry of the list.
type listedAuthorizer struct {
	AppID   string `json:"authorizer_appid"`
	Refresh string `json:"refresh_token"`
	At      number `json:"auth_time"`
}

func (a listedAuthorizer) complete() bool {
	return a.AppID != "" && strings.TrimSpace(a.Refresh) != ""
}

// AuthorizersWhole is Authorizers that also reports whether the list is whole: every page
// had the same total and began with the last shop of the page before, and it lists that
// many shops. If a shop leaves while the list is read, the others move up, and one may move
// between two pages unseen; another that joins meanwhile hides that in the total. Entries
// without an app ID or a refresh token are left out. With an error it returns the shops
// listed before.
func (p *Platform) AuthorizersWhole(ctx context.Context, componentToken string) (all []Authorizer, whole bool, err error) {
	whole = true
	at := make(map[string]int)
	total := int64(0)
	last := "" // app ID of the entry that the next page is asked to begin with
	for offset := 0; offset < maxAuthorizers; {
		var answer struct {
			Total *number            `json:"total_count"`
			List  []listedAuthorizer `json:"list"`
		}
		v := p.call(ctx, platformCall{op: authorizersOp, path: authorizersPath, token: componentToken, body: map[string]any{
			"component_appid": p.AppID, "offset": offset, "count": authorizersPage,
		}}, &answer, func() bool {
			if answer.Total == nil || answer.List == nil {
				return false
			}
			now, listed := int64(*answer.Total), int64(offset+len(answer.List))
			if len(answer.List) == 0 && (now > listed || now < total) || now+maxLeaving < listed {
				return false
			}
			return len(answer.List) == 0 || slices.ContainsFunc(answer.List, listedAuthorizer.complete)
		})
		if v != nil {
			return all, false, v
		}
		known := len(all)
		whole = whole && (last == "" || total == int64(*answer.Total) && len(answer.List) > 0 && answer.List[0].AppID == last)
		total = int64(*answer.Total)
		for _, shop := range answer.List {
			if !shop.complete() {
				whole = false
				continue
			}
			one := Authorizer{AppID: shop.AppID, RefreshToken: strings.TrimSpace(shop.Refresh)}
			if shop.At > 0 {
				one.AuthorizedAt = time.Unix(int64(shop.At), 0)
			}
			// Shops that join or leave meanwhile shift the others between pages.
			if i, seen := at[one.AppID]; seen {
				all[i] = one
				continue
			}
			at[one.AppID] = len(all)
			all = append(all, one)
		}
		if offset += len(answer.List); int64(offset) >= int64(*answer.Total) {
			return all, whole && int64(len(all)) == total, nil
		}
		if len(all) == known {
			// Every further call would return the same page.
			return all, false, badAnswer(authorizersOp, http.StatusOK, "a page of the list only repeats shops of previous pages")
		}
		if last = ""; len(answer.List) > 1 { // else it would be asked for the same page
			offset, last = offset-1, answer.List[len(answer.List)-1].AppID
		}
		whole = whole && last != ""
	}
	return all, false, &Error{Op: authorizersOp, Class: Stop, Message: "the list has no end", Hint: hintBug, result: "bad_body"}
}

// StartTicketPush makes the vendor push verify tickets (again).
func (p *Platform) StartTicketPush(ctx context.Context) error {
	secret, v := p.readSecret(startTicketsOp)
	if v != nil {
		return v
	}
	v = p.call(ctx, platformCall{op: startTicketsOp, path: startTicketsPath, hidden: []string{secret}, body: map[string]any{
		"component_appid": p.AppID, "component_secret": secret,
	}}, &struct{}{}, func() bool { return true })
	if v != nil {
		return v.ofSecret()
	}
	return nil
}

// authorizerAnswer is the common part of two answers.
type authorizerAnswer struct {
	Access  string   `json:"authorizer_access_token"`
	Life    lifetime `json:"expires_in"`
	Refresh string   `json:"authorizer_refresh_token"`
}

func (a authorizerAnswer) authorization(appID string) Authorization {
	return Authorization{AppID: appID, AccessToken: strings.TrimSpace(a.Access), Life: a.Life.duration(), RefreshToken: strings.TrimSpace(a.Refresh)}
}

func (p *Platform) readSecret(op string) (string, *Error) {
	if p.Host == nil || p.AppID == "" || p.Secret == nil {
		return "", &Error{Op: op, Class: Stop, Message: "no host, app ID or app secret of the platform", Hint: "a platform needs all three"}
	}
	secret, err := p.Secret()
	secret = strings.TrimSpace(secret)
	if err == nil && secret == "" {
		err = errors.New("the platform's app secret is empty")
	}
	if err != nil {
		return "", &Error{Op: op, Class: Wait, Message: new(redactor).text(bare(err).Error()),
			Hint: "provide the platform's app secret", result: "unreadable"}
	}
	return secret, nil
}

// platformCall is one API call of a platform.
type platformCall struct {
	op, path string
	token    string   // component token; "" = not needed
	hidden   []string // secrets to redact from errors, besides the token
	body     map[string]any
}

// call makes one API call and decodes the body into answer; whole reports whether the
// answer then is complete.
func (p *Platform) call(ctx context.Context, call platformCall, answer any, whole func() bool) *Error {
	if p.Host == nil {
		return &Error{Op: call.op, Class: Stop, Message: "no host", Hint: "a platform needs one"}
	}
	if err := p.Host.open(); err != nil {
		return &Error{Op: call.op, Class: Stop, Message: "API URL cannot be used: " + err.Error(), Hint: "check the API URL"}
	}
	var clean redactor
	for _, word := range append(call.hidden, call.token) {
		clean.hide(word)
	}
	body, err := json.Marshal(call.body)
	if err != nil {
		return &Error{Op: call.op, Class: Stop, Message: "encode the request"}
	}
	out := outgoing{path: call.path, body: body}
	if call.token != "" {
		out.query = token{param: "component_access_token", value: call.token}.query()
	}
	a, err := p.Host.send(ctx, out)
	if err != nil {
		return noAnswer(call.op, err, &clean)
	}
	var head struct {
		Code    number `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal([]byte(a.body), &head); err != nil {
		return badAnswer(call.op, a.status, unreadable(a, withoutQuote(err))).withRetryAfter(a)
	}
	if head.Code != 0 {
		message, rid := clean.message(head.Message)
		return errcodeError(call.op, a.status, int(head.Code), message, rid).forAuth(platformAuth).datedBy(p.Host.APINow()).withRetryAfter(a)
	}
	if err := json.Unmarshal([]byte(a.body), answer); err != nil {
		return badAnswer(call.op, a.status, unreadable(a, withoutQuote(err))).withRetryAfter(a)
	}
	switch {
	case a.status < 200 || a.status > 299:
		return badAnswer(call.op, a.status, "an answer under an error's status").withRetryAfter(a)
	case !whole():
		return badAnswer(call.op, a.status, unreadable(a, errors.New("neither an errcode nor what was asked for"))).withRetryAfter(a)
	}
	return nil
}

// ofSecret adapts the error of a call that sends the app secret: there 40001 means
// that the secret is wrong.
func (e *Error) ofSecret() *Error {
	if e.Class == Token {
		e.Class, e.Hint = Stop, hintPlatformSecret
	}
	return e
}
