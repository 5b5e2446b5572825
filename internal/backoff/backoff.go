// Package backoff holds the waits between two attempts: how long each lasts, and that
// a context ends it. The caller decides what is tried, and how often. Every package
// that retries uses it.
package backoff

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff is how long to wait after each of several tries: about twice as long as
// before, with jitter, without an end.
type Backoff struct{ delays *backoff.ExponentialBackOff }

// New returns a Backoff whose waits grow from first to most.
func New(first, most time.Duration) *Backoff {
	return &Backoff{backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(most),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0), // the library gives up after 15 minutes otherwise
	)}
}

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration { return b.delays.NextBackOff() }

// Reset begins with the shortest wait again.
func (b *Backoff) Reset() { b.delays.Reset() }

// Sleep waits for Next, or until ctx ends; then it returns ctx's error.
func (b *Backoff) Sleep(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep waits for d, or until ctx ends; then it returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
