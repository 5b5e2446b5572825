// Package control is the HTTP server of a worker: metrics, the probes of Kubernetes, the
// answers that clients of Kafka Connect request first, and
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
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"orderwalk/internal/httpserve"
)

// Server answers over HTTP. Optional fields have useful zero values; do not change a
// field after Run has been called.
type Server struct {
	// Version and Commit are the program's.
	Version, Commit string
	// ClusterID returns Kafka's cluster ID, empty while it is unknown.
	ClusterID func() string
	// Ready returns nil when the worker works, otherwise the reason why it does not.
	Ready func() error
	// Metrics is the source of GET /metrics.
	Metrics prometheus.Gatherer
	// Token reads the bearer token that calls need to change state. If nil, only
	// callers on this machine may.
	Token func() (string, error)
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
	// address: each holds all series in memory, also while the client reads slowly.
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
		StopTimeout: stopTimeout, MaxHeader: maxHeader, MaxConns: maxConns,
	}
	return server.Run(ctx, listener)
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// Handler returns the handler that Run serves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("PUT /components/{component}/verify-ticket", s.changing(s.ticket))
	mux.Handle("GET /metrics", httpserve.PerPeer(scrapesOfOne,
		promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})))
	return errorBodies(mux)
}
