package push

import (
	"context"
	"net"
	"time"

	"orderwalk/internal/httpserve"
)

// Limits of a connection. The vendor's pushes are about a kilobyte, and it gives up
// after 5 s; slower clients are not the vendor.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 4 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 12 << 10
	// maxConns leaves file descriptors for the rest of the process.
	maxConns = 512
	// stopTimeout is how long pushes in progress may take when Run ends.
	stopTimeout = answerWithin + 500*time.Millisecond
)

// Run serves pushes on a listener until ctx ends, lets those in progress finish and
// closes the listener. It returns nil when ctx ended it.
func (h *Handler) Run(ctx context.Context, listener net.Listener) error {
	server := &httpserve.Server{
		What: "pushes", Handler: h, Log: h.Log,
		HeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		StopTimeout: stopTimeout, MaxHeader: maxHeader, MaxConns: maxConns,
	}
	return server.Run(ctx, listener)
}
