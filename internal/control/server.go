// Package control is the HTTP face of a worker: metrics, the probes of
// Kubernetes, the answers that clients of Kafka Connect look for first, and
//
//	PUT /components/{component_app_id}/verify-ticket
//
// by which an operator gives a third-party platform's verify ticket, with
// {"component_verify_ticket":"ticket@@@…"} as the body: 204 when it is kept, 400
// if it cannot be one, 401 or 403 if the caller may not, 404 if it is not this
// worker's platform, 503 if it could not be kept.
//
// It is no place for decisions: what it says about the state comes from
// functions the caller gives it. Only internal/cli uses it.
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

// Server answers over HTTP. The zero value of an optional field is useful;
// nothing may be changed once Run has been called.
type Server struct {
	// Version and Commit are those of the program.
	Version, Commit string
	// ClusterID returns Kafka's cluster ID, empty while it is not known.
	ClusterID func() string
	// Ready returns nil when the worker does its work, else why it does not.
	Ready func() error
	// Metrics is what GET /metrics shows.
	Metrics prometheus.Gatherer
	// Token reads what calls need that change something. Nil: they are for
	// callers on this machine.
	Token func() (string, error)
	// Component is the third-party platform whose verify tickets Ticket keeps for
	// good before it returns nil; empty and nil if there is none.
	Component string
	Ticket    func(ctx context.Context, ticket string) error
	// Hint returns what an operator can do about an error; it is added to the answer.
	// May be nil.
	Hint func(error) string
	// Log gets what an operator can do something about. Defaults to slog.Default.
	Log *slog.Logger

	// wasReady tells a worker that starts from one that has got into trouble.
	wasReady atomic.Bool
}

// Limits of a connection. A scrape of ten thousand shops takes well under a
// second, so whoever is slower than this only holds the connection.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	// maxConns keeps connections from using up the memory and the files that the
	// walk needs.
	maxConns = 128
	// maxScrapes and scrapesOfOne bound the scrapes at once, of all and of one
	// address: each holds all series in memory, also while the caller reads slowly.
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

// Handler is what Run serves.
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
