package wechat

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"orderwalk/internal/backoff"
)

const (
	keyTries     = 3 // of one request whose next_key is refused
	unknownTries = 5 // of one request whose errcode is in no table
	unfitTries   = 5 // of one request whose answer fits no record
	// A client that fails on and off is warned of this often at most.
	warnEvery = time.Minute
)

// trouble is what the calls of one client that are failing have in common, so
// that an outage is one warning and not one for each of them.
type trouble struct {
	log *slog.Logger

	mu       sync.Mutex
	calls    int // that are being retried
	last     *Error
	since    time.Time
	warnedAt time.Time
	warned   bool // of the present trouble
}

// failed takes in a failure of a call; first marks the call's first one.
func (t *trouble) failed(v *Error, first bool) {
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
	t.log.Warn("call failed, trying again", "error", v, "class", v.Class.String())
}

// over is told of the end of a call that failed before.
func (t *trouble) over(passed bool) {
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

// lastError is nil when no call is being retried.
func (t *trouble) lastError() *Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// retries is the course of one call over its attempts. Its owner calls end.
type retries struct {
	client  *Client
	op      string
	delays  *backoff.Backoff
	refused int // next_key
	unknown int // errcode
	unfit   int // answers
	last    *Error
	failing bool
	passed  bool
}

func (c *Client) retries(op string) *retries { return &retries{client: c, op: op} }

// failed takes in a verdict on the attempt sent at sent. It returns nil when
// the call should be made again now, and the error to end with otherwise.
func (r *retries) failed(ctx context.Context, v *Error, sent time.Time) error {
	if err := ctx.Err(); err != nil {
		return interrupted(r.op, err, r.last)
	}
	first := 100 * time.Millisecond
	if v.Class != Wait {
		r.client.pace.postpone(v.RetryAfter)
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

// note makes the failure visible in logs and state until the call ends.
func (r *retries) note(v *Error) {
	r.last = v
	r.client.trouble.failed(v, !r.failing)
	r.failing = true
}

func (r *retries) end() {
	if r.failing {
		r.client.trouble.over(r.passed)
	}
}
