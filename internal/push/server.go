package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of a connection. The vendor's pushes are a kilobyte, and it gives up
// after 5 s; whoever is slower is somebody else.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 4 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 8 << 10
	// maxConns keeps those who only hold connections from using up the files
	// that the rest of the process needs.
	maxConns = 512
	// stopTimeout is how long pushes under way may take when Run ends.
	stopTimeout = answerWithin + 500*time.Millisecond
)

// Run serves pushes on a listener of their own until ctx ends, lets those under
// way finish and closes the listener. It returns nil when ctx ended it.
func (h *Handler) Run(ctx context.Context, listener net.Listener) error {
	log := h.Log
	if log == nil {
		log = slog.Default()
	}
	server := &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(listener, maxConns)) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve pushes: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		// Somebody holds a connection: it is closed under them.
		if err := server.Close(); err != nil {
			log.Warn("close push listener", "error", err)
		}
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pushes: %w", err)
	}
	return nil
}
