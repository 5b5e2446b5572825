package platform

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
)

// listing lets one ask for the list of authorisers at a time.
type listing struct {
	mu     sync.Mutex
	at     time.Time
	tokens map[string]string
}

// fromList is a shop's refresh token in the vendor's list of all that have
// authorised the platform; the list is asked for sparingly.
func (l *listing) fromList(ctx context.Context, p *wechat.Platform, token, shop string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) > sparingly {
		all, err := p.Authorizers(ctx, token)
		if err != nil {
			return "", err
		}
		l.at, l.tokens = time.Now(), make(map[string]string, len(all))
		for _, a := range all {
			l.tokens[a.AppID] = a.RefreshToken
		}
	}
	return l.tokens[shop], nil
}

func (d *Keeper) of(shop string, k grouplog.Kind) grouplog.Name { return d.State.of(shop, k) }

// entry is a shop's record: its tokens, or why there are none.
func (d *Keeper) entry(shop string, t authorizedShop, p pair, life time.Duration, problem string, errcode int) record {
	text, _ := json.Marshal(p) // three strings
	now := time.Now()
	v := value{At: now.Unix(), Handled: t.changedAt, Known: t.told, Problem: problem, Errcode: errcode}
	if life > 0 {
		v.Expires = now.Add(life).Unix()
	}
	return record{name: d.of(shop, kindTokens), value: v, text: text}
}

// reseal writes records again under the first key.
func (d *Keeper) reseal(s state, names []grouplog.Name) []record {
	var records []record
	for _, n := range names {
		if len(records) == grouplog.MostEntries {
			break
		}
		if alone, ok := map[grouplog.Kind]secret{kindTicket: s.ticket, kindToken: s.token}[n.Kind]; ok {
			records = append(records, record{name: n, value: value{At: alone.at, Expires: alone.expires, Given: alone.given}, text: []byte(alone.text)})
			continue
		}
		t := s.tenants[n.Shop]
		text, _ := json.Marshal(t.pair) // three strings
		records = append(records, record{name: n, text: text,
			value: value{At: t.at, Handled: t.handled, Known: t.known, Expires: t.expires, Problem: t.problem, Errcode: t.errcode}})
	}
	return records
}

// ready says whether something may be tried: it has not failed lately, or there
// is news about it.
func (d *Keeper) ready(what, about string) bool {
	p := d.pauses[what]
	return p == nil || p.about != about || !time.Now().Before(p.until)
}

// failed notes that something is to be tried again later. It reports whether
// that takes somebody's act.
func (d *Keeper) failed(ctx context.Context, what, about string, err error) (lasting bool) {
	var refusal *wechat.Error
	lasting = errors.As(err, &refusal) && (refusal.Class == wechat.Wait || refusal.Class == wechat.Stop)
	p := d.pauses[what]
	if p == nil || p.about != about {
		p = &pause{about: about, next: backoff.New(minPause, maxPause)}
		if lasting {
			p.next = backoff.New(minWait, maxWait)
		}
		d.pauses[what] = p
	}
	delay := p.next.Next()
	if refusal != nil {
		delay = max(delay, refusal.RetryAfter)
	}
	p.until = time.Now().Add(delay)
	if ctx.Err() == nil {
		shop := what
		if what == platformToken {
			shop = ""
		}
		d.Log.Warn("cannot get a token of the platform's", "component", d.Platform.AppID, "shop", shop, "reason", err, "again_in", delay.Round(time.Second))
	}
	return lasting
}

// problem notes that there are no tokens for a shop. If that takes somebody's
// act, the shop is told, by the record it returns.
func (d *Keeper) problem(ctx context.Context, shop, about string, t authorizedShop, err error) (record, bool) {
	var refusal *wechat.Error
	if errors.As(err, &refusal) && refusal.Class == wechat.Token {
		// The platform's own token: it is fetched again before this is tried, which
		// then has not failed.
		if !d.stale {
			d.stale = true
			d.failed(ctx, platformToken, "", err)
		}
		return record{}, false
	}
	if !d.failed(ctx, shop, about, err) {
		return record{}, false
	}
	problem := refusal.Message
	if refusal.Hint != "" {
		problem += "; " + refusal.Hint
	}
	if t.handled == t.changedAt && t.known == t.told && (t.problem == problem || t.problem == takenBack && refusal.Code == takenBackCode) {
		return record{}, false
	}
	return d.entry(shop, t, pair{Refresh: t.Refresh, Given: t.Given}, 0, problem, refusal.Code), true
}
