package cli

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/config"
	"orderwalk/internal/incident"
	"orderwalk/internal/platform"
	"orderwalk/internal/wechat"
)

// shopBook converts configured shops to connector's shops and keeps one client
// for each app ID. Shops with the same app ID share the client's token, rate
// limit and quota, also after the shops file is read again.
type shopBook struct {
	host    *wechat.Host
	metrics *connector.Metrics
	log     *slog.Logger
	// incidents receives what many shops have at the same time; nil = each client logs
	// on its own.
	incidents *incident.Log
	// state, if any, holds the tokens of a platform's shops.
	state *platform.State
	// kept holds the tokens that run has stored, for commands that have no state.
	kept platform.Known

	mu      sync.Mutex
	clients map[string]known
	warned  map[string]bool // shops whose filter has been warned about
	later   map[string]bool // shops whose start time has been warned about
}

// known is a client with the configuration it was created from.
type known struct {
	client        *wechat.Client
	shop          *atomic.Pointer[config.Shop] // the current source of its secrets
	names         *shopNames                   // of the shops that share the client
	auth          string
	secret, token string
	server        serverIdentity
	inFile        bool // secret comes from a file
	rate          float64
}

// shopNames are the names of the shops that share a client, by time range; nil = none.
type shopNames struct{ created, updated atomic.Pointer[string] }

func (n *shopNames) of(r wechat.Range) *atomic.Pointer[string] {
	if r == wechat.UpdateTime {
		return &n.updated
	}
	return &n.created
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
	b.warnOfStarts(cfg)
	clients := make(map[string]known)
	first := make(map[string]*config.Shop) // by app ID: the shop whose configuration the client uses
	shops = make([]connector.Shop, 0, len(cfg.Shops))
	for i := range cfg.Shops {
		s := &cfg.Shops[i]
		k, ok := clients[s.AppID]
		if !ok {
			k = b.client(s)
			clients[s.AppID], first[s.AppID] = k, s
		}
		shops = append(shops, connector.Shop{
			Name: s.Name, AppID: s.AppID, Topic: s.Topic, Client: k.client, OneRefresher: s.Auth == wechat.AuthToken, Created: s.Created || s.Authorized || cfg.Authorized != nil,
			Policy: window.Policy{
				Range: wechat.Range(s.TimeRange), Start: s.Start, End: s.End, Status: s.Status, OpenID: s.OpenID,
				PageSize: cfg.PageSize, MaxWindow: cfg.MaxWindow, MinWindow: cfg.MinWindow,
				PollInterval: cfg.PollInterval, PollIntervalMax: cfg.PollIntervalMax, SettleDelay: cfg.SettleDelay, Early: cfg.PublishEarly, Lookback: cfg.Lookback,
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
		for i := range cfg.Shops {
			s := &cfg.Shops[i]
			clients[s.AppID].names.of(wechat.Range(s.TimeRange)).Store(&s.Name)
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
func (b *shopBook) client(s *config.Shop) known {
	want := known{auth: s.Auth, secret: identity(s, "app_secret", s.AppSecret), inFile: s.SecretInFile, token: identity(s, "access_token", s.AccessToken), server: identityOfServer(s), rate: s.RateLimit}
	if have, ok := b.clients[s.AppID]; ok {
		want.client, want.shop, want.names = have.client, have.shop, have.names
		if want == have {
			return have
		}
	}
	want.shop, want.names = new(atomic.Pointer[config.Shop]), new(shopNames)
	want.shop.Store(s)
	cfg := clientConfig(want.shop.Load)
	cfg.Host, cfg.Log, cfg.Shop = b.host, b.log, s.Name
	if b.incidents != nil {
		cfg.Incidents = b.incidents.Of(s.Name)
	}
	names := want.names
	cfg.OnCall = func(r wechat.Range, result string, took time.Duration) {
		if name := names.of(r).Load(); name != nil {
			b.metrics.OnCall(*name, result, took)
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

// identity differs when a shop gets another secret. It is the place that the secret is read
// from when it is used, or, if the configuration holds it, the secret itself.
func identity(s *config.Shop, field string, secret config.Secret) string {
	if place := s.References[field]; place != config.HiddenSecret && place != "" {
		return place
	}
	return now(secret)
}

// serverIdentity differs when a shop gets another token server.
type serverIdentity struct{ url, user, secret, pointer, expiryPointer string }

func identityOfServer(s *config.Shop) serverIdentity {
	t := s.TokenServer.For(s.AppID)
	return serverIdentity{t.URL, t.User, identity(s, "access_token_url_secret", t.Secret), t.Pointer, t.ExpiryPointer}
}

// clientConfig returns the client settings of a shop. The client reads its secrets
// from the source that current returns at each call.
func clientConfig(current func() *config.Shop) wechat.Config {
	s := current()
	return wechat.Config{
		Server: tokenServer(current),
		AppID:  s.AppID, Auth: s.Auth, RateLimit: s.RateLimit, SecretInFile: s.SecretInFile,
		Secret: func() (string, error) { return current().AppSecret() },
		Token: func() (string, error) {
			if s := current(); s.Auth == wechat.AuthCloudFile {
				return s.CloudToken()
			}
			return current().AccessToken()
		},
	}
}

// tokenServer returns the shop's token server; nil = it has none.
func tokenServer(current func() *config.Shop) *wechat.TokenServer {
	s := current()
	t := s.TokenServer.For(s.AppID)
	if s.Auth != wechat.AuthStatic || t.URL == "" {
		return nil
	}
	server := &wechat.TokenServer{URL: t.URL, User: t.User, Token: t.Pointer, Expiry: t.ExpiryPointer}
	if t.Secret != nil {
		server.Secret = func() (string, error) { return current().TokenServer.Secret() }
	}
	return server
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

// apply makes these shops the ones that are walked. After an error nothing has changed.
func (b *shopBook) apply(ctx context.Context, cfg *config.Config, shops []config.Shop, conn *connector.Connector) error {
	next := *cfg // the variables stay as they are while the process runs
	next.Shops = shops
	drafted, keep := b.draft(&next)
	if err := conn.SetShops(ctx, drafted); err != nil {
		return err
	}
	keep()
	return nil
}
