// Package control is the HTTP server of a worker: metrics, the probes of Kubernetes, the
// answers that clients of Kafka Connect request first, Connect's /admin/loggers, and
//
//	PUT /components/{component_app_id}/verify-ticket
//
// with which an operator sets a third-party platform's verify ticket. The body is
// {"component_verify_ticket":"ticket@@@…"}. The status is 204 when the ticket is stored,
// 400 if it cannot be a ticket, 401 or 403 if the caller is not allowed, 404 if it is not
// this worker's platform, 503 if it could not be stored.
//
// The package decides nothing: its caller provides functions that return the state. Only
// internal/cli uses it.
package control

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/fleet"
	"orderwalk/internal/httpserve"
	"orderwalk/internal/loglevel"
)

// Server answers over HTTP. Optional fields have useful zero values; do not change a
// field after Run has been called.
type Server struct {
	// Version and Commit are the program's.
	Version, Commit string
	// ClusterID returns Kafka's cluster ID, empty while it is unknown.
	ClusterID func() string
	// Fleet is what the calls about shops are answered from.
	Fleet *fleet.Fleet
	// Ready returns nil when the worker works, otherwise the reason why it does not.
	Ready func() error
	// Metrics is the source of GET /metrics.
	Metrics prometheus.Gatherer
	// ShopMetrics writes the series of shops in Prometheus' text format, after those of
	// Metrics. nil = none.
	ShopMetrics func(io.Writer) error
	// Token reads the bearer token with which calls may change state. If it is nil and
	// TLS asks for no client certificates, only callers on this machine may.
	Token func() (string, error)
	// TLS encrypts the connections, and identifies clients by their certificates if it
	// has authorities for them. If nil, Run serves plain HTTP.
	TLS *httpserve.TLS
	// Levels are the levels of the log that GET and PUT /admin/loggers serve. If nil,
	// there are no such calls.
	Levels *loglevel.Levels
	// ClusterLevel sets the level of a logger in every worker of the group, this one too,
	// for PUT /admin/loggers/{logger}?scope=cluster. It returns nil when that is committed.
	// Name and level have been checked. If nil, that scope is refused.
	ClusterLevel func(ctx context.Context, logger, level string) error
	// Component is the app ID of the third-party platform, and Ticket stores its
	// verify ticket durably before it returns nil; empty and nil without a platform.
	Component string
	Ticket    func(ctx context.Context, ticket string) error
	// Hint returns what a caller can do about an error; empty if it does not know. May
	// be nil.
	Hint func(error) string
	// Log receives what an operator can act on. Defaults to slog.Default.
	Log *slog.Logger

	// wasReady distinguishes a worker in trouble from one that is still starting.
	wasReady atomic.Bool
	// attempts counts wrong tokens, and refusals limits the log of refused calls.
	attempts attempts
	refusals refusals
}

// Limits of a connection. A scrape of ten thousand shops takes well under a second, so
// these stop only clients that hold a connection without need.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	// maxConns keeps connections from using up memory and files that the walkers need.
	maxConns = 128
	// maxScrapes and scrapesOfOne bound the concurrent scrapes, of all and of one
	// address: each holds the state of all shops, also while the client reads slowly.
	maxScrapes, scrapesOfOne = 8, 2
	// stopTimeout is how long requests under way may take when Run ends.
	stopTimeout = 3 * time.Second
)

// Run serves on the listener until ctx ends, lets the requests under way
// finish and closes the listener. It returns nil when ctx ended it.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	server := &httpserve.Server{
		What: "http", Handler: s.Handler(), Log: s.log(),
		HeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		StopTimeout: stopTimeout, MaxHeader: maxHeader, MaxConns: maxConns, TLS: s.TLS,
	}
	return server.Run(ctx, listener)
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}
