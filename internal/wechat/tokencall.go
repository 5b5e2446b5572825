package wechat

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
)

const (
	stableTokenPath = "/cgi-bin/stable_token"
	plainTokenPath  = "/cgi-bin/token"
)

// tokenCalls fetches a shop's tokens with its app ID and secret.
type tokenCalls struct {
	client *Client
	appID  string
	secret func() (string, error)
	inFile bool // see Config.SecretInFile
	warned sync.Once
}

// stable calls stable_token in its normal mode, which returns the same valid token to
// every caller.
func (t *tokenCalls) stable(ctx context.Context) (tokenResponse, *Error) {
	secret, v := t.readSecret()
	if v != nil {
		return tokenResponse{}, v
	}
	body, err := json.Marshal(struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", t.appID, secret, false})
	if err != nil {
		return tokenResponse{}, &Error{Op: tokenOp, Class: Stop, Message: "encode the request", result: "unreadable"}
	}
	return t.ask(ctx, outgoing{path: stableTokenPath, body: body})
}

// plain fetches a new token, which ends the previous one within five minutes.
func (t *tokenCalls) plain(ctx context.Context) (tokenResponse, *Error) {
	secret, v := t.readSecret()
	if v != nil {
		return tokenResponse{}, v
	}
	query := url.Values{"grant_type": {"client_credential"}, "appid": {t.appID}, "secret": {secret}}
	answer, v := t.ask(ctx, outgoing{path: plainTokenPath, query: query.Encode()})
	if v == nil {
		t.warned.Do(func() {
			t.client.log().Warn("auth is token: each new token ends the previous one, also in other systems that use this app ID; stable_token avoids this")
		})
	}
	return answer, v
}

func (t *tokenCalls) readSecret() (string, *Error) {
	redact := &t.client.redact
	secret, err := t.secret()
	secret = strings.TrimSpace(secret)
	if err != nil || secret == "" {
		message := "the app secret is empty"
		if err != nil {
			message = redact.text(bare(err).Error())
		}
		return "", &Error{Op: tokenOp, Class: Wait, Message: message,
			Hint: "provide the app secret of this shop", result: "unreadable"}
	}
	redact.hide(secret)
	return secret, nil
}

func (t *tokenCalls) ask(ctx context.Context, out outgoing) (tokenResponse, *Error) {
	redact := &t.client.redact
	a, err := t.client.host.send(ctx, out)
	if err != nil {
		return tokenResponse{}, noAnswer(tokenOp, err, redact)
	}
	answer, err := parseTokenResponse(a.body)
	switch {
	case err == nil && answer.code != 0:
		message, rid := redact.message(answer.errmsg)
		v := tokenErrcodeError(tokenOp, a.status, answer.code, message, rid).datedBy(t.client.host.APINow()).withRetryAfter(a)
		if t.inFile && v.aboutSecret() {
			v.Class = Wait
		}
		return tokenResponse{}, v
	case err != nil:
		return tokenResponse{}, badAnswer(tokenOp, a.status, unreadable(a, err)).withRetryAfter(a)
	case a.status < 200 || a.status > 299:
		return tokenResponse{}, badAnswer(tokenOp, a.status, "a token under an error's status").withRetryAfter(a)
	}
	answer.token = strings.TrimSpace(answer.token)
	redact.hide(answer.token)
	return answer, nil
}
