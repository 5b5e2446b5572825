package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/internal/desired"
	"orderwalk/internal/fleet"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/loglevel"
	"orderwalk/internal/platform"
	"orderwalk/internal/push"
	"orderwalk/internal/wechat"
)

// sidecar runs beside the walk: the group's log with what operators want of the
// shops, and if they are configured the platform's tokens and the push listener.
type sidecar struct {
	book     *shopBook
	log      *grouplog.Log
	desired  *desired.Store
	levels   *desired.Levels
	orders   *push.Orders
	state    *platform.State
	platform *wechat.Platform // nil = none
	listener net.Listener     // nil = no pushes
	handler  *push.Handler
}

// newSidecar returns the configured parts. It calls nudge for each order that the
// vendor's pushes announce.
func newSidecar(cfg *config.Config, book *shopBook, brokers *kafkaconn.Kafka, registry prometheus.Registerer,
	log *slog.Logger, levels *loglevel.Levels, nudge func(shop, event, order string, at time.Time)) (*sidecar, error) {
	a := &sidecar{book: book, log: grouplog.New(grouplog.Config{
		Group: cfg.Group, Topic: cfg.OffsetsTopic, Worker: workerName(cfg), Addr: brokers.Addr, Transport: brokers.Transport,
		TransactionTimeout: cfg.TransactionTimeout, Log: log,
	})}
	a.desired = desired.New(desired.Config{Log: a.log, Logger: log})
	a.levels = desired.NewLevels(a.log, levels, log)
	a.orders = push.NewOrders(a.log, nudge)
	a.state = platform.New(platform.Config{Log: a.log, Keys: platform.Keys(cfg.StateKeys), Component: cfg.Component.AppID, Logger: log,
		OnProblem: func(shop string, at time.Time) { nudge(shop, "", "", at) }})
	if cfg.Component.AppID != "" {
		a.platform = &wechat.Platform{Host: book.host, AppID: cfg.Component.AppID, Secret: cfg.Component.AppSecret}
	}
	if cfg.Push.Listen == "" {
		return a, nil
	}
	listener, err := net.Listen("tcp", cfg.Push.Listen)
	if err != nil {
		return nil, fmt.Errorf("open %s for pushes: %w", cfg.Push.Listen, err)
	}
	a.listener = listener
	counted := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orderwalk_pushes_total", Help: "Requests to the push listener by result."}, []string{"result"})
	registry.MustRegister(counted)
	for _, r := range push.Results() {
		counted.WithLabelValues(string(r))
	}
	a.handler = &push.Handler{
		ShopKeys: func(appID string) ([]push.Key, error) { return shopKeys(cfg, book.shopOf(appID)) },
		Count:    func(r push.Result) { counted.WithLabelValues(string(r)).Inc() },
		Clock:    book.host.APINow,
		Log:      log,
		Order: func(ctx context.Context, o push.Order) error {
			if book.shopOf(o.Shop) == nil {
				return nil // a shop of the platform that is not configured
			}
			return a.orders.Post(ctx, o)
		},
	}
	if a.platform != nil {
		a.handler.ComponentKeys = func(appID string) ([]push.Key, error) {
			if appID != cfg.Component.AppID {
				return nil, nil
			}
			return pushKeys(cfg.Push.Token, cfg.Push.AESKey)
		}
		a.handler.Ticket = func(ctx context.Context, t push.Ticket) error {
			return a.state.Ticket(ctx, string(t.Ticket), t.Created)
		}
		a.handler.Authorization = func(ctx context.Context, p push.Authorization) error {
			return a.state.Authorization(ctx, p.Shop, string(p.Change), string(p.Code), p.Expires, p.Created)
		}
	}
	log.Info("listening for pushes", "listen", listener.Addr().String())
	return a, nil
}

// workerName returns a name that no other live worker has.
func workerName(cfg *config.Config) string {
	host, _ := os.Hostname()
	return cmp.Or(cfg.WorkerID, host+"-"+strconv.Itoa(os.Getpid()))
}

// connector returns the part that the connector runs. fleet returns the view that
// passes on what operators want; it does not exist before the connector. follows reports
// whether shops that authorise the platform are walked.
func (a *sidecar) connector(cfg *config.Config, metrics *connector.Metrics, log *slog.Logger, fleet func() *fleet.Fleet, follows func() bool) *connector.Sidecar {
	out := &connector.Sidecar{Key: grouplog.Key(cfg.Group),
		Prepare: func(ctx context.Context, lane int) error {
			a.log.At(lane)
			if err := fleet().Prepare(ctx); err != nil {
				return err
			}
			if err := a.log.Moved(ctx); err != nil {
				return err
			}
			a.levels.Begin() // Prepare has read the log
			return nil
		},
		CatchUp: func(ctx context.Context) error { return fleet().CatchUp(ctx) },
		Follow: func(ctx context.Context, _ int) {
			var watching sync.WaitGroup
			defer watching.Wait()
			watching.Go(func() { a.state.Watch(ctx) })
			watching.Go(func() { fleet().Follow(ctx) })
			a.log.Follow(ctx)
		}}
	if a.platform != nil {
		out.Lead = func(ctx context.Context, mine func(context.Context) (bool, error)) error {
			keeper := &platform.Keeper{State: a.state, Platform: a.platform, Log: log, Incidents: a.book.incidents,
				Given:     func() (string, map[string]string) { return now(cfg.Component.VerifyTicket), a.book.tenants() },
				Members:   follows,
				OnRefresh: func(_, result string) { metrics.OnPlatformToken(result) }}
			return keeper.Run(ctx, mine)
		}
	}
	return out
}

// members lists the shops that have authorised the platform; nil if no platform is
// configured.
func (a *sidecar) members() func() ([]string, <-chan struct{}) {
	if a.platform == nil {
		return nil
	}
	return a.state.Members
}

// takeTicket stores a verify ticket that an operator sends; nil if no platform
// is configured.
func (a *sidecar) takeTicket() func(context.Context, string) error {
	if a.platform == nil {
		return nil
	}
	return func(ctx context.Context, ticket string) error { return a.state.Ticket(ctx, ticket, time.Time{}) }
}

// run serves pushes until ctx ends.
func (a *sidecar) run(ctx context.Context) error {
	if a.handler == nil {
		return nil
	}
	return a.handler.Run(ctx, a.listener)
}

// shopKeys returns the keys of a shop's own pushes.
func shopKeys(cfg *config.Config, s *config.Shop) ([]push.Key, error) {
	switch {
	case s == nil:
		return nil, nil
	case s.PushToken != nil:
		return pushKeys(s.PushToken, s.PushAESKey)
	}
	return pushKeys(cfg.Push.Token, cfg.Push.AESKey)
}

func pushKeys(token, key config.Secret) ([]push.Key, error) {
	if token == nil || key == nil {
		return nil, nil
	}
	t, err := token()
	if err != nil {
		return nil, err
	}
	k, err := key()
	if err != nil {
		return nil, err
	}
	made, err := push.NewKey(t, k)
	if err != nil {
		return nil, err
	}
	return []push.Key{made}, nil
}
