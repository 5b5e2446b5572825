package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orderwalk/internal/config"
	"orderwalk/internal/wechat"
)

// checkAtOnce is how many app IDs are tried at a time.
const checkAtOnce = 8

// api tries every app ID once.
func (k *checkup) api(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	host := &wechat.Host{URL: cfg.APIURL}
	defer host.Close()
	var ofApp []config.Shop
	seen := map[string]bool{}
	for _, s := range cfg.Shops {
		if !seen[s.AppID] {
			seen[s.AppID] = true
			ofApp = append(ofApp, s)
		}
	}
	found := make([][]finding, len(ofApp))
	var trying errgroup.Group
	trying.SetLimit(checkAtOnce)
	for i, s := range ofApp {
		trying.Go(func() error {
			found[i] = checkShop(ctx, host, s, log)
			return nil
		})
	}
	_ = trying.Wait() // no function above fails
	for _, findings := range found {
		for _, f := range findings {
			k.add(f)
		}
	}
}

// checkShop gets a token and makes one list call, for a minute that is over.
func checkShop(ctx context.Context, host *wechat.Host, s config.Shop, log *slog.Logger) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	var mu sync.Mutex
	token := s.Auth == wechat.AuthStatic // is a token there?
	client := wechat.New(wechat.Config{
		Host: host, AppID: s.AppID, Auth: s.Auth, Secret: s.AppSecret, Token: s.AccessToken, RateLimit: s.RateLimit, Log: log,
		OnTokenRefresh: func(result string) {
			mu.Lock()
			defer mu.Unlock()
			token = token || result == "ok"
		},
	})
	end := time.Now().Add(-time.Minute).Unix()
	page, err := client.List(ctx, wechat.Query{
		Range: wechat.Range(s.TimeRange), Start: end - 60, End: end, Status: s.Status, OpenID: s.OpenID, PageSize: 1,
	})
	var verdict *wechat.Error
	errors.As(err, &verdict)
	tokenCheck, listCheck := "token of "+s.Name, "list call of "+s.Name
	mu.Lock()
	defer mu.Unlock()
	switch {
	case err == nil && page.More:
		return []finding{{Check: tokenCheck, OK: true}, {Check: listCheck, OK: true, Detail: "there are orders in the last minutes"}}
	case err == nil, verdict != nil && verdict.Class == wechat.Shrink:
		return []finding{{Check: tokenCheck, OK: true}, {Check: listCheck, OK: true}}
	case !token:
		return []finding{apiFinding(tokenCheck, err, verdict)}
	}
	return []finding{{Check: tokenCheck, OK: true}, apiFinding(listCheck, err, verdict)}
}

// apiFinding puts the hint of an error where hints are.
func apiFinding(check string, err error, verdict *wechat.Error) finding {
	if verdict == nil || verdict.Hint == "" {
		f := finding{Check: check, Detail: err.Error()}
		if errors.Is(err, context.DeadlineExceeded) {
			f.Do = []string{fmt.Sprintf("no answer for %s: check ORDERWALK_API_URL and the way to it", checkLimit)}
		}
		return f
	}
	bare := *verdict
	bare.Hint = ""
	return finding{Check: check, Detail: bare.Error(), Do: []string{verdict.Hint}}
}
