// Package httpserve runs an HTTP server for untrusted clients, with bounds on headers,
// times and connections, optionally with TLS whose files are read again when they change.
//
// The number of connections is bounded, and so are the resources of each. A single peer
// (an IPv4 address, or an IPv6 network of 64 bits) has no separate bound, since a proxy
// in front sends all requests from one address. When all connections are in use, each new
// one replaces another: of the peer with the most connections, the one that has waited
// longest for the rest of a request or for the next one. So a flood from one peer, or from
// a hundred, costs those peers their connections, and a peer with one active connection
// gets its answer. While more than half are in use keep-alive is off.
//
// It serves any handler. internal/control and internal/push use it.
package httpserve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves with bounds. All fields except TLS and Log are required.
type Server struct {
	// What names the service in errors: "pushes".
	What    string
	Handler http.Handler
	// HeaderTimeout bounds the reading of a header, ReadTimeout that of a whole
	// request, WriteTimeout includes the answer, IdleTimeout bounds the wait for the
	// next request.
	HeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// StopTimeout is how long requests under way may take when Run ends.
	StopTimeout time.Duration
	// MaxHeader bounds a header, in bytes.
	MaxHeader int
	// MaxConns bounds the connections; a quarter of the process's limit of open files
	// bounds them too.
	MaxConns int
	// TLS encrypts the connections; nil = plain HTTP.
	TLS *TLS
	// Log receives the HTTP server's own messages at debug level. Defaults to
	// slog.Default.
	Log *slog.Logger
}

// connLimit bounds connections so that the process keeps enough files: to accept the
// connection that replaces another, and for everything else.
func connLimit(wanted int, files uint64) int {
	if files == 0 {
		return wanted
	}
	return max(1, int(min(uint64(wanted), files/4)))
}

// headerSlack is how much net/http reads beyond MaxHeaderBytes.
const headerSlack = 4 << 10

// Run serves on the listener until ctx ends, lets the requests under way finish
// and closes the listener. It returns nil when ctx ended it.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	bounded := &boundedListener{Listener: listener, max: connLimit(s.MaxConns, openFiles()), conns: map[*conn]struct{}{}, peers: map[string]int{}}
	server := &http.Server{
		Handler:                      bounded.handler(s.Handler),
		ReadHeaderTimeout:            s.HeaderTimeout,
		ReadTimeout:                  s.ReadTimeout,
		WriteTimeout:                 s.WriteTimeout,
		IdleTimeout:                  s.IdleTimeout,
		MaxHeaderBytes:               max(s.MaxHeader-headerSlack, 1),
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:                    bounded.connState,
		ConnContext:                  withConn,
	}
	var open net.Listener = bounded
	if s.TLS != nil {
		open = tls.NewListener(bounded, s.TLS.serverConfig())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(open) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.What, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.StopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		// A client still holds a connection, which Close closes.
		if err := server.Close(); err != nil {
			log.Warn("close listener", "of", s.What, "error", err)
		}
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", s.What, err)
	}
	return nil
}
