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
	"orderwalk/internal/incident"
	"orderwalk/internal/wechat"
)

const (
	// lookEvery is how often the keeper checks the time and the configuration.
	lookEvery = 5 * time.Second
	// maxParallel is how many shops get tokens at the same time.
	maxParallel = 16
	// A shop that waits for an operator or the vendor is retried after minWait, then
	// less and less often, up to maxWait.
	minWait, maxWait = time.Minute, 10 * time.Minute
	// Temporary failures are retried after minPause.
	minPause, maxPause = time.Second, time.Minute
	// rarePause is the pause between calls that repeating does not help: the list of
	// all authorizers, and the request for ticket pushes.
	rarePause = 10 * time.Minute
)

// The vendor's answer about an unauthorised shop does not show whether it ever was
// authorised.
const (
	authorized     = "authorized" // the changes, in the vendor's words
	unauthorized   = "unauthorized"
	revokedProblem = "the shop has taken its authorisation of the platform back: have it authorise the platform again"
	revokedCode    = 61003
	refreshRefused = 61023
)

// Keeper keeps the platform's token and those of its shops fresh, and handles notices.
// One worker of the group runs it at a time.
type Keeper struct {
	State    *State
	Platform *wechat.Platform
	// Given returns the current configuration: a verify ticket, if any, and the
	// platform's shops with their refresh tokens, if any.
	Given func() (ticket string, shops map[string]string)
	Log   *slog.Logger
	// Incidents receives what many shops have at the same time. Defaults to one over
	// Log.
	Incidents *incident.Log
	// Members reports whether the group walks the shops that have authorised the
	// platform: then the keeper stores which have. Nil = it does not.
	Members func() bool
	// OnRefresh, if set, is called for each attempt to get a shop's tokens.
	OnRefresh func(shop, result string)

	pauses map[string]*pause
	list   listing
	passes passes
	// background has a goroutine while the list of shops is read.
	background sync.WaitGroup
	stale      bool // the platform's token was refused
	pushedAt   time.Time
}

// platformToken is the key of the pause after a refused platform token, apart from the
// shops' app IDs: if the vendor refuses the next one too, another one is not requested at
// once.
const platformToken = "the platform's token"

// pause is when a failed attempt may be repeated.
type pause struct {
	until time.Time
	next  *backoff.Backoff
	about string // what was known when it failed; news ends a pause
}

// Run works until ctx ends (then it returns nil) or another worker is the keeper. mine
// asks the group whether this worker still is.
func (k *Keeper) Run(ctx context.Context, mine func(context.Context) (bool, error)) error {
	w, err := k.State.cfg.Log.Own(ctx, "desk")
	if err != nil {
		return fmt.Errorf("become the platform's token keeper: %w", err)
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
	// The previous keeper is fenced, so the log has everything it stored.
	if err := k.State.cfg.Log.CatchUp(ctx); err != nil {
		return fmt.Errorf("become the platform's token keeper: %w", err)
	}
	k.State.store.logUnread()
	if k.Incidents == nil {
		k.Incidents = incident.New(k.Log)
	}
	k.pauses, k.passes = make(map[string]*pause), newPasses()
	reading, stop := context.WithCancel(ctx)
	defer k.background.Wait()
	defer stop()
	k.Log.Info("this worker now refreshes the platform's tokens", "component", k.Platform.AppID)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		some, err := k.work(ctx, w)
		if err != nil {
			return fmt.Errorf("refresh the platform's tokens: %w", err)
		}
		if some {
			continue
		}
		s, changed := k.State.store.snapshot()
		if k.Members != nil && k.Members() && !k.stale {
			k.startPass(reading, s)
		}
		select {
		case <-ctx.Done():
			return nil
		case got := <-k.passes.results:
			k.finishPass(ctx, &got)
		case <-changed:
			time.Sleep(10 * time.Millisecond) // notices come in batches; checkpoints are in the same partition
		case <-tick.C:
		}
	}
}

// work does the most urgent duties and stores the results. It reports whether it did
// any.
func (k *Keeper) work(ctx context.Context, w *grouplog.Owner) (some bool, err error) {
	s, _ := k.State.store.snapshot()
	ticket, shops := k.Given()
	if first, err := k.State.cfg.Keys.first(); err == nil { // an error shows again when sealing
		s.markOldKeys(first)
	}
	if k.stale {
		s.token = secret{}
	}
	todo := due(s, k.Platform.AppID, ticket, shops, time.Now())
	var records []record
	if k.Members != nil && k.Members() {
		if records = k.memberships(s); len(records) > 0 { // before calls, which may take long
			return k.commit(ctx, w, records)
		}
	}
	switch {
	case todo.ticket != "":
		records = append(records, record{name: k.of("", kindTicket), value: value{At: time.Now().Unix(), Given: fingerprint(todo.ticket)}, text: []byte(todo.ticket)})
	case todo.token && k.ready("", k.about(s)) && (!k.stale || k.ready(platformToken, "")):
		records = k.token(ctx, s)
	case todo.tickets && time.Since(k.pushedAt) > rarePause:
		k.pushedAt = time.Now()
		k.Log.Warn("the platform has no valid verify ticket; asking the vendor to push one", "component", k.Platform.AppID)
		if err := k.Platform.StartTicketPush(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("cannot ask the vendor to push verify tickets", "component", k.Platform.AppID, "reason", err)
		}
	}
	for _, shop := range todo.revoke {
		t := s.shops[shop]
		records = append(records, k.entry(shop, t, pair{Given: t.Given}, 0, revokedProblem, revokedCode))
	}
	records = append(records, k.shops(ctx, s, shops, todo)...)
	if len(records) == 0 {
		records = k.reseal(s, todo.reseal)
	}
	return k.commit(ctx, w, records)
}

// commit stores records, if there are any, and reads them. It reports whether there are.
func (k *Keeper) commit(ctx context.Context, w *grouplog.Owner, records []record) (some bool, err error) {
	if ctx.Err() != nil || len(records) == 0 {
		return false, nil
	}
	// A commit under way continues when the lane is lost.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	entries := make([]grouplog.Entry, len(records))
	for i, r := range records {
		if entries[i], err = r.entry(k.State.cfg.Log.Group(), k.State.cfg.Keys); err != nil {
			return false, err
		}
	}
	if err := w.Commit(ctx, entries...); err != nil {
		return false, err
	}
	return true, k.State.cfg.Log.CatchUp(ctx)
}

// about returns a fingerprint of the inputs of the platform's own token.
func (k *Keeper) about(s state) string {
	secret, _ := k.Platform.Secret() // an unreadable secret changes when it can be read
	return fingerprint(s.ticket.text + secret)
}

// token fetches the platform's own token.
func (k *Keeper) token(ctx context.Context, s state) []record {
	got, err := k.Platform.ComponentToken(ctx, s.ticket.text)
	if err != nil {
		var refusal *wechat.Error
		if errors.As(err, &refusal) && (refusal.Code == 61005 || refusal.Code == 61006) && time.Since(k.pushedAt) > rarePause {
			k.pushedAt = time.Now()
			if err := k.Platform.StartTicketPush(ctx); err != nil && ctx.Err() == nil {
				k.Log.Warn("cannot ask the vendor to push verify tickets", "component", k.Platform.AppID, "reason", err)
			}
		}
		k.failed(ctx, "", k.about(s), err)
		return nil
	}
	delete(k.pauses, "")
	k.stale = false
	now := time.Now()
	return []record{{name: k.of("", kindToken), value: value{At: now.Unix(), Expires: now.Add(got.Life).Unix()}, text: []byte(got.Value)}}
}

// shops gets tokens for shops that need some, several at the same time.
func (k *Keeper) shops(ctx context.Context, s state, given map[string]string, todo duties) []record {
	var mu sync.Mutex
	var records []record
	var group sync.WaitGroup
	n := 0
	try := func(shop string, get func(authorizedShop) (wechat.Authorization, error)) {
		t := s.shops[shop]
		about := fmt.Sprint(t.changedAt, t.told, fingerprint(given[shop]), t.refused == fingerprint(t.Access) && t.refused != "")
		mu.Lock()
		ready := n < maxParallel && k.ready(shop, about)
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
				if r, ok := k.problem(ctx, shop, about, t, err); ok {
					records = append(records, r)
				}
			} else {
				delete(k.pauses, shop)
				delete(k.pauses, platformToken)
				records = append(records, k.entry(shop, t, pair{Access: got.AccessToken, Refresh: got.RefreshToken, Given: given[shop]}, got.Life, "", 0))
			}
			if k.OnRefresh != nil && ctx.Err() == nil {
				k.OnRefresh(shop, result)
			}
		})
	}
	for _, shop := range todo.exchange {
		try(shop, func(t authorizedShop) (wechat.Authorization, error) {
			got, err := k.Platform.QueryAuth(ctx, s.token.text, t.code)
			var refusal *wechat.Error
			if errors.As(err, &refusal) && (refusal.Class == wechat.Wait || refusal.Class == wechat.Stop) {
				// The code was exchanged before, or the authorisation was revoked
				// since: the vendor's answer about the tokens decides.
				return k.refresh(ctx, s.token.text, shop, t, given[shop])
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
			return k.refresh(ctx, s.token.text, shop, t, given[shop])
		})
	}
	group.Wait()
	return records
}

// refresh uses the known refresh token, or the one in the vendor's list if the known one
// is refused or missing.
func (k *Keeper) refresh(ctx context.Context, token, shop string, t authorizedShop, file string) (wechat.Authorization, error) {
	known := refreshToken(t, file)
	var refused error
	if known != "" {
		got, err := k.Platform.AuthorizerToken(ctx, token, shop, known)
		var refusal *wechat.Error
		if !errors.As(err, &refusal) || refusal.Code != refreshRefused {
			return got, err
		}
		refused = err
	}
	listed, err := k.list.fromList(ctx, k.Platform, token, shop)
	switch {
	case err != nil:
		return wechat.Authorization{}, err
	case listed == "" || listed == known:
		if refused == nil {
			refused = &wechat.Error{Op: tokensOp, Code: 61003, Class: wechat.Wait, Message: "the shop has not authorised the platform, or has withdrawn it: have it authorise the platform"}
		}
		return wechat.Authorization{}, refused
	}
	return k.Platform.AuthorizerToken(ctx, token, shop, listed)
}
