package platform

import (
	"context"
	"errors"
	"time"

	"orderwalk/internal/wechat"
)

const (
	tokensOp = "get authorizer token"
	// askPatience is how long Tokens waits for the keeper before it says what it
	// waits for.
	askPatience = 5 * time.Second
)

// Tokens is where a shop's client gets its access tokens: see
// [wechat.Config.Tokens].
func (s *State) Tokens(shop string) func(ctx context.Context, refused string) (string, error) {
	return func(ctx context.Context, refused string) (string, error) {
		deadline := time.NewTimer(askPatience)
		defer deadline.Stop()
		told := false
		for {
			t, changed := s.store.shop(shop)
			usable := t.Access != "" && time.Now().Unix() < t.expires
			news, _ := t.news()
			switch {
			case t.problem != "" && news:
				// What it was refused for may be over: the keeper finds out.
			case t.problem != "":
				return "", &wechat.Error{Op: tokensOp, Class: wechat.Wait, Code: t.errcode, Message: t.problem}
			case usable && t.Access != refused:
				return t.Access, nil
			case usable && !told && t.refused != fingerprint(refused):
				told = true
				err := s.post(ctx, record{name: s.of(shop, kindRefused), value: value{At: time.Now().Unix(), Token: fingerprint(refused)}})
				if err != nil {
					return "", &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "ask for another token: " + err.Error()}
				}
			}
			select {
			case <-changed:
			case <-deadline.C:
				return "", s.missing()
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	}
}

// ErrNoTicket is a platform that cannot ask for its token.
var ErrNoTicket = errors.New("the platform has no verify ticket yet")

// missing says what there is no token for.
func (s *State) missing() *wechat.Error {
	known, _ := s.store.snapshot()
	e := &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "no access token yet", Hint: "the worker that has the group's ledger fetches it; see its log"}
	switch now := time.Now().Unix(); {
	case known.ticket.text == "":
		e.Message, e.Err = ErrNoTicket.Error(), ErrNoTicket
		e.Hint = "the vendor pushes one every 10 minutes to /push/component/" + s.cfg.Component
	case known.token.text == "" || now >= known.token.expires:
		e.Message = "the platform has no token of its own yet"
	}
	return e
}

// Version is something that changes when there may be news for a shop that waits.
func (s *State) Version(shop string) string {
	t, _ := s.store.shop(shop)
	return fingerprint(t.Access+t.problem) + t.told
}
