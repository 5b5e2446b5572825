package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/config"
	"orderwalk/internal/platform"
	"orderwalk/internal/wechat"
)

// lookEvery is the interval at which the shops file is checked for changes.
const lookEvery = 2 * time.Second

// shopBook converts configured shops to connector's shops and keeps one client
// for each app ID. Shops with the same app ID share the client's token, rate
// limit and quota, also after the shops file is read again.
type shopBook struct {
	host    *wechat.Host
	metrics *connector.Metrics
	log     *slog.Logger
	// state, if any, holds the tokens of a platform's shops.
	state *platform.State
	// kept holds the tokens that run has stored, for commands that have no state.
	kept platform.Known

	mu      sync.Mutex
	clients map[string]known
	warned  map[string]bool // shops whose filter has been warned about
}

// known is a client with the configuration it was created from.
type known struct {
	client        *wechat.Client
	shop          *atomic.Pointer[config.Shop] // the current source of its secrets
	names         *sync.Map                    // of the shops that share the client, by time range
	auth          string
	secret, token string
	inFile        bool // secret comes from a file
	rate          float64
}

// shops returns each configured shop with its client, and keeps those clients.
func (b *shopBook) shops(cfg *config.Config) []connector.Shop {
	shops, keep := b.draft(cfg)
	keep()
	return shops
}

// draft returns each configured shop with its client. The running shops keep
// their clients and the sources of their secrets until keep is called.
func (b *shopBook) draft(cfg *config.Config) (shops []connector.Shop, keep func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warnOfFilters(cfg)
	clients := make(map[string]known)
	first := make(map[string]*config.Shop) // by app ID: the shop whose configuration the client uses
	shops = make([]connector.Shop, 0, len(cfg.Shops))
	for _, s := range cfg.Shops {
		k, ok := clients[s.AppID]
		if !ok {
			k = b.client(s)
			clients[s.AppID], first[s.AppID] = k, &s
		}
		shops = append(shops, connector.Shop{
			Name: s.Name, AppID: s.AppID, Topic: s.Topic, Client: k.client, OneRefresher: s.Auth == wechat.AuthToken,
			Policy: window.Policy{
				Range: wechat.Range(s.TimeRange), Start: s.Start, End: s.End, Status: s.Status, OpenID: s.OpenID,
				PageSize: cfg.PageSize, MaxWindow: cfg.MaxWindow, MinWindow: cfg.MinWindow,
				PollInterval: cfg.PollInterval, SettleDelay: cfg.SettleDelay, Lookback: cfg.Lookback,
				Concurrency: cfg.Concurrency,
			},
		})
	}
	return shops, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for appID, s := range first {
			clients[appID].shop.Store(s)
		}
		for _, s := range cfg.Shops {
			clients[s.AppID].names.Store(wechat.Range(s.TimeRange), s.Name)
		}
		b.clients = clients
	}
}

// shopOf returns the configuration of an app ID; nil if it has none.
func (b *shopBook) shopOf(appID string) *config.Shop {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.clients[appID]; ok {
		return k.shop.Load()
	}
	return nil
}

// tenants lists the platform's shops with their configured refresh tokens.
func (b *shopBook) tenants() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	tenants := make(map[string]string)
	for appID, k := range b.clients {
		if s := k.shop.Load(); s.Auth == wechat.AuthComponent {
			tenants[appID] = now(s.RefreshToken)
		}
	}
	return tenants
}

// client returns the existing client of the app ID, unless the shop's
// credentials have changed. The existing client reads secrets from their
// current source.
func (b *shopBook) client(s config.Shop) known {
	want := known{auth: s.Auth, secret: now(s.AppSecret), inFile: s.SecretInFile, token: now(s.AccessToken), rate: s.RateLimit}
	if have, ok := b.clients[s.AppID]; ok {
		want.client, want.shop, want.names = have.client, have.shop, have.names
		if want == have {
			return have
		}
	}
	want.shop, want.names = new(atomic.Pointer[config.Shop]), new(sync.Map)
	want.shop.Store(&s)
	cfg := clientConfig(want.shop.Load)
	cfg.Host, cfg.Log = b.host, b.log.With("shop", s.Name)
	names := want.names
	cfg.OnCall = func(r wechat.Range, result string, took time.Duration) {
		if name, ok := names.Load(r); ok {
			b.metrics.OnCall(name.(string), result, took)
		}
	}
	cfg.OnTokenRefresh = b.metrics.OnTokenRefresh(s.Name)
	if s.Auth == wechat.AuthComponent && b.state != nil {
		cfg.Tokens = b.state.Tokens(s.AppID)
		cfg.Secret = func() (string, error) { return b.state.Version(s.AppID), nil } // a waiting shop retries when this value changes
	}
	if access, _, _ := b.kept.Shop(s.AppID); access != "" {
		cfg.Tokens = keptToken(access)
	}
	want.client = wechat.New(cfg)
	return want
}

// clientConfig returns the client settings of a shop. The client reads its secrets
// from the source that current returns at each call.
func clientConfig(current func() *config.Shop) wechat.Config {
	s := current()
	return wechat.Config{
		AppID: s.AppID, Auth: s.Auth, RateLimit: s.RateLimit, SecretInFile: s.SecretInFile,
		Secret: func() (string, error) { return current().AppSecret() },
		Token: func() (string, error) {
			if s := current(); s.Auth == wechat.AuthCloudFile {
				return s.CloudToken()
			}
			return current().AccessToken()
		},
	}
}

// now returns the current secret; empty if it cannot be read, which the client
// reports itself.
func now(s config.Secret) string {
	if s == nil {
		return ""
	}
	text, _ := s()
	return text
}

// watch checks the shops file until ctx ends and passes changes on. A file
// with faults changes nothing and is reported once.
func (b *shopBook) watch(ctx context.Context, cfg *config.Config, defaults map[string]string, conn *connector.Connector) {
	// The first check always loads the file: it may have changed since the start,
	// which can be long ago if Kafka was unreachable.
	var seen fileState
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		latest := look(cfg.ShopsFile)
		if latest == seen && logged == "" {
			continue
		}
		// Log an error again only if the file or its faults change. Errors of
		// Kafka differ at every attempt, so they all count as the same.
		message := "the changed shops file has faults; the running shops stay unchanged"
		next, err := config.Load(defaults)
		text := fmt.Sprint(err)
		if err == nil {
			message, text = "cannot apply the changed shops file yet; the running shops stay unchanged, retrying", "topics"
			shops, keep := b.draft(next)
			if err = conn.SetShops(ctx, shops); err == nil {
				keep()
			}
		}
		fresh := latest != seen || text != logged
		seen = latest
		if err == nil {
			if logged != "" {
				b.log.Info("the shops file is in use again", "file", cfg.ShopsFile)
			}
			logged = ""
			continue
		}
		if fresh && ctx.Err() == nil {
			logged = text
			b.log.Error(message, "file", cfg.ShopsFile, "reason", err)
		}
	}
}

// fileState is the part of a file's metadata that shows a change. Kubernetes
// swaps a symbolic link, which Stat follows.
type fileState struct {
	modified time.Time
	size     int64
}

func look(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}
