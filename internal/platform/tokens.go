package platform

import (
	"context"
	"errors"
	"time"

	"orderwalk/internal/wechat"
)

const (
	tokensOp = "get authorizer token"
	// askPatience is how long Tokens waits for the keeper before it returns an error
	// that names the missing part.
	askPatience = 5 * time.Second
)

// Tokens returns the source of a shop's access tokens for [wechat.Config.Tokens]. When a
// token expires is written by the keeper's clock. If it has expired by this machine's and
// the keeper sends no other, one of the clocks may be wrong: it is used, and the API
// decides.
func (s *State) Tokens(shop string) func(ctx context.Context, refused string) (string, error) {
	var waited, dead string // tokens: that has been waited for in vain, that the API has refused
	return func(ctx context.Context, refused string) (string, error) {
		deadline := time.NewTimer(askPatience)
		defer deadline.Stop()
		told := false
		if refused != "" {
			dead = refused
		}
		for {
			t, changed := s.store.shop(shop)
			usable := t.Access != "" && time.Now().Unix() < t.expires
			news, _ := t.news()
			switch {
			case t.problem != "" && news:
				// The reason for the refusal may be gone: the keeper finds out.
			case t.problem != "":
				return "", &wechat.Error{Op: tokensOp, Class: wechat.Wait, Code: t.errcode, Message: t.problem}
			case usable && t.Access != refused, waited != "" && t.Access == waited && t.Access != dead:
				return t.Access, nil
			case t.Access != "" && t.Access == refused && !told && t.refused != fingerprint(refused):
				told = true
				err := s.post(ctx, record{name: s.of(shop, kindRefused), value: value{At: time.Now().Unix(), Token: fingerprint(refused)}})
				if err != nil {
					return "", &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "request another token: " + err.Error()}
				}
			}
			select {
			case <-changed:
			case <-deadline.C:
				if t.Access != "" && t.Access != dead {
					waited = t.Access
					return waited, nil
				}
				return "", s.missing()
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	}
}

// ErrNoTicket is the reason for which a platform that has just been set up has no tokens.
var ErrNoTicket = errors.New("the platform has no verify ticket yet")

// missing returns an error that names the missing ticket or token.
func (s *State) missing() *wechat.Error {
	known, _ := s.store.snapshot()
	e := &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "no access token yet", Hint: "the worker that refreshes the platform's tokens fetches it; see that worker's log"}
	switch now := time.Now().Unix(); {
	case known.ticket.text == "":
		e.Message, e.Err = ErrNoTicket.Error(), ErrNoTicket
		e.Hint = "the vendor pushes one every 10 minutes to /push/component/" + s.cfg.Component
	case known.token.text == "" || now >= known.token.expires:
		e.Message = "the platform has no access token yet"
	}
	return e
}

// Version returns a text that changes when a waiting shop may get a token.
func (s *State) Version(shop string) string {
	t, _ := s.store.shop(shop)
	return fingerprint(t.Access+t.problem) + t.told
}
