package wechat

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

const (
	tokenOp = "get access token"

	// Within a token's last five minutes stable_token hands out the next one while the
	// old one still works, and the older call leaves the old token five more minutes.
	// So renewing then costs other systems nothing. Tokens with a short lifetime are
	// renewed when a third of it remains.
	renewAhead = 200 * time.Second
	// Bounds for expires_in: a token of 1 s would be renewed before each call, and the
	// vendor documents no token that lives longer than 2 h.
	shortestLife, longestLife = 10, 7200 // seconds
	// earlyRetry is the wait after a failed early renewal.
	earlyRetry = 30 * time.Second
)

// token is one access token. serial identifies it among the tokens of its source.
type token struct {
	param  string // query parameter; "" = the call has no token
	value  string
	serial uint64
}

// query returns the token as a URL query.
func (t token) query() string {
	if t.param == "" {
		return ""
	}
	return t.param + "=" + url.QueryEscape(t.value)
}

// tokenSource provides a client's access tokens; one implementation for each kind of
// auth.
type tokenSource interface {
	// get returns the token to use now.
	get(ctx context.Context) (token, error)
	// renew handles a refused token. It returns nil if the caller should call get and
	// try again.
	renew(ctx context.Context, used token, refusal *Error) error
	// accepted records that the API accepted the token.
	accepted(used token)
}

// fetchedTokens fetches a token and keeps it for its lifetime. Concurrent callers
// share one token call.
type fetchedTokens struct {
	client *Client
	// ask makes one token call.
	ask func(ctx context.Context) (tokenResponse, *Error)
	// revoking: each new token ends the one before, also one that another system
	// holds, so that two systems could end each other's without limit; see
	// renewalDelay.
	revoking bool
	// lending: another system renews the token, so a call may return the refused one;
	// see repeatDelay.
	lending bool

	mu      sync.Mutex
	now     token // current token; value "" = none
	bornAt  time.Time
	renewAt time.Time
	deadAt  time.Time
	flight  *flight
	// refusals counts consecutive tokens that the API issued and then refused; it
	// delays the next token call.
	refusals int
	// early counts consecutive tokens that ended before their time, of a revoking
	// source; retryAt is when a refused one is tried again.
	early   int
	retryAt time.Time
	// latest is the value of the latest token, also when it was refused. repeats
	// counts how often in a row a lending source gave a refused one again; askAt is
	// when it may be asked because of the next refusal.
	latest  string
	repeats int
	askAt   time.Time
}

// flight is one token call that several callers wait for.
type flight struct {
	done      chan struct{} // closed when err and abandoned are set
	err       error
	abandoned bool // the context of the calling goroutine ended: another must call
}

func (s *fetchedTokens) get(ctx context.Context) (token, error) {
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
			if s.repeats > 0 {
				refusals = 0 // repeatDelay has waited already
			}
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

// fly makes the token call of s.flight. For a token that is still usable it makes one
// attempt, whose failure is not an error yet.
func (s *fetchedTokens) fly(ctx context.Context, usable bool, refusals int) error {
	answer, err := s.fetch(ctx, usable, refusals)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flight
	s.flight = nil
	defer close(f.done)
	now := time.Now()
	switch {
	case err == nil:
		life := lifetime(answer.seconds).duration()
		s.now = token{param: "access_token", value: answer.token, serial: s.now.serial + 1}
		s.bornAt, s.deadAt = now, now.Add(life)
		s.noteRepeat(answer.token, usable)
		s.renewAt = now.Add(life - min(renewAhead, life/3))
		if usable {
			s.early = 0
		}
	case ctx.Err() != nil:
		f.abandoned = true
		if f.err = err; !errors.As(err, new(*Interrupted)) { // Interrupted keeps the last failure
			f.err = interrupted(tokenOp, ctx.Err(), nil)
		}
	case usable:
		s.renewAt = now.Add(earlyRetry)
	default:
		f.err = err
	}
	return f.err
}

func (s *fetchedTokens) fetch(ctx context.Context, once bool, refusals int) (tokenResponse, error) {
	if refusals > 1 {
		if err := backoff.Sleep(ctx, refusalDelay(refusals)); err != nil {
			return tokenResponse{}, interrupted(tokenOp, err, nil)
		}
	}
	r := s.client.retries(tokenOp)
	defer r.end()
	for {
		if err := s.client.callRate.gate(ctx); err != nil {
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

// refusalDelay returns the wait after that many consecutive refusals: about a second
// after the second one, at most a minute.
func refusalDelay(refusals int) time.Duration {
	delays := backoff.New(time.Second, time.Minute)
	delay := delays.Next()
	for range min(refusals-2, 10) {
		delay = delays.Next()
	}
	return delay
}

func (s *fetchedTokens) renew(ctx context.Context, used token, _ *Error) error {
	s.mu.Lock()
	if s.now.serial == used.serial && s.now.value != "" {
		if wait := s.renewalDelay(time.Now()); wait > 0 {
			s.mu.Unlock()
			if err := backoff.Sleep(ctx, wait); err != nil {
				return interrupted(tokenOp, err, nil)
			}
			return nil
		}
		// Normal mode may return the same token again; refusals are known to come and
		// go.
		s.now.value = ""
		if s.refusals++; s.revoking {
			s.refusals = 0 // renewalDelay has waited already
		}
	}
	s.mu.Unlock()
	_, err := s.get(ctx)
	return err
}

const (
	// A revoking source fetches tokens that keep ending early this far apart.
	firstApart, mostApart = time.Minute, 10 * time.Minute
)

// renewalDelay returns how long to wait before a refused token is tried again, because
// it is too early to fetch another; 0 = fetch now. The system that ended our token
// holds one that fetching would end in turn, and all systems share 2000 tokens a day.
//
// After the first refusal the client fetches at once; then 1, 2, 4, 8 and 10 minutes
// apart, until a token lives to its end. Two systems that both do so end each other's
// token every five minutes, and neither stops. Meanwhile, and once before each fetch
// but the first, the refused token is tried again, because refusals are known to pass.
// The caller holds mu.
func (s *fetchedTokens) renewalDelay(now time.Time) time.Duration {
	switch {
	case s.lending:
		return s.repeatDelay(now)
	case !s.revoking:
		return 0
	}
	if now.Before(s.retryAt) {
		return s.retryAt.Sub(now)
	}
	var apart time.Duration
	if s.early > 0 {
		apart = min(firstApart<<min(s.early-1, 10), mostApart)
	}
	left := apart - now.Sub(s.bornAt)
	if left > 0 || s.early > 0 && s.refusals == 0 {
		s.refusals++
		wait := min(refusalDelay(s.refusals+1), max(left, time.Second))
		s.retryAt = now.Add(wait)
		return wait
	}
	if s.early++; s.early == 2 {
		s.client.log().Warn("tokens of this app ID end early: another system fetches them too, and each fetch ends the other's token; let one system fetch them, or use stable_token in all")
	}
	return 0
}

// noteRepeat counts a refused token that a lending source gave again. early reports
// that the call was an early renewal. The caller holds mu.
func (s *fetchedTokens) noteRepeat(value string, early bool) {
	switch {
	case value != s.latest:
		s.latest, s.repeats = value, 0
	case s.lending && !early:
		s.repeats++
		s.askAt = s.bornAt.Add(refusalDelay(s.repeats + 1))
	}
}

// repeatDelay is renewalDelay for a lending source. The first refusal of a token makes
// the client ask at once. If it gets the same token, it asks about a second later, then
// 2, 4, 8 … up to 60 seconds apart, until it gets another; also if the API accepts the
// token in between. Meanwhile the refused token is tried again. The caller holds mu.
func (s *fetchedTokens) repeatDelay(now time.Time) time.Duration {
	if now.Before(s.retryAt) {
		return s.retryAt.Sub(now)
	}
	left := s.askAt.Sub(now)
	if s.repeats == 0 || left <= 0 {
		return 0
	}
	s.refusals++
	wait := min(refusalDelay(s.refusals+1), max(left, time.Second))
	s.retryAt = now.Add(wait)
	return wait
}

func (s *fetchedTokens) accepted(used token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.serial == used.serial {
		s.refusals = 0
	}
}
