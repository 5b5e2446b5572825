package wechat

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

const (
	tokenOp   = "get access token"
	tokenPath = "/cgi-bin/stable_token"

	// Within its last five minutes stable_token hands out the next token while
	// the old one still works, so asking then costs no one his token. Tokens
	// with little time left are renewed when a third of it remains.
	renewAhead = 200 * time.Second
	// Bounds for what expires_in says: a token of 0 s would be asked for
	// before each call, and no token is documented to live beyond 2 h.
	shortestLife, longestLife = 10, 7200 // seconds
	// A renewal ahead of time that failed is tried again after this.
	earlyRetry = 30 * time.Second
)

// token is one access token; serial tells whether it is still the latest.
type token struct {
	value  string
	serial uint64
}

// tokenSource is where a client's access tokens come from: one kind for each
// way of authorising.
type tokenSource interface {
	// get returns the token to use now.
	get(ctx context.Context) (token, error)
	// renew is told that the API refused used, and returns nil when it makes
	// sense to call get and try again.
	renew(ctx context.Context, used token, refusal *Error) error
	// accepted is told that the API took used.
	accepted(used token)
}

// staticTokens reads the token anew at each call: someone else renews it.
type staticTokens struct {
	read   func() (string, error)
	redact *redactor
}

func (s *staticTokens) get(context.Context) (token, error) {
	text, err := s.read()
	if err != nil {
		return token{}, &Error{Op: tokenOp, Class: Wait, Message: s.redact.text(bare(err).Error()),
			Hint: "provide a readable access token", result: "unreadable"}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return token{}, &Error{Op: tokenOp, Class: Wait, Message: "the access token is empty",
			Hint: "provide an access token", result: "unreadable"}
	}
	s.redact.hide(text)
	return token{value: text}, nil
}

func (s *staticTokens) renew(ctx context.Context, used token, refusal *Error) error {
	now, err := s.get(ctx)
	if err != nil {
		return err
	}
	if now.value != used.value {
		return nil
	}
	dead := *refusal
	dead.Class = Wait
	dead.Hint = "the given access token is dead: provide a fresh one"
	return &dead
}

func (s *staticTokens) accepted(token) {}

// stableTokens asks stable_token in its normal mode, which returns the valid
// token to every asker and takes none from anyone. All callers share one call.
type stableTokens struct {
	client *Client
	appID  string
	secret func() (string, error)

	mu      sync.Mutex
	now     token // value "" = none
	renewAt time.Time
	deadAt  time.Time
	flight  *flight
	// refusals counts tokens in a row that the API handed out and then
	// refused; it paces the next call.
	refusals int
}

// flight is one token call that several callers wait for.
type flight struct {
	done      chan struct{} // closed when err and abandoned are set
	err       error
	abandoned bool // its caller's context ended: another one must call
}

func (s *stableTokens) get(ctx context.Context) (token, error) {
	for {
		s.mu.Lock()
		now := time.Now()
		usable := s.now.value != "" && now.Before(s.deadAt)
		if usable && (now.Before(s.renewAt) || s.flight != nil) {
			defer s.mu.Unlock()
			return s.now, nil
		}
		f := s.flight
		if f == nil {
			s.flight = &flight{done: make(chan struct{})}
			refusals := s.refusals
			s.mu.Unlock()
			if err := s.fly(ctx, usable, refusals); err != nil {
				return token{}, err
			}
			continue
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return token{}, interrupted(tokenOp, ctx.Err(), nil)
		}
		if f.err != nil && !f.abandoned {
			return token{}, f.err
		}
	}
}

// fly makes the token call that s.flight stands for. A token that is still
// usable is renewed ahead of time: one try, and its failure is no error yet.
func (s *stableTokens) fly(ctx context.Context, usable bool, refusals int) error {
	answer, err := s.fetch(ctx, usable, refusals)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flight
	s.flight = nil
	defer close(f.done)
	now := time.Now()
	switch {
	case err == nil:
		life := time.Duration(min(max(answer.seconds, shortestLife), longestLife)) * time.Second
		s.now = token{value: answer.token, serial: s.now.serial + 1}
		s.deadAt = now.Add(life)
		s.renewAt = now.Add(life - min(renewAhead, life/3))
	case ctx.Err() != nil:
		f.err, f.abandoned = interrupted(tokenOp, ctx.Err(), nil), true
	case usable:
		s.renewAt = now.Add(earlyRetry)
	default:
		f.err = err
	}
	return f.err
}

func (s *stableTokens) fetch(ctx context.Context, once bool, refusals int) (tokenResponse, error) {
	if refusals > 1 {
		delays := newBackoff(time.Second, time.Minute)
		delay := delays.NextBackOff()
		for range min(refusals-2, 10) {
			delay = delays.NextBackOff()
		}
		if err := sleep(ctx, delay); err != nil {
			return tokenResponse{}, interrupted(tokenOp, err, nil)
		}
	}
	r := s.client.retries(tokenOp)
	defer r.end()
	for {
		if err := s.client.pace.gate(ctx); err != nil {
			return tokenResponse{}, interrupted(tokenOp, err, r.last)
		}
		sent := time.Now()
		answer, v := s.ask(ctx)
		if v == nil {
			s.client.refreshed("ok")
			r.passed = true
			return answer, nil
		}
		s.client.refreshed(v.result)
		if once {
			return tokenResponse{}, v
		}
		if err := r.failed(ctx, v, sent); err != nil {
			return tokenResponse{}, err
		}
	}
}

// ask makes one token call.
func (s *stableTokens) ask(ctx context.Context) (tokenResponse, *Error) {
	redact := &s.client.redact
	secret, err := s.secret()
	secret = strings.TrimSpace(secret)
	if err != nil || secret == "" {
		message := "the app secret is empty"
		if err != nil {
			message = redact.text(bare(err).Error())
		}
		return tokenResponse{}, &Error{Op: tokenOp, Class: Wait, Message: message,
			Hint: "provide the app secret of this shop", result: "unreadable"}
	}
	redact.hide(secret)
	body, err := json.Marshal(struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", s.appID, secret, false})
	if err != nil {
		return tokenResponse{}, &Error{Op: tokenOp, Class: Stop, Message: "encode the request", result: "unreadable"}
	}
	a, err := s.client.host.post(ctx, tokenPath, "", body)
	if err != nil {
		return tokenResponse{}, lost(tokenOp, err, redact)
	}
	answer, err := parseTokenResponse(a.body)
	switch {
	case err == nil && answer.code != 0:
		message, rid := redact.message(answer.errmsg)
		return tokenResponse{}, tokenRefusal(tokenOp, a.status, answer.code, message, rid)
	case err != nil:
		return tokenResponse{}, noVerdict(tokenOp, a.status, unreadable(a, err))
	case a.status < 200 || a.status > 299:
		return tokenResponse{}, noVerdict(tokenOp, a.status, "a token under an error's status")
	}
	answer.token = strings.TrimSpace(answer.token)
	redact.hide(answer.token)
	return answer, nil
}

func (s *stableTokens) renew(ctx context.Context, used token, _ *Error) error {
	s.mu.Lock()
	if s.now.serial == used.serial && s.now.value != "" {
		// Normal mode may well return the same token again: refusals are known
		// to come and go.
		s.now.value = ""
		s.refusals++
	}
	s.mu.Unlock()
	_, err := s.get(ctx)
	return err
}

func (s *stableTokens) accepted(used token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.serial == used.serial {
		s.refusals = 0
	}
}
