package ledger

import (
	"context"
	"time"

	"orderwalk/internal/wechat"
)

const (
	tokensOp = "get authorizer token"
	// askPatience is how long Tokens waits for the desk before it says what it
	// waits for.
	askPatience = 5 * time.Second
)

// Tokens is where a shop's client gets its access tokens: see
// [wechat.Config.Tokens].
func (l *Ledger) Tokens(shop string) func(ctx context.Context, refused string) (string, error) {
	return func(ctx context.Context, refused string) (string, error) {
		deadline := time.NewTimer(askPatience)
		defer deadline.Stop()
		told := false
		for {
			t, changed := l.book.tenant(shop)
			usable := t.Access != "" && time.Now().Unix() < t.expires
			news, _ := t.news()
			switch {
			case t.problem != "" && news:
				// What it was refused for may be over: the desk finds out.
			case t.problem != "":
				return "", &wechat.Error{Op: tokensOp, Class: wechat.Wait, Code: t.errcode, Message: t.problem}
			case usable && t.Access != refused:
				return t.Access, nil
			case usable && !told && t.refused != fingerprint(refused):
				told = true
				err := l.notice(ctx, record{name: l.of(shop, kindRefused), value: value{At: time.Now().Unix(), Token: fingerprint(refused)}})
				if err != nil {
					return "", &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "ask for another token: " + err.Error()}
				}
			}
			select {
			case <-changed:
			case <-deadline.C:
				return "", l.missing()
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	}
}

// missing says what there is no token for.
func (l *Ledger) missing() *wechat.Error {
	s, _ := l.book.snapshot()
	e := &wechat.Error{Op: tokensOp, Class: wechat.Retry, Message: "no access token yet", Hint: "the worker that has the group's ledger fetches it; see its log"}
	switch now := time.Now().Unix(); {
	case s.ticket.text == "":
		e.Message = "the platform has no verify ticket yet"
		e.Hint = "the vendor pushes one every 10 minutes to /push/component/" + l.cfg.Component + "; or give ORDERWALK_COMPONENT_VERIFY_TICKET_FILE"
	case s.token.text == "" || now >= s.token.expires:
		e.Message = "the platform has no token of its own yet"
	}
	return e
}

// State is something that changes when there may be news for a shop that waits.
func (l *Ledger) State(shop string) string {
	t, _ := l.book.tenant(shop)
	return fingerprint(t.Access+t.problem) + t.told
}
