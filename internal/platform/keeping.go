package platform

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/incident"
	"orderwalk/internal/wechat"
)

// listing lets one goroutine at a time request the list of authorizers.
type listing struct {
	mu     sync.Mutex
	at     time.Time
	tokens map[string]string
	// failure is why the last request failed, which stands until the time. Nil = it did not.
	failure error
	until   time.Time
	next    *backoff.Backoff
	// doubted reports that the latest request was refused for its token.
	doubted bool
}

// judge returns the error of a request for the list. One that is refused for its token is
// repeated with another. If that is refused too, the token is not the cause: fetching a
// third one, and a fourth, would only use up calls.
func (l *listing) judge(err error) error {
	if !isToken(err) || !l.doubted {
		l.doubted = isToken(err)
		return err
	}
	var refusal *wechat.Error
	errors.As(err, &refusal)
	other := *refusal
	other.Class, other.Hint = wechat.Wait, "the vendor refuses every new token of the platform for this list: check the platform's permissions"
	return &other
}

// fromList returns a shop's refresh token from the vendor's list of all shops that have
// authorised the platform; the list is requested at most once in rarePause, and after a
// failure less and less often.
func (l *listing) fromList(ctx context.Context, p *wechat.Platform, token, shop string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) <= rarePause {
		return l.tokens[shop], nil
	}
	if l.failure != nil && time.Now().Before(l.until) {
		return "", l.failure
	}
	all, err := p.Authorizers(ctx, token)
	err = l.judge(err)
	switch {
	case err == nil:
	case ctx.Err() != nil || isToken(err): // the next attempt has another token
		return "", err
	default:
		if l.failure == nil {
			l.next = backoff.New(minPause, maxWait)
		}
		l.failure, l.until = err, time.Now().Add(l.next.Next())
		return "", err
	}
	tokens := make(map[string]string, len(all))
	for _, a := range all {
		tokens[a.AppID] = a.RefreshToken
	}
	l.at, l.tokens, l.failure = time.Now(), tokens, nil
	return tokens[shop], nil
}

// set takes over the refresh tokens of a list that was read just now.
func (l *listing) set(tokens map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.tokens, l.failure = time.Now(), tokens, nil
}

// judgePass is judge for a list that another goroutine has requested.
func (l *listing) judgePass(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.judge(err)
}

func (k *Keeper) of(shop string, kind grouplog.Kind) grouplog.Name { return k.State.of(shop, kind) }

// entry returns a shop's record: its tokens, or why it has none.
func (k *Keeper) entry(shop string, t authorizedShop, p pair, life time.Duration, problem string, errcode int) record {
	text, _ := json.Marshal(p) // three strings
	now := time.Now()
	v := value{At: now.Unix(), Handled: t.changedAt, Known: t.told, Problem: problem, Errcode: errcode}
	if life > 0 {
		v.Expires = now.Add(life).Unix()
	}
	return record{name: k.of(shop, kindTokens), value: v, text: text}
}

// reseal returns records sealed again under the first key.
func (k *Keeper) reseal(s state, names []grouplog.Name) []record {
	var records []record
	for _, n := range names {
		if len(records) == grouplog.MostEntries {
			break
		}
		if alone, ok := map[grouplog.Kind]secret{kindTicket: s.ticket, kindToken: s.token}[n.Kind]; ok {
			records = append(records, record{name: n, value: value{At: alone.at, Expires: alone.expires, Given: alone.given}, text: []byte(alone.text)})
			continue
		}
		t := s.shops[n.Shop]
		text, _ := json.Marshal(t.pair) // three strings
		records = append(records, record{name: n, text: text,
			value: value{At: t.at, Handled: t.handled, Known: t.known, Expires: t.expires, Problem: t.problem, Errcode: t.errcode}})
	}
	return records
}

// logFailed logs a failed attempt to get a token, of a shop or of the platform.
func (k *Keeper) logFailed(what string, err error, attrs ...any) {
	e := incident.Event{Level: slog.LevelWarn, Who: "shop", Cause: wechat.Result(err), Message: "cannot get a token from the platform API"}
	switch what {
	case platformToken:
		e.Who, what = "component", k.Platform.AppID
	case thePass:
		e.Who, what, e.Message = "component", k.Platform.AppID, "cannot read the list of shops that have authorised the platform; the shops stay as they are"
	}
	k.Incidents.Of(what).Happened(e, attrs...)
}

// ready reports whether an attempt may be made: it has not failed recently, or its inputs
// have changed.
func (k *Keeper) ready(what, about string) bool {
	p := k.pauses[what]
	return p == nil || p.about != about || !time.Now().Before(p.until)
}

// failed schedules the next attempt. It reports whether an operator or the vendor has to
// act.
func (k *Keeper) failed(ctx context.Context, what, about string, err error) (lasting bool) {
	var refusal *wechat.Error
	lasting = errors.As(err, &refusal) && (refusal.Class == wechat.Wait || refusal.Class == wechat.Stop)
	p := k.pauses[what]
	if p == nil || p.about != about {
		p = &pause{about: about, next: backoff.New(minPause, maxPause)}
		switch {
		case lasting, refusal != nil && refusal.Class == wechat.Quota:
			p.next = backoff.New(minWait, maxWait)
		case what == thePass: // each attempt takes as many calls as the list has pages
			p.next = backoff.New(minPause, maxWait)
		}
		k.pauses[what] = p
	}
	delay := p.next.Next()
	if refusal != nil {
		delay = max(delay, refusal.RetryAfter)
	}
	p.until = time.Now().Add(delay)
	if ctx.Err() == nil {
		k.logFailed(what, err, "reason", err, "again_in", delay.Round(time.Second))
	}
	return lasting
}

// isToken reports whether the platform's own token was refused.
func isToken(err error) bool {
	var refusal *wechat.Error
	return errors.As(err, &refusal) && refusal.Class == wechat.Token
}

// refused notes that the platform's own token was refused: it is fetched again before the
// next attempt, and this one does not count as failed.
func (k *Keeper) refused(ctx context.Context, err error) {
	if !k.stale {
		k.stale = true
		k.failed(ctx, platformToken, "", err)
	}
}

// problem notes that a shop has no tokens. If an operator or the vendor has to act, it
// returns a record that informs the shop.
func (k *Keeper) problem(ctx context.Context, shop, about string, t authorizedShop, err error) (record, bool) {
	if isToken(err) {
		k.refused(ctx, err)
		return record{}, false
	}
	var refusal *wechat.Error
	errors.As(err, &refusal)
	if !k.failed(ctx, shop, about, err) {
		return record{}, false
	}
	problem := refusal.Message
	if refusal.Hint != "" {
		problem += "; " + refusal.Hint
	}
	if t.handled == t.changedAt && t.known == t.told && (t.problem == problem || t.problem == revokedProblem && refusal.Code == revokedCode) {
		return record{}, false
	}
	return k.entry(shop, t, pair{Refresh: t.Refresh, Given: t.Given}, 0, problem, refusal.Code), true
}
