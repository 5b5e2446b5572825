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

// lookEvery is how often the shops file is looked at for a change.
const lookEvery = 2 * time.Second

// shopBook makes connector's shops of configured ones, and keeps the client of
// each app ID: shops with the same one share it, and with it the token, the
// rate limit and the quota, also when the shops file is read again.
type shopBook struct {
	host    *wechat.Host
	metrics *connector.Metrics
	log     *slog.Logger
	// ledger, if any, has the tokens of a platform's shops.
	state *platform.State
	// kept, instead of ledger, are those that run has put there.
	kept platform.Known

	mu      sync.Mutex
	clients map[string]known
	warned  map[string]bool // shops whose filter was warned of
}

// known is a client with what it was made of.
type known struct {
	client        *wechat.Client
	shop          *atomic.Pointer[config.Shop] // where its secrets are read
	names         *sync.Map                    // of the shops that share it, by their ranges
	auth          string
	secret, token string
	inFile        bool // the secret
	rate          float64
}

// shops gives each configured shop its client, and keeps those clients.
func (b *shopBook) shops(cfg *config.Config) []connector.Shop {
	shops, keep := b.draft(cfg)
	keep()
	return shops
}

// draft gives each configured shop its client. Until keep is called nothing is
// different for the shops there are: neither which clients serve them nor where
// those read their secrets.
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

// shopOf is the configuration of an app ID; nil if there is none.
func (b *shopBook) shopOf(appID string) *config.Shop {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.clients[appID]; ok {
		return k.shop.Load()
	}
	return nil
}

// tenants lists the shops of the platform, with the refresh tokens they are
// configured with.
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

// client is the one there is for the app ID, unless its credentials have
// changed since. The one there is reads them where they are now.
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

// now is what a secret is at this moment; empty when it cannot be read, which
// the client finds out for itself.
func now(s config.Secret) string {
	if s == nil {
		return ""
	}
	text, _ := s()
	return text
}

// watch looks at the shops file until ctx ends and hands changes on. A file
// that is wrong changes nothing and is complained about once.
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

// glance is what tells a changed file from an unchanged one. Kubernetes swaps a
// symbolic link, which Stat follows.
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
