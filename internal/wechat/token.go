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

	// stable_token hands out the next token within the last five minutes of one
	// that still works, and the other call leaves the old one as long to live:
	// asking then costs nobody his token. Tokens with little time left are
	// renewed when a third of it remains.
	renewAhead = 200 * time.Second
	// Bounds for what expires_in says: a token of 0 s would be asked for
	// before each call, and no token is documented to live beyond 2 h.
	shortestLife, longestLife = 10, 7200 // seconds
	// A renewal ahead of time that failed is tried again after this.
	earlyRetry = 30 * time.Second
)

// token is one access token; serial tells whether it is still the latest.
type token struct {
	param  string // its name in the query; "" = the call goes without one
	value  string
	serial uint64
}

// query is what the URL of a call with this token ends in.
func (t token) query() string {
	if t.param == "" {
		return ""
	}
	return t.param + "=" + url.QueryEscape(t.value)
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

// fetchedTokens asks for a token and keeps it for its life. All callers share one
// call.
type fetchedTokens struct {
	client *Client
	// ask makes one call for a token.
	ask func(ctx context.Context) (tokenResponse, *Error)
	// sparing: each new token ends the one before, whoever holds it, so that
	// two systems can end each other's for ever; see spare.
	sparing bool

	mu      sync.Mutex
	now     token // value "" = none
	bornAt  time.Time
	renewAt time.Time
	deadAt  time.Time
	flight  *flight
	// refusals counts tokens in a row that the API handed out and then
	// refused; it paces the next call.
	refusals int
	// early counts tokens in a row that died before their time, of a sparing
	// source; againAt is when one that was refused is tried again.
	early   int
	againAt time.Time
}

// flight is one token call that several callers wait for.
type flight struct {
	done      chan struct{} // closed when err and abandoned are set
	err       error
	abandoned bool // its caller's context ended: another one must call
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
		life := time.Duration(min(max(answer.seconds, shortestLife), longestLife)) * time.Second
		s.now = token{param: "access_token", value: answer.token, serial: s.now.serial + 1}
		s.bornAt, s.deadAt = now, now.Add(life)
		s.renewAt = now.Add(life - min(renewAhead, life/3))
		if usable {
			s.early = 0
		}
	case ctx.Err() != nil:
		f.abandoned = true
		if f.err = err; !errors.As(err, new(*Interrupted)) { // which knows what was waited for
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

// refusalDelay is how long to wait after so many refusals in a row: about a
// second after the second one, a minute at most.
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
		if wait := s.spare(time.Now()); wait > 0 {
			s.mu.Unlock()
			if err := backoff.Sleep(ctx, wait); err != nil {
				return interrupted(tokenOp, err, nil)
			}
			return nil
		}
		// Normal mode may well return the same token again: refusals are known
		// to come and go.
		s.now.value = ""
		if s.refusals++; s.sparing {
			s.refusals = 0 // spare has waited already
		}
	}
	s.mu.Unlock()
	_, err := s.get(ctx)
	return err
}

const (
	// A sparing source asks for tokens that keep dying early so far apart.
	firstApart, mostApart = time.Minute, 10 * time.Minute
)

// spare says how long to wait before a refused token is tried again, since it
// is too soon to ask for another one; 0 = ask now. Whoever ended it holds a
// token that asking would end in turn, and there are 2000 a day for all. The
// first refusal is answered at once; then the calls go 1, 2, 4, 8, 10 minutes
// apart until a token lives to its end. Two systems of the same mind end each
// other's token every five minutes, and neither stands still. Meanwhile, and
// once before each call but the first, the refused token is tried again:
// refusals are known to pass. The caller holds mu.
func (s *fetchedTokens) spare(now time.Time) time.Duration {
	if !s.sparing {
		return 0
	}
	if now.Before(s.againAt) {
		return s.againAt.Sub(now)
	}
	var apart time.Duration
	if s.early > 0 {
		apart = min(firstApart<<min(s.early-1, 10), mostApart)
	}
	left := apart - now.Sub(s.bornAt)
	if left > 0 || s.early > 0 && s.refusals == 0 {
		s.refusals++
		wait := min(refusalDelay(s.refusals+1), max(left, time.Second))
		s.againAt = now.Add(wait)
		return wait
	}
	if s.early++; s.early == 2 {
		s.client.log.Warn("tokens of this app ID die before their time: another system asks for them too, and each ends the other's; have one system ask, or use stable_token in all of them")
	}
	return 0
}

func (s *fetchedTokens) accepted(used token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.serial == used.serial {
		s.refusals = 0
	}
}
