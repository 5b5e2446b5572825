package group

import (
	"errors"
	"log/slog"
	"time"
)

// outage reports each failure, and notes the first of consecutive ones once they last,
// and their end, in the debug log: the lanes wait for Kafka as well, and one line of
// their worker covers both.
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
	err = noCoordinator(err)
	o.report(err)
	if o.since.IsZero() {
		o.since = time.Now()
	}
	var refused *Error
	if !o.logged && (time.Since(o.since) >= patience || errors.As(err, &refused)) {
		o.logged = true
		o.log.Debug("cannot reach the coordinator of the worker group; lanes stay as they are; trying again", "reason", err)
	}
}

func (o *outage) over() {
	if !o.since.IsZero() {
		o.report(nil)
	}
	if o.logged {
		o.log.Debug("reached the coordinator of the worker group again", "after", time.Since(o.since).Round(time.Millisecond))
	}
	o.since, o.logged = time.Time{}, false
}
