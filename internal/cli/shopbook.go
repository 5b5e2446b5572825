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
	// ledger, if any, holds the tokens of a platform's shops.
	state *platform.State
	// kept, instead of ledger, holds the tokens that run has stored.
	kept platform.Known

	mu      sync.Mutex
	clients map[string]known
	warned  map[string]bool // shops whose filter was warned of
}

// known is a client with the configuration it was created from.
type known struct {
	client        *wechat.Client
	shop          *atomic.Pointer[config.Shop] // where its secrets are read
	names         *sync.Map                    // of the shops that share it, by their ranges
	auth          string
	secret, token string
	inFile        bool // the secret
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
	first := make(map[string]*config.Shop) // by app ID, whose configuration the client has
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
		cfg.Secret = func() (string, error) { return b.state.Version(s.AppID), nil } // a shop that waits looks again when it changes
	}
	if access, _, _ := b.kept.Shop(s.AppID); access != "" {
		cfg.Tokens = keptToken(access)
	}
	want.client = wechat.New(cfg)
	return want
}

// clientConfig is what the configuration knows of a shop's client; its secrets
// are read where the shop that is current has them.
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
	// The first look always counts: the file may have changed since it was read
	// for the start, which can be long ago when Kafka was away.
	var seen glance
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	complaint := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		latest := look(cfg.ShopsFile)
		if latest == seen && complaint == "" {
			continue
		}
		// A file that is wrong is complained about again when it is wrong in another
		// way. What is wrong with Kafka sounds different every time it is tried.
		message := "shops file changed and cannot be used, the shops stay as they are"
		next, err := config.Load(defaults)
		text := fmt.Sprint(err)
		if err == nil {
			message, text = "shops of the file cannot be taken yet, the shops stay as they are; trying on", "topics"
			shops, keep := b.draft(next)
			if err = conn.SetShops(ctx, shops); err == nil {
				keep()
			}
		}
		unheard := latest != seen || text != complaint
		seen = latest
		if err == nil {
			if complaint != "" {
				b.log.Info("shops file is in use again", "file", cfg.ShopsFile)
			}
			complaint = ""
			continue
		}
		if unheard && ctx.Err() == nil {
			complaint = text
			b.log.Error(message, "file", cfg.ShopsFile, "reason", err)
		}
	}
}

// glance is the part of a file's metadata that shows a change. Kubernetes
// swaps a symbolic link, which Stat follows.
type glance struct {
	modified time.Time
	size     int64
}

func look(file string) glance {
	info, err := os.Stat(file)
	if err != nil {
		return glance{}
	}
	return glance{info.ModTime(), info.Size()}
}
