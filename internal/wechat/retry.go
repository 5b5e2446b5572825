package wechat

import (
	"context"
	"errors"
	"sync"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/incident"
)

const (
	keyTries     = 3 // attempts of one request whose next_key is refused
	unknownTries = 5 // attempts of one request whose errcode is undocumented
	unfitTries   = 5 // attempts of one request whose answer cannot become a record
	// quietExamination is how long a call waits for the examination of a silent answer
	// before it counts as failing. Those of an idle shop end earlier.
	quietExamination = 2 * patience
)

// failureLog holds the failures of a client's calls that are being retried.
type failureLog struct {
	report *incident.Source

	mu    sync.Mutex
	calls int // calls being retried
	last  *Error
	kind  incident.Kind // of the first failure
}

// failed records a failure of a call; first reports whether it is the call's first.
func (t *failureLog) failed(v *Error, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = v
	if first {
		if t.calls++; t.calls == 1 {
			t.kind = failing(v)
		}
	}
	t.report.Begin(t.kind, "error", v, "class", v.Class.String())
}

// over records the end of a call that failed before.
func (t *failureLog) over(passed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls--; t.calls > 0 {
		return
	}
	t.report.End(t.kind, passed)
	t.last = nil
}

// lastError returns the latest failure, nil if no call is being retried.
func (t *failureLog) lastError() *Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// retries keeps the state of one call over its attempts. The caller must call end.
type retries struct {
	client  *Client
	op      string
	delays  *backoff.Backoff
	refused int // attempts whose next_key was refused
	unknown int // attempts with an undocumented errcode
	unfit   int // attempts whose answer was unfit
	last    *Error
	failing bool
	passed  bool
	// examinedSince is when the call began to wait for an examination.
	examinedSince time.Time
}

func (c *Client) retries(op string) *retries { return &retries{client: c, op: op} }

// failed handles the error v of the attempt made at sent. It returns nil if the call
// should be repeated now, and otherwise the error that ends it.
func (r *retries) failed(ctx context.Context, v *Error, sent time.Time) error {
	if err := ctx.Err(); err != nil {
		return interrupted(r.op, err, r.last)
	}
	first := 100 * time.Millisecond
	if v.Class != Wait {
		r.client.callRate.postpone(v.RetryAfter)
	}
	switch {
	case v.final:
		return v
	case v.await != nil:
		if r.examinedSince.IsZero() {
			r.examinedSince = time.Now()
		}
		if time.Since(r.examinedSince) > quietExamination {
			r.note(v)
		}
		r.client.examining.Add(1)
		defer r.client.examining.Add(-1)
		if err := v.await(ctx); err != nil {
			return interrupted(r.op, err, r.last)
		}
		return nil
	case v.Class == Throttled:
		r.last = v
		r.client.throttled(v, sent)
		return nil
	case v.Class == Quota:
		r.last = v
		r.client.exhausted(v)
		return nil
	case v.Class == KeyRefused:
		if r.refused++; r.refused >= keyTries {
			return v
		}
	case v.unknown:
		if r.unknown++; r.unknown >= unknownTries {
			return v
		}
		first = time.Second
	case v.unfit:
		if r.unfit++; r.unfit >= unfitTries {
			v.Class = Stop
			return v
		}
		first = time.Second
	case v.Class != Retry:
		return v
	}
	r.note(v)
	if r.delays == nil {
		r.delays = backoff.New(first, 30*time.Second)
	}
	if err := r.delays.Sleep(ctx); err != nil {
		return interrupted(r.op, err, r.last)
	}
	return nil
}

// because adds the call's last failure to the error of a wait for a token.
func (r *retries) because(err error) error {
	var waited *Interrupted
	if errors.As(err, &waited) && waited.Last == nil && r.last != nil {
		return interrupted(waited.Op, waited.Err, r.last)
	}
	return err
}

// note shows the failure in logs and state until the call ends.
func (r *retries) note(v *Error) {
	r.last = v
	r.client.failures.failed(v, !r.failing)
	r.failing = true
}

func (r *retries) end() {
	if r.failing {
		r.client.failures.over(r.passed)
	}
}
