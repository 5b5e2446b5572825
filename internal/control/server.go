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
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	// stopTimeout is how long requests under way may take when Run ends.
	stopTimeout = 3 * time.Second
)

// Run serves on the listener until ctx ends, lets the requests under way
// finish and closes the listener. It returns nil when ctx ended it.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	log := s.log()
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		// Somebody holds a connection: it is closed under them.
		if err := server.Close(); err != nil {
			log.Warn("close http listener", "error", err)
		}
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", err)
	}
	return nil
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
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	return errorBodies(mux)
}
