package wechat

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

// fileTokens reads the token before each call; another system renews it.
type fileTokens struct {
	param  string
	what   string // "access token"
	absent string // hint if it cannot be read
	dead   string // hint if the API refused it
	read   func() (string, error)
	redact *redactor
}

func (s *fileTokens) get(context.Context) (token, error) {
	text, err := s.read()
	text = strings.TrimSpace(text)
	if err != nil || text == "" {
		message := "the " + s.what + " is empty"
		if err != nil {
			message = s.redact.text(bare(err).Error())
		}
		return token{}, &Error{Op: tokenOp, Class: Wait, Message: message, Hint: s.absent, result: "unreadable"}
	}
	s.redact.hide(text)
	return token{param: s.param, value: text}, nil
}

func (s *fileTokens) renew(ctx context.Context, used token, refusal *Error) error {
	now, err := s.get(ctx)
	if err != nil {
		return err
	}
	if now.value != used.value {
		return nil
	}
	dead := *refusal
	dead.Class, dead.Hint = Wait, s.dead
	return &dead
}

func (s *fileTokens) accepted(token) {}

// noTokens is for calls to which the hosting's relay adds the token.
type noTokens struct{}

func (noTokens) get(context.Context) (token, error) { return token{}, nil }

func (noTokens) renew(_ context.Context, _ token, refusal *Error) error { return refusal }

func (noTokens) accepted(token) {}

// externalTokens gets tokens from Config.Tokens. It makes one request at a time, so
// that callers whose token was refused together cause one new token.
type externalTokens struct {
	client *Client
	ask    func(ctx context.Context, refused string) (string, error)
	// sem is a semaphore: it holds a value during a request.
	sem chan struct{}

	mu sync.Mutex
	// serial counts the refused tokens. refusals counts consecutive ones and delays
	// the next request.
	serial   uint64
	refusals int
}

func (s *externalTokens) get(ctx context.Context) (token, error) {
	if err := s.acquire(ctx); err != nil {
		return token{}, err
	}
	defer s.release()
	return s.fetch(ctx, "")
}

func (s *externalTokens) acquire(ctx context.Context) error {
	select {
	case s.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return interrupted(tokenOp, ctx.Err(), nil)
	}
}

func (s *externalTokens) release() { <-s.sem }

// fetch calls Config.Tokens until it returns a token or an error that does not pass.
// The caller holds sem.
func (s *externalTokens) fetch(ctx context.Context, refused string) (token, error) {
	r := s.client.retries(tokenOp)
	defer r.end()
	for {
		if err := s.client.callRate.gate(ctx); err != nil {
			return token{}, interrupted(tokenOp, err, r.last)
		}
		sent := time.Now()
		text, err := s.ask(ctx, refused)
		if text = strings.TrimSpace(text); err == nil && text == "" {
			err = errors.New("Config.Tokens returned an empty access token")
		}
		if err == nil {
			s.client.redact.hide(text)
			r.passed = true
			s.mu.Lock()
			defer s.mu.Unlock()
			return token{param: "access_token", value: text, serial: s.serial}, nil
		}
		if err := r.failed(ctx, s.classify(err), sent); err != nil {
			return token{}, err
		}
	}
}

// classify turns an error of Config.Tokens into one for the list call: an *Error keeps
// its class, other errors get class Wait.
func (s *externalTokens) classify(err error) *Error {
	var v *Error
	if !errors.As(err, &v) {
		return &Error{Op: tokenOp, Class: Wait, Message: s.client.redact.text(bare(err).Error()),
			Hint: "check the shop's authorisation of the platform", result: "unreadable"}
	}
	own := *v
	if own.Class == Token {
		// The platform's token was refused, not the shop's: the next request gets
		// another.
		own.Class = Retry
	}
	return &own
}

func (s *externalTokens) renew(ctx context.Context, used token, _ *Error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	s.mu.Lock()
	late := used.serial != s.serial
	if !late {
		s.refusals++
	}
	refusals := s.refusals
	s.mu.Unlock()
	if late {
		return nil // another caller has renewed it
	}
	if refusals > 1 {
		if err := backoff.Sleep(ctx, refusalDelay(refusals)); err != nil {
			return interrupted(tokenOp, err, nil)
		}
	}
	if _, err := s.fetch(ctx, used.value); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return nil
}

func (s *externalTokens) accepted(used token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if used.serial == s.serial {
		s.refusals = 0
	}
}
