package group

import (
	"errors"
	"log/slog"
	"time"
)

// outage logs the first of a row of failures that lasts, and its end.
type outage struct {
	log    *slog.Logger
	tell   func(error) // Config.OnOutage
	since  time.Time   // of the first failure; zero when all is well
	logged bool
}

// patience is how long calls may fail before it is worth a line: a coordinator
// that moves, or is made on a fresh cluster, is back sooner.
const patience = 2 * time.Second

func (o *outage) failed(err error) {
	o.tell(err)
	if o.since.IsZero() {
		o.since = time.Now()
	}
	var refused *Error
	if !o.logged && (time.Since(o.since) >= patience || errors.As(err, &refused)) {
		o.logged = true
		o.log.Warn("cannot reach the worker group, lanes stay as they are; trying on", "reason", noCoordinator(err))
	}
}

func (o *outage) over() {
	if !o.since.IsZero() {
		o.tell(nil)
	}
	if o.logged {
		o.log.Info("back in touch with the worker group", "after", time.Since(o.since).Round(time.Millisecond))
	}
	o.since, o.logged = time.Time{}, false
}
