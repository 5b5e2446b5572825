// Package httpserve runs an HTTP server that strangers can reach: with bounds on
// headers, times and connections.
//
// The number of connections is bounded, and so is what each can hold; a peer
// (an IPv4 address, or an IPv6 network of 64 bits) has no bound of its own, since
// a proxy in front brings everybody's requests from one address. When all
// connections are in use, each new one takes the place of another: of the peer
// that has the most, the one that has waited longest for the rest of a request,
// or for the next. A flood from one peer, or a hundred, so costs that peer its
// connections; who makes one and uses it gets its answer. While more than half
// are in use no connection is kept for a next request.
//
// It does not know what is served. internal/control and internal/push use it.
package httpserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves with bounds. All fields but Log are needed.
type Server struct {
	// What is served, for errors: "pushes".
	What    string
	Handler http.Handler
	// HeaderTimeout bounds the reading of a header, ReadTimeout that of a whole
	// request, WriteTimeout the answer too, IdleTimeout the wait for a next request.
	HeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// StopTimeout is how long requests under way may take when Run ends.
	StopTimeout time.Duration
	// MaxHeader bounds the bytes of a header.
	MaxHeader int
	// MaxConns bounds the connections, and so does a quarter of the files that the
	// process may have open.
	MaxConns int
	// Log gets the HTTP server's own messages at debug level. Defaults to
	// slog.Default.
	Log *slog.Logger
}

// mostConns bounds connections by what they must leave of the process's files:
// without one to accept the next connection with, none could be replaced, and the
// rest of the process could open none.
func mostConns(wanted int, files uint64) int {
	if files == 0 {
		return wanted
	}
	return max(1, int(min(uint64(wanted), files/4)))
}

// headerSlack is what net/http reads beyond MaxHeaderBytes.
const headerSlack = 4 << 10

// Run serves on the listener until ctx ends, lets the requests under way finish
// and closes the listener. It returns nil when ctx ended it.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	bounded := &boundedListener{Listener: listener, most: mostConns(s.MaxConns, openFiles()), conns: map[*conn]struct{}{}, peers: map[string]int{}}
	server := &http.Server{
		Handler:                      bounded.handler(s.Handler),
		ReadHeaderTimeout:            s.HeaderTimeout,
		ReadTimeout:                  s.ReadTimeout,
		WriteTimeout:                 s.WriteTimeout,
		IdleTimeout:                  s.IdleTimeout,
		MaxHeaderBytes:               max(s.MaxHeader-headerSlack, 1),
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:                    bounded.state,
		ConnContext:                  withConn,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(bounded) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.What, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.StopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		// A client holds a connection: it is closed.
		if err := server.Close(); err != nil {
			log.Warn("close listener", "of", s.What, "error", err)
		}
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", s.What, err)
	}
	return nil
}
