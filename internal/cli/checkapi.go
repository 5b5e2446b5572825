package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/internal/config"
	"orderwalk/internal/wechat"
)

// checkAtOnce is the number of app IDs checked in parallel: with answers after
// 100 ms, 10,000 of them take less than a minute. Each app ID has its own call rate,
// as in run.
const checkAtOnce = 64

// api checks every app ID once.
func (k *checkup) api(ctx context.Context, cfg *config.Config) {
	host := &wechat.Host{URL: cfg.APIURL}
	defer host.Close()
	platform := k.platform(ctx, cfg, host)
	k.authorized(cfg, platform)
	k.filters(cfg)
	k.laterStarts(cfg)
	var ofApp []config.Shop
	seen := map[string]bool{}
	for _, s := range cfg.Shops {
		if !seen[s.AppID] {
			seen[s.AppID] = true
			ofApp = append(ofApp, s)
		}
	}
	asking := newAsking(k.streams, cfg.APIURL, len(ofApp), "app IDs checked")
	skipped := 0
	k.beside(asking.countLine, func() {
		inOrder(len(ofApp), checkAtOnce, func(i int) []finding {
			found := platform.check(ctx, host, ofApp[i], asking)
			asking.one(slices.ContainsFunc(found, func(f finding) bool { return !f.OK }))
			return found
		}, func(i int, found []finding) {
			for _, f := range found {
				f.Shop, f.AppID = ofApp[i].Name, ofApp[i].AppID
				k.add(f)
				if f.skipped {
					skipped++
				}
			}
		})
	})
	if skipped > 0 && ctx.Err() == nil {
		fmt.Fprintf(k.out, "%-7s %-28s %s\n", "failed", count(skipped, "further app ID"), silence)
	}
	k.clock(host)
}

// check checks one app ID, with run's stored token if the shop belongs to a
// platform.
func (t *tenants) check(ctx context.Context, host *wechat.Host, s config.Shop, asking *asking) []finding {
	if asking.silent.Load() {
		return []finding{{Check: "token of " + s.Name, Detail: silence, skipped: true}}
	}
	if s.Auth != wechat.AuthComponent {
		return checkShop(ctx, host, s, "", asking)
	}
	if t == nil {
		return nil // the platform's finding says why
	}
	found, access := t.shop(s)
	if access == "" {
		return found
	}
	return checkShop(ctx, host, s, access, asking)
}

// Differences of the clocks from which check reports one, and from which it
// fails.
const (
	clocksDiffer = 5 * time.Second
	clocksFail   = time.Minute
)

// clock compares this machine's clock with the API's. The walk uses the
// earlier of the two.
func (k *checkup) clock(host *wechat.Host) {
	skew, answers := host.Skew()
	if answers == 0 {
		return // no answer had a Date header
	}
	f := finding{Check: "clock", OK: skew.Abs() < clocksFail, Detail: "agrees with the API's"}
	apart := skew.Abs().Round(time.Second)
	switch {
	case skew.Abs() < clocksDiffer:
	case skew > 0:
		f.Detail = fmt.Sprintf("this machine's is %s behind the API's: every order is late by that much", apart)
		f.Do = []string{"set this machine's clock (NTP)"}
	default:
		f.Detail = fmt.Sprintf("the API's, by the Date of its answers, is %s behind this machine's: every order is late by that much", apart)
		f.Do = []string{"set this machine's clock (NTP) if it is wrong, or find the gateway or proxy that answers with an old Date"}
	}
	k.add(f)
}

// checkShop gets a token, makes one list call for a past minute, and asks for
// the day's remaining calls. access is run's stored token; empty = none.
func checkShop(ctx context.Context, host *wechat.Host, s config.Shop, access string, asking *asking) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	var fetched atomic.Bool // a token was fetched
	var warned warnings
	cfg := clientConfig(func() *config.Shop { return &s })
	cfg.Host, cfg.Log = host, slog.New(&warned)
	cfg.OnTokenRefresh = func(result string) {
		if result == wechat.Result(nil) {
			fetched.Store(true)
		}
	}
	if access != "" {
		cfg.Tokens = keptToken(access)
	}
	client := wechat.New(cfg)
	defer asking.watch(client, checkLimit)()
	began := time.Now()
	end := began.Add(-time.Minute).Unix()
	page, err := client.Look(ctx, wechat.Query{
		Range: wechat.Range(s.TimeRange), Start: end - 60, End: end, Status: s.Status, OpenID: s.OpenID, PageSize: 1,
	})
	var apiErr *wechat.Error
	var waited *wechat.Interrupted
	if errors.As(err, &waited) {
		apiErr = waited.Last
		asking.waited(host, began, err)
	} else {
		errors.As(err, &apiErr)
	}
	token := finding{Check: "token of " + s.Name, OK: true, Detail: wayOf(s)}
	list := finding{Check: "list call of " + s.Name, OK: true}
	switch {
	case err == nil && page.More:
		list.Detail = "the last minutes have orders"
	case err == nil && page.Silent:
		list.Detail = "a success without order_id_list or has_more; run accepts such answers only if other lists confirm them"
	case err == nil, apiErr != nil && apiErr.Class == wechat.Shrink:
	case apiErr != nil && apiErr.Op != wechat.ListOp, apiErr == nil && !fetched.Load() && isFetched(s):
		return []finding{apiFinding(token.Check, err, asking.url)}
	default:
		return []finding{token, apiFinding(list.Check, err, asking.url)}
	}
	list.Do = warned.all()
	return []finding{token, list, checkQuota(ctx, client, s)}
}

// isFetched reports whether a call gets the shop's token.
func isFetched(s config.Shop) bool {
	switch s.Auth {
	case wechat.AuthStableToken, wechat.AuthToken, wechat.AuthComponent:
		return true
	}
	return s.Auth == wechat.AuthStatic && s.TokenServer.URL != ""
}

// wayOf describes the source of a shop's token.
func wayOf(s config.Shop) string {
	switch s.Auth {
	case wechat.AuthStatic:
		if host := s.TokenServer.For(s.AppID).Host(); host != "" {
			return "from " + host
		}
		return "as configured"
	case wechat.AuthCloudFile:
		return "from " + s.CloudTokenFile
	case wechat.AuthCloudOpen:
		return "none: the hosting's relay adds it"
	}
	if s.Auth == wechat.AuthComponent {
		return "by component, stored by run"
	}
	return "by " + s.Auth
}

// checkQuota asks for the day's remaining calls. The answer only sets the
// speed of a backfill, so only an exhausted quota is a failure.
func checkQuota(ctx context.Context, client *wechat.Client, s config.Shop) finding {
	f := finding{Check: "quota of " + s.Name, OK: true}
	quota, err := client.Quota(ctx)
	switch {
	case errors.Is(err, wechat.ErrNoQuota):
		f.Detail = "unknown: the vendor does not report it for cloud calls"
	case err != nil:
		f.Detail = "unknown: " + err.Error()
	case quota.Limit == 0 && quota.Remain == 0:
		f.Detail = "unknown: the vendor's answer does not say what remains"
	default:
		f.Detail = fmt.Sprintf("%d of %d list calls left today", quota.Remain, quota.Limit)
		if f.OK = quota.Remain > 0; !f.OK {
			f.Do = []string{"the quota resets at 00:00 Asia/Shanghai; run pauses until then"}
		}
	}
	return f
}

// apiFinding moves the hint of an API error into the finding's Do. url is the
// API's.
func apiFinding(check string, err error, url string) finding {
	f := finding{Check: check}
	f.Detail, f.Do = explained(err, url, checkLimit)
	return f
}

// warnings collects log records of level warn, to be shown as findings.
type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

// Enabled is part of slog.Handler.
func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle is part of slog.Handler.
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, r.Message)
	return nil
}

// WithAttrs is part of slog.Handler; it is not used here.
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup is part of slog.Handler; it is not used here.
func (w *warnings) WithGroup(string) slog.Handler { return w }
