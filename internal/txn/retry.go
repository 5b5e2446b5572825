package txn

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
)

const (
	// missingPatience is how long a topic may be unknown to brokers; a new one
	// is for a moment.
	missingPatience = 10 * time.Second
	// quietRetries is how long a request may be repeated before the log says so.
	quietRetries = 5 * time.Second
)

// retry repeats a request to the coordinator until its answer is one to act
// on. When the time is over before that, or ctx ends, the action is still again
// or missing; a zero until is never over.
func (w *Writer) retry(ctx context.Context, c call, until time.Time, request func(context.Context, time.Time) answer) outcome {
	o := outcome{call: c}
	started, pause := time.Now(), newPause()
	reported := started
	for {
		o.answer = request(ctx, until)
		o.action = react(c, o.answer.code, o.unsure)
		if o.answer.sent && o.answer.code == noAnswer {
			w.stale = true
		}
		if o.action != again && o.action != missing {
			return o
		}
		w.unsure = w.unsure || trouble(o.answer.code)
		if c == callCommit && o.answer.sent {
			o.unsure = true
		}
		if asksAnew(o.answer.code) {
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
		if c == callAdd && o.action == again && w.unsure && w.cfg.AnchorTopic != "" {
			return o // what the transaction before has left open comes first
		}
		if !wait(ctx, until, pause) {
			return o
		}
	}
}

// report tells of a retry: the owner, or else the log when it goes on for long.
func (w *Writer) report(o outcome, since *time.Time) {
	if w.cfg.OnRetry != nil {
		w.cfg.OnRetry(o.call.String(), reason(o.answer.code), o.answer.err)
		return
	}
	if time.Since(*since) < quietRetries {
		return
	}
	*since = time.Now()
	w.cfg.Log.Warn("Kafka keeps a transaction waiting",
		"transactional_id", w.cfg.TransactionalID, "request", o.call.String(), "reason", reason(o.answer.code),
		"error", o.answer.err)
}

// newPause gives the time between two tries: what is about the moment, such as
// the markers of the transaction before, is over in a millisecond.
func newPause() *backoff.Backoff { return backoff.New(time.Millisecond, time.Second) }

// wait pauses, and says whether there is time left afterwards.
func wait(ctx context.Context, until time.Time, pause *backoff.Backoff) bool {
	d := pause.Next()
	if !until.IsZero() && time.Until(until) <= d {
		return false
	}
	return backoff.Sleep(ctx, d) == nil
}
