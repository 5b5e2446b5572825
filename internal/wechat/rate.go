package wechat

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"orderwalk/internal/backoff"
)

const (
	defaultRate = 50.0
	lowestRate  = 0.2 // calls a second, the lowest rate that throttling leads to
	// burst is the time whose calls may go out at once. Timers are late by up to a
	// millisecond, so calls that had to be closer than that would each lose as much.
	burst = 10 * time.Millisecond
	// Share of the full rate that a minute without a refusal restores.
	recovery = 0.1
	// Right after midnight the vendor's counters may not have been reset yet: then the
	// next attempt comes soon, not a day later.
	resetGrace = 30 * time.Minute
	resetRetry = 5 * time.Minute
)

// Zone is the time zone in which the vendor counts days. It has had no daylight saving
// time since 1991, so no zone database is needed.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// callRate decides when the next call may go out: not before the minute of a 45011 or
// the day of a 45009 is over, and within the rate.
type callRate struct {
	configured float64 // calls a second, all workers together
	limiter    *rate.Limiter

	mu        sync.Mutex
	full      float64   // calls a second, this worker's share
	lowered   float64   // the rate after the latest refusal
	loweredAt time.Time // when it was lowered; zero = never
	minute    time.Time // no call before this time, after 45011
	day       time.Time // no call before this time, after 45009
	later     time.Time // no call before this time, after a Retry-After
}

func newCallRate(perSecond float64) *callRate {
	if perSecond <= 0 {
		perSecond = defaultRate
	}
	limiter := rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burst.Seconds())))
	return &callRate{configured: perSecond, full: perSecond, lowered: perSecond, limiter: limiter}
}

// share sets this worker's part of the configured rate, and scales a lowered rate in
// proportion.
func (p *callRate) share(part float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.configured * part
	if full == p.full {
		return
	}
	ratio := full / p.full
	p.full = full
	p.lowered *= ratio
	p.limiter.SetLimit(p.limiter.Limit() * rate.Limit(ratio))
}

// wait blocks until one list call may go out.
func (p *callRate) wait(ctx context.Context) error {
	for {
		if err := p.gate(ctx); err != nil {
			return err
		}
		now := time.Now()
		p.mu.Lock()
		p.restore(now)
		p.mu.Unlock()
		if p.limiter.AllowN(now, 1) {
			return nil
		}
		if err := p.limiter.Wait(ctx); err != nil {
			if ctx.Err() == nil {
				// The limiter returns early if it would miss the deadline.
				return context.DeadlineExceeded
			}
			return ctx.Err()
		}
		// The minute or the day may have closed while this call waited for the
		// limiter.
		if _, until := p.closed(time.Now()); until.IsZero() {
			return nil
		}
	}
}

// queue returns how long a call made now would wait for the rate.
func (p *callRate) queue() time.Duration {
	ahead := 1 - p.limiter.Tokens()
	if ahead <= 0 {
		return 0
	}
	return time.Duration(ahead / float64(p.limiter.Limit()) * float64(time.Second))
}

// gate blocks until neither the minute nor the day forbids a call.
func (p *callRate) gate(ctx context.Context) error {
	for {
		now := time.Now()
		_, until := p.closed(now)
		if until.IsZero() {
			return ctx.Err()
		}
		if err := backoff.Sleep(ctx, until.Sub(now)); err != nil {
			return err
		}
	}
}

// closed returns what forbids a call now, and until when; zero = nothing.
func (p *callRate) closed(now time.Time) (state string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case now.Before(p.day):
		return StateQuotaExhausted, p.day
	case now.Before(p.minute):
		return StateRateLimited, p.minute
	case now.Before(p.later):
		return StateRetrying, p.later
	}
	return "", time.Time{}
}

// postpone delays the next call by d, as a Retry-After header asks.
func (p *callRate) postpone(d time.Duration) {
	if d <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.later) {
		p.later = until
	}
}

// throttle records a 45011 to a call made at sent. Calls that were in progress
// together are refused together and lower the rate once. api is the API's clock, by
// which minutes count.
func (p *callRate) throttle(sent, api time.Time) (perSecond float64, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loweredAt.IsZero() && !sent.After(p.loweredAt) {
		return p.lowered, false
	}
	now := time.Now()
	p.restore(now)
	p.lowered = max(float64(p.limiter.Limit())/2, min(lowestRate, p.full))
	p.loweredAt = now
	p.limiter.SetLimit(rate.Limit(p.lowered))
	minute := api.Truncate(time.Minute).Add(time.Minute).Sub(api)
	p.minute = now.Add(minute + rand.N(3*time.Second))
	return p.lowered, true
}

// restore raises the rate by a step for each whole minute since the end of the
// throttled one. The caller holds mu.
func (p *callRate) restore(now time.Time) {
	if p.loweredAt.IsZero() || now.Before(p.minute) {
		return
	}
	steps := float64(now.Sub(p.minute) / time.Minute)
	perSecond := min(p.full, p.lowered+steps*recovery*p.full)
	if rate.Limit(perSecond) != p.limiter.Limit() {
		p.limiter.SetLimit(rate.Limit(perSecond))
	}
}

// exhaust records a 45009: no call before midnight in Shanghai, by the clock that reaches
// it first. One of them may be wrong by hours, the API's by one Date of one gateway: then
// a few calls are refused, instead of a shop standing still far into the next day. first
// reports whether this answer began the pause.
func (p *callRate) exhaust(api time.Time) (until time.Time, first bool) {
	now := time.Now()
	wait := min(untilReset(api), untilReset(now)) + rand.N(30*time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.day) {
		return p.day, false
	}
	p.day = now.Add(wait)
	return p.day, true
}

// untilReset returns after what time a refused call may succeed.
func untilReset(now time.Time) time.Duration {
	left := untilMidnight(now)
	if 24*time.Hour-left < resetGrace {
		return resetRetry
	}
	return left
}

// untilMidnight returns the time left of the day in Shanghai, never 0.
func untilMidnight(now time.Time) time.Duration {
	year, month, day := now.In(Zone).Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, Zone).Sub(now)
}
