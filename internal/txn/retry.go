package txn

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
)

const (
	// missingPatience is how long a topic may be unknown to brokers, as a new one is
	// for a moment.
	missingPatience = 10 * time.Second
	// quietRetries is how long a request may be repeated before a retry is logged.
	quietRetries = 5 * time.Second
)

// retry repeats a request to the coordinator until the answer is definite. If until
// passes or ctx ends before that, the action is still repeat or missing; a zero until
// never passes.
func (w *Writer) retry(ctx context.Context, c call, until time.Time, request func(context.Context, time.Time) answer) outcome {
	o := outcome{call: c}
	started, pause := time.Now(), newPause()
	reported := started
	for {
		o.answer = request(ctx, until)
		o.action = react(c, o.answer.code, o.unknown)
		if o.answer.sent && o.answer.code == noAnswer {
			w.stale = true
		}
		if o.action != repeat && o.action != missing {
			return o
		}
		w.mayDangle = w.mayDangle || brokerTrouble(o.answer.code)
		if c == callCommit && o.answer.sent {
			o.unknown = true
		}
		if movedCoordinator(o.answer.code) {
			w.coordinator = -1
		}
		if o.action == missing && time.Since(started) > missingPatience {
			o.action = stop
			return o
		}
		if ctx.Err() != nil {
			return o
		}
		w.report(o, &reported)
		if c == callAdd && o.action == repeat && w.mayDangle && w.cfg.AnchorTopic != "" {
			return o // a dangling transaction has to be finished first
		}
		if !wait(ctx, until, pause) {
			return o
		}
	}
}

// report calls OnRetry, or without it logs a retry that lasts.
func (w *Writer) report(o outcome, since *time.Time) {
	if w.cfg.OnRetry != nil {
		w.cfg.OnRetry(o.call.String(), reason(o.answer.code), o.answer.err)
		return
	}
	if time.Since(*since) < quietRetries {
		return
	}
	*since = time.Now()
	w.cfg.Log.Warn("Kafka delays a transaction; trying again",
		"transactional_id", w.cfg.TransactionalID, "request", o.call.String(), "reason", reason(o.answer.code),
		"error", o.answer.err)
}

// newPause returns the pauses between two tries, from 1 ms on: short delays, such as
// the markers of the last transaction, are over by then.
func newPause() *backoff.Backoff { return backoff.New(time.Millisecond, time.Second) }

// wait pauses, and reports whether time is left afterwards.
func wait(ctx context.Context, until time.Time, pause *backoff.Backoff) bool {
	d := pause.Next()
	if !until.IsZero() && time.Until(until) <= d {
		return false
	}
	return backoff.Sleep(ctx, d) == nil
}
