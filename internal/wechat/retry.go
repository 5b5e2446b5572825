package wechat

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

const (
	keyTries     = 3 // attempts of one request whose next_key is refused
	unknownTries = 5 // attempts of one request whose errcode is undocumented
	unfitTries   = 5 // attempts of one request whose answer cannot become a record
	// warnEvery is the shortest time between two warnings of a client whose calls fail
	// on and off.
	warnEvery = time.Minute
)

// newBackoff grows from first to most with jitter and without end; the library's
// default stops after 15 minutes.
type failureLog struct {
	log *slog.Logger

	mu       sync.Mutex
	calls    int // calls being retried
	last     *Error
	since    time.Time
	warnedAt time.Time
	warned   bool // about the current failures
}

// failed records a failure of a call; first reports whether it is the call's first.
func (t *failureLog) failed(v *Error, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = v
	now := time.Now()
	if first {
		if t.calls++; t.calls == 1 {
			t.since = now
		}
	}
	if t.warned || !t.warnedAt.IsZero() && now.Sub(t.warnedAt) < warnEvery {
		return
	}
	t.warned, t.warnedAt = true, now
	t.log.Warn("call failed; retrying", "error", v, "class", v.Class.String())
}

// over records the end of a call that failed before.
func (t *failureLog) over(passed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls--; t.calls > 0 {
		return
	}
	if t.warned && passed {
		t.log.Info("calls succeed again", "after", time.Since(t.since).Round(time.Millisecond))
	}
	t.warned, t.last = false, nil
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
