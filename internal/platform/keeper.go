package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
)

const (
	// lookEvery is how often the keeper looks at the time and at what it is given.
	lookEvery = 5 * time.Second
	// atOnce is how many shops get their tokens at one time.
	atOnce = 16
	// A shop without tokens for want of somebody's act is tried again after
	// minWait, then ever less often.
	minWait, maxWait = time.Minute, 10 * time.Minute
	// What passes by itself is tried again after minPause.
	minPause, maxPause = time.Second, time.Minute
	// sparingly is for calls that repeating does not help: the list of all
	// authorisers, and asking for pushes.
	sparingly = 10 * time.Minute
)

// What the vendor answers about a shop that is not authorised does not say that
// it was once.
const (
	unauthorized  = "unauthorized" // the change, in the vendor's words
	takenBack     = "the shop has taken its authorisation of the platform back: have it authorise the platform again"
	takenBackCode = 61003
)

// Keeper does what one worker of the group does at a time: it keeps the platform's
// token and those of its shops fresh, and answers notices.
type Keeper struct {
	State    *State
	Platform *wechat.Platform
	// Given is what the configuration has now: a verify ticket, if any, and the
	// shops to care for with their refresh tokens, if any.
	Given func() (ticket string, shops map[string]string)
	Log   *slog.Logger
	// OnRefresh, if set, is told of each attempt to get a shop's tokens.
	OnRefresh func(shop, result string)

	pauses   map[string]*pause
	list     listing
	stale    bool // the platform's token was refused
	pushedAt time.Time
}

// platformToken is what a pause stands for that nobody's app ID does: the platform's
// token was refused, and another one is not asked for at once if it was so again.
const platformToken = "the platform's token"

// pause is when something may be tried again.
type pause struct {
	until time.Time
	next  *backoff.Backoff
	about string // what was known when it failed; news ends a pause
}

// Run works until ctx ends (nil) or another worker is the keeper. Mine asks the
// group whether it is still this one's.
func (d *Keeper) Run(ctx context.Context, mine func(context.Context) (bool, error)) error {
	w, err := d.State.cfg.Log.Own(ctx, "desk")
	if err != nil {
		return fmt.Errorf("open the desk: %w", err)
	}
	for {
		yes, err := mine(ctx)
		if err == nil && !yes {
			return nil
		}
		if err == nil {
			break
		}
		if backoff.Sleep(ctx, time.Second) != nil {
			return nil
		}
	}
	// The keeper before is fenced: what it has kept is all there is.
	if err := d.State.cfg.Log.CatchUp(ctx); err != nil {
		return fmt.Errorf("open the desk: %w", err)
	}
	d.State.store.complain()
	d.pauses = make(map[string]*pause)
	d.Log.Info("this worker keeps the platform's tokens", "component", d.Platform.AppID)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		some, err := d.work(ctx, w)
		if err != nil {
			return fmt.Errorf("keep the platform's tokens: %w", err)
		}
		if some {
			continue
		}
		_, changed := d.State.store.snapshot()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			time.Sleep(10 * time.Millisecond) // checkpoints stand in the same partition, notices come in batches
		case <-tick.C:
		}
	}
}

// work does the most urgent of what is due and keeps what came of it. It
// reports whether there was anything.
func (d *Keeper) work(ctx context.Context, w *grouplog.Owner) (some bool, err error) {
	s, _ := d.State.store.snapshot()
	ticket, shops := d.Given()
	if first, err := d.State.cfg.Keys.first(); err == nil { // who cannot seal will see
		s.age(first)
	}
	if d.stale {
		s.token = secret{}
	}
	todo := due(s, d.Platform.AppID, ticket, shops, time.Now())
	var records []record
	switch {
	case todo.ticket != "":
		records = append(records, record{name: d.of("", kindTicket), value: value{At: time.Now().Unix(), Given: fingerprint(todo.ticket)}, text: []byte(todo.ticket)})
	case todo.token && d.ready("", d.about(s)) && (!d.stale || d.ready(platformToken, "")):
		records = d.token(ctx, s)
	case todo.tickets && time.Since(d.pushedAt) > sparingly:
		d.pushedAt = time.Now()
		d.Log.Warn("the platform has no verify ticket that is good: asking the vendor to push one", "component", d.Platform.AppID)
		if err := d.Platform.StartTicketPush(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("cannot have verify tickets pushed", "component", d.Platform.AppID, "reason", err)
		}
	}
	for _, shop := range todo.revoke {
		t := s.tenants[shop]
		records = append(records, d.entry(shop, t, pair{Given: t.Given}, 0, takenBack, takenBackCode))
	}
	records = append(records, d.shops(ctx, s, shops, todo)...)
	if len(records) == 0 {
		records = d.reseal(s, todo.reseal)
	}
	if ctx.Err() != nil || len(records) == 0 {
		return false, nil
	}
	// A commit that is under way when the lane goes comes to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	entries := make([]grouplog.Entry, len(records))
	for i, r := range records {
		if entries[i], err = r.entry(d.State.cfg.Log.Group(), d.State.cfg.Keys); err != nil {
			return false, err
		}
	}
	if err := w.Commit(ctx, entries...); err != nil {
		return false, err
	}
	return true, d.State.cfg.Log.CatchUp(ctx)
}

// about is what the platform's own token is asked for with.
func (d *Keeper) about(s state) string {
	secret, _ := d.Platform.Secret() // what cannot be read changes when it can
	return fingerprint(s.ticket.text + secret)
}

// token fetches the platform's own.
func (d *Keeper) token(ctx context.Context, s state) []record {
	got, err := d.Platform.ComponentToken(ctx, s.ticket.text)
	if err != nil {
		var refusal *wechat.Error
		if errors.As(err, &refusal) && (refusal.Code == 61005 || refusal.Code == 61006) && time.Since(d.pushedAt) > sparingly {
			d.pushedAt = time.Now()
			if err := d.Platform.StartTicketPush(ctx); err != nil && ctx.Err() == nil {
				d.Log.Warn("cannot have verify tickets pushed", "component", d.Platform.AppID, "reason", err)
			}
		}
		d.failed(ctx, "", d.about(s), err)
		return nil
	}
	delete(d.pauses, "")
	d.stale = false
	now := time.Now()
	return []record{{name: d.of("", kindToken), value: value{At: now.Unix(), Expires: now.Add(got.Life).Unix()}, text: []byte(got.Value)}}
}

// shops gets tokens for shops that need some, several at once.
func (d *Keeper) shops(ctx context.Context, s state, given map[string]string, todo duties) []record {
	var mu sync.Mutex
	var records []record
	var group sync.WaitGroup
	n := 0
	try := func(shop string, get func(authorizedShop) (wechat.Authorization, error)) {
		t := s.tenants[shop]
		about := fmt.Sprint(t.changedAt, t.told, fingerprint(given[shop]), t.refused == fingerprint(t.Access) && t.refused != "")
		mu.Lock()
		ready := n < atOnce && d.ready(shop, about)
		mu.Unlock()
		if !ready {
			return
		}
		n++
		group.Go(func() {
			got, err := get(t)
			result := "ok"
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				result = "failed"
				if r, ok := d.problem(ctx, shop, about, t, err); ok {
					records = append(records, r)
				}
			} else {
				delete(d.pauses, shop)
				delete(d.pauses, platformToken)
				records = append(records, d.entry(shop, t, pair{Access: got.AccessToken, Refresh: got.RefreshToken, Given: given[shop]}, got.Life, "", 0))
			}
			if d.OnRefresh != nil && ctx.Err() == nil {
				d.OnRefresh(shop, result)
			}
		})
	}
	for _, shop := range todo.exchange {
		try(shop, func(t authorizedShop) (wechat.Authorization, error) {
			got, err := d.Platform.QueryAuth(ctx, s.token.text, t.code)
			var refusal *wechat.Error
			if errors.As(err, &refusal) && (refusal.Class == wechat.Wait || refusal.Class == wechat.Stop) {
				// It was traded in before, or taken back since: what holds is what the
				// vendor makes of the tokens there are.
				return d.refresh(ctx, s.token.text, shop, t, given[shop])
			}
			if err == nil && got.AppID != shop {
				err = fmt.Errorf("the authorization code is that of %s", got.AppID)
			}
			if err == nil && got.AccessToken == "" {
				err = &wechat.Error{Op: "exchange authorization code", Code: 61007, Class: wechat.Wait, Message: "the shop has granted no permission set with an API in it"}
			}
			return got, err
		})
	}
	for _, shop := range todo.refresh {
		try(shop, func(t authorizedShop) (wechat.Authorization, error) {
			return d.refresh(ctx, s.token.text, shop, t, given[shop])
		})
	}
	group.Wait()
	return records
}

// refresh asks with the refresh token that is known, and with the one of the
// vendor's list if that is refused or there is none.
func (d *Keeper) refresh(ctx context.Context, token, shop string, t authorizedShop, file string) (wechat.Authorization, error) {
	known := refreshToken(t, file)
	var refused error
	if known != "" {
		got, err := d.Platform.AuthorizerToken(ctx, token, shop, known)
		var refusal *wechat.Error
		if !errors.As(err, &refusal) || refusal.Code != 61023 {
			return got, err
		}
		refused = err
	}
	listed, err := d.list.fromList(ctx, d.Platform, token, shop)
	switch {
	case err != nil:
		return wechat.Authorization{}, err
	case listed == "" || listed == known:
		if refused == nil {
			refused = &wechat.Error{Op: tokensOp, Code: 61003, Class: wechat.Wait, Message: "the shop has not authorised the platform, or not any more: have it authorise the platform"}
		}
		return wechat.Authorization{}, refused
	}
	return d.Platform.AuthorizerToken(ctx, token, shop, listed)
}
