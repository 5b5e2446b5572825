package wechat

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

// fileTokens reads the token anew at each call: someone else renews it.
type fileTokens struct {
	param  string
	what   string // "access token"
	absent string // hint for one that cannot be read
	dead   string // hint for one that was refused
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

// noTokens is for calls that somebody else adds the token to.
type noTokens struct{}

func (noTokens) get(context.Context) (token, error) { return token{}, nil }

func (noTokens) renew(_ context.Context, _ token, refusal *Error) error { return refusal }

func (noTokens) accepted(token) {}

// externalTokens asks Config.Tokens, which keeps them; one question at a time, so
// that callers who were refused together cost one new token.
type externalTokens struct {
	client *Client
	ask    func(ctx context.Context, refused string) (string, error)
	// turn holds a word while a question is being asked.
	turn chan struct{}

	mu sync.Mutex
	// serial counts the tokens that were refused; refusals those in a row, which
	// pace the next question.
	serial   uint64
	refusals int
}

func (s *externalTokens) get(ctx context.Context) (token, error) {
	if err := s.take(ctx); err != nil {
		return token{}, err
	}
	defer s.leave()
	return s.question(ctx, "")
}

func (s *externalTokens) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return interrupted(tokenOp, ctx.Err(), nil)
	}
}

func (s *externalTokens) leave() { <-s.turn }

// question asks until there is a token or an error that does not pass. The
// caller has the turn.
func (s *externalTokens) question(ctx context.Context, refused string) (token, error) {
	r := s.client.retries(tokenOp)
	defer r.end()
	for {
		if err := s.client.pace.gate(ctx); err != nil {
			return token{}, interrupted(tokenOp, err, r.last)
		}
		sent := time.Now()
		text, err := s.ask(ctx, refused)
		if text = strings.TrimSpace(text); err == nil && text == "" {
			err = errors.New("no access token was given")
		}
		if err == nil {
			s.client.redact.hide(text)
			r.passed = true
			s.mu.Lock()
			defer s.mu.Unlock()
			return token{param: "access_token", value: text, serial: s.serial}, nil
		}
		if err := r.failed(ctx, s.verdict(err), sent); err != nil {
			return token{}, err
		}
	}
}

// verdict is what an error of Tokens asks of the list call: what it says when
// it is one of this package, a wait otherwise.
func (s *externalTokens) verdict(err error) *Error {
	var v *Error
	if !errors.As(err, &v) {
		return &Error{Op: tokenOp, Class: Wait, Message: s.client.redact.text(bare(err).Error()),
			Hint: "see how this shop is authorised to the platform", result: "unreadable"}
	}
	own := *v
	if own.Class == Token {
		// The platform's token, not the shop's: the next question gets another.
		own.Class = Retry
	}
	return &own
}

func (s *externalTokens) renew(ctx context.Context, used token, _ *Error) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	late := used.serial != s.serial
	if !late {
		s.refusals++
	}
	refusals := s.refusals
	s.mu.Unlock()
	if late {
		return nil // another caller had it renewed
	}
	if refusals > 1 {
		if err := backoff.Sleep(ctx, refusalDelay(refusals)); err != nil {
			return interrupted(tokenOp, err, nil)
		}
	}
	if _, err := s.question(ctx, used.value); err != nil {
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
