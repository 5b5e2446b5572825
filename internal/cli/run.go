package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/internal/control"
	"orderwalk/internal/fleet"
	"orderwalk/internal/incident"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/loglevel"
	"orderwalk/internal/record"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
)

const runAbout = `
Its settings are environment variables; it needs at least
ORDERWALK_KAFKA_BROKERS, ORDERWALK_APP_ID and ORDERWALK_APP_SECRET.
` + "`orderwalk config`" + ` lists all of them.

SIGTERM or Ctrl-C stops it in order, a second Ctrl-C at once; neither loses an
order or publishes one twice. With ORDERWALK_END_TIME it exits once the whole
range is published.

On a terminal it logs text and shows its progress in the last line, unless
ORDERWALK_LOG_FORMAT is json; otherwise it logs JSON.
`

const runExamples = `
  export ORDERWALK_KAFKA_BROKERS=kafka-1:9092
  export ORDERWALK_APP_ID=wx0123456789abcdef
  export ORDERWALK_APP_SECRET_FILE=/run/secrets/app_secret
  orderwalk check && orderwalk run
`

// runCommand runs the connector.
func runCommand(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "walk the shops and publish their orders",
		Long: runAbout, Example: runExamples, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWorker(cmd.Context(), streams) },
	}
}

func runWorker(ctx context.Context, c Streams) error {
	screen, onTerminal := terminal(c.Err)
	var defaults map[string]string
	if onTerminal {
		defaults = map[string]string{"ORDERWALK_LOG_FORMAT": "text"}
	}
	cfg, err := config.Load(defaults)
	if err != nil {
		return err
	}
	w := worker{cfg: cfg, defaults: defaults}
	w.garbage.tune(len(cfg.Shops))
	w.log, w.levels = newLog(cfg, c.Err)
	if onTerminal && cfg.LogFormat == "text" {
		return w.runOnTerminal(ctx, screen)
	}
	return logEnd(cfg, w.log, w.run(ctx))
}

// runOnTerminal runs the worker with a progress line below the log.
func (w *worker) runOnTerminal(ctx context.Context, screen *os.File) error {
	line := &statusLine{w: screen}
	w.log, w.levels = newLog(w.cfg, line)
	drawing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var drawn sync.WaitGroup
	defer drawn.Wait()
	defer stop()
	w.started = func(status func() []connector.ShopStatus) {
		drawn.Go(func() {
			(&progress{since: sinceStart}).draw(drawing, line, func() int { return width(screen) }, status)
		})
	}
	return w.run(ctx)
}

// rightsAfter is the delay after which run checks its rights.
const rightsAfter = 300 * time.Millisecond

// worker is one process of the connector.
type worker struct {
	cfg *config.Config
	// log is the worker's, and levels are those of its loggers.
	log    *slog.Logger
	levels *loglevel.Levels
	// defaults apply to unset variables.
	defaults map[string]string
	// garbage is tuned to the number of shops.
	garbage garbage
	// listener serves HTTP. Defaults to one on the configured address.
	listener net.Listener
	// started, if set, is called once when the worker is wired and before it runs,
	// with a function that returns the state of the shops.
	started func(status func() []connector.ShopStatus)
}

// run wires the worker in the order in which an order passes through it, and
// runs it until ctx ends or every shop is done. It is long because the whole
// wiring is in this one function.
func (w *worker) run(ctx context.Context) error {
	cfg, log := w.cfg, w.log
	build := readBuild()
	if w.listener == nil {
		// First, so that a port in use is reported at once.
		listener, err := net.Listen("tcp", cfg.Listen)
		if err != nil {
			return fmt.Errorf("open %s: %w", cfg.Listen, err)
		}
		w.listener = listener
	}
	defer w.listener.Close()
	encryption, err := listenTLS(cfg.ListenTLS, log)
	if err != nil {
		return err
	}
	log.Info("orderwalk starts", "version", build.version, "commit", build.commit,
		"listen", w.listener.Addr().String(), "config", cfg)
	for _, warning := range cfg.Warnings() {
		log.Warn(warning)
	}

	// Kafka is reached while the rest is wired.
	ctx, abandon := context.WithCancel(ctx)
	group, walking := errgroup.WithContext(ctx)
	brokers := kafkaconn.New(kafkaConfig(cfg.Kafka, cfg.WorkerID, log))
	defer brokers.Close()
	var clusterID atomic.Value
	clusterID.Store("")
	var reaching errgroup.Group
	reaching.Go(func() error {
		id, err := reachKafka(walking, brokers, log)
		clusterID.Store(id)
		return err
	})
	defer func() { // before the connections are closed
		abandon()
		_ = reaching.Wait() // its error is reported below
	}()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := connector.NewMetrics(registry)
	metrics.Build(registry, build.version, build.commit)

	host := &wechat.Host{URL: cfg.APIURL}
	defer host.Close()
	incidents := incident.New(log)
	book := &shopBook{host: host, metrics: metrics, log: log, incidents: incidents, clients: map[string]known{}}

	url := advertised(cfg, w.listener.Addr())
	registry.MustRegister(newTraffic(brokers))
	var conn *connector.Connector
	var shops *fleet.Fleet
	var list *roster.Roster
	sidecar, err := newSidecar(cfg, book, brokers, registry, log, w.levels, func(appID, event, order string, at time.Time) { conn.Nudge(appID, event, order, at) })
	if err != nil {
		return err
	}
	book.state = sidecar.state
	conn = connector.New(connector.Config{
		Group: cfg.Group, OffsetsTopic: cfg.OffsetsTopic, WorkerID: cfg.WorkerID,
		TopicPartitions: cfg.TopicPartitions, OffsetsPartitions: cfg.OffsetsPartitions,
		ReplicationFactor: cfg.ReplicationFactor,
		Addr:              brokers.Addr, Transport: brokers.Transport, Dialer: brokers.Dialer,
		SessionTimeout:     cfg.SessionTimeout,
		TransactionTimeout: cfg.TransactionTimeout,
		Compression:        compression(cfg.Compression),
		QuotaLiveShare:     cfg.QuotaLiveShare,
		Format:             record.Named(cfg.Format),
		Host:               host, Shops: book.shops(cfg), Metrics: metrics, Log: log, Incidents: incidents, Hint: hintFor,
		Sidecar: sidecar.connector(cfg, metrics, log, func() *fleet.Fleet { return shops }, func() bool { return list.Follows() }),
		URL:     url,
	}, registry)
	sidecar.log.OnWait(conn.Waits("group log"))
	list = roster.New(roster.Config{Desired: sidecar.desired, Log: log, Members: sidecar.members(), Apply: func(ctx context.Context, shops []config.Shop) error {
		if err := book.apply(ctx, cfg, shops, conn); err != nil {
			return err
		}
		w.garbage.tune(len(shops)) // created and authorised ones count, too
		sidecar.state.Wake()
		return nil
	}}, cfg)
	registry.MustRegister(newAuthorizedShops(list.Counts))
	shops = fleet.New(fleet.Config{Connector: conn, Desired: sidecar.desired, Roster: list, Worker: cmp.Or(cfg.WorkerID, url[strings.LastIndex(url, "/")+1:]),
		Client: peerClient(encryption), Log: log})
	page := &control.Server{
		Version: build.version, Commit: build.commit,
		ClusterID: func() string { return clusterID.Load().(string) },
		Fleet:     shops,
		Ready:     conn.Ready, Metrics: registry, ShopMetrics: conn.WriteShopMetrics, Log: log, Hint: hintFor,
		Token: cfg.RESTToken, TLS: encryption, Levels: w.levels, ClusterLevel: sidecar.levels.SetAll,
		Component: cfg.Component.AppID, Ticket: sidecar.takeTicket(),
	}

	// HTTP is served before Kafka is reached and until the connector has ended, so
	// that an operator can watch the start and the drain.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group.Go(func() error { return page.Run(serving, w.listener) })
	if err := reaching.Wait(); err != nil {
		stopServing()
		if served := group.Wait(); served != nil {
			return served
		}
		if ctx.Err() != nil {
			return nil // stopped before the start was complete
		}
		return err
	}
	if w.started != nil {
		w.started(conn.Status)
	}
	group.Go(func() error { return sidecar.run(serving) })
	if cfg.ShopsFile != "" {
		go watch(serving, cfg.ShopsFile, cfg.ShopsFileState, log, func() error {
			next, err := config.Load(w.defaults)
			if err != nil {
				return &fileError{err}
			}
			list.Load(next)
			return shops.Update(serving)
		})
	}
	walked := make(chan struct{})
	group.Go(func() error {
		// The rights are nearly always complete: do not delay the first orders.
		select {
		case <-walked:
		case <-time.After(rightsAfter):
		case <-walking.Done():
			return nil
		}
		return requireRights(walking, cfg, brokers, log)
	})
	group.Go(func() error {
		defer stopServing()
		defer close(walked)
		return conn.Run(walking)
	})
	err = group.Wait()
	if err == nil || errors.Is(err, context.Canceled) {
		log.Info("orderwalk stops")
		return nil
	}
	return explain(ctx, cfg, brokers, err)
}
