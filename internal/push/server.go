package push

import (
	"context"
	"net"
	"time"

	"orderwalk/internal/httpserve"
)

// Limits of a connection. The vendor's pushes are a kilobyte, and it gives up
// after 5 s; what is slower is not the vendor.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 4 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 12 << 10
	// maxConns keeps connections from using up the files that the rest of the
	// process needs.
	maxConns = 512
	// stopTimeout is how long pushes under way may take when Run ends.
	stopTimeout = answerWithin + 500*time.Millisecond
)

// Run serves pushes on a listener of their own until ctx ends, lets those under
// way finish and closes the listener. It returns nil when ctx ended it.
func (h *Handler) Run(ctx context.Context, listener net.Listener) error {
	server := &httpserve.Server{
		What: "pushes", Handler: h, Log: h.Log,
		HeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		StopTimeout: stopTimeout, MaxHeader: maxHeader, MaxConns: maxConns,
	}
	return server.Run(ctx, listener)
}
