package group

import (
	"errors"
	"log/slog"
	"time"
)

// outage logs the first of consecutive failures once they last, and their end.
type outage struct {
	log    *slog.Logger
	report func(error) // Config.OnOutage
	since  time.Time   // when the first failure was; zero = none
	logged bool
}

// patience is how long calls may fail before the failure is logged: a coordinator that
// moves, or that a new cluster still creates, is back sooner.
const patience = 2 * time.Second

func (o *outage) failed(err error) {
	o.report(err)
	if o.since.IsZero() {
		o.since = time.Now()
	}
	var refused *Error
	if !o.logged && (time.Since(o.since) >= patience || errors.As(err, &refused)) {
		o.logged = true
		o.log.Warn("cannot reach the coordinator of the worker group; lanes stay as they are; trying again", "reason", noCoordinator(err))
	}
}

func (o *outage) over() {
	if !o.since.IsZero() {
		o.report(nil)
	}
	if o.logged {
		o.log.Info("reached the coordinator of the worker group again", "after", time.Since(o.since).Round(time.Millisecond))
	}
	o.since, o.logged = time.Time{}, false
}
