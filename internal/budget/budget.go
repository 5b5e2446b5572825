package budget

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"orderwalk/internal/incident"
	"orderwalk/internal/wechat"
)

const (
	// quotaEvery is how often the vendor is asked for the remaining calls.
	quotaEvery = time.Hour
	// quotaFirst is the delay before the first request for an app ID that is new here:
	// the first orders must not wait for it.
	quotaFirst = time.Second
	// quotaDawn is the delay after midnight: the vendor's counters may still be
	// yesterday's right then.
	quotaDawn = 5 * time.Minute
	// clocksApart is how much the API's clock and the local one differ when one of them is
	// wrong.
	clocksApart = 10 * time.Minute
	// quotaTimeout bounds one request.
	quotaTimeout = 30 * time.Second
)

// backfillHeld is what many budgets have at the same time, for the log.
var backfillHeld = incident.Kind{Who: "shop", Begins: "backfill waits: the remaining list calls of the day are reserved for the live walk",
	Lasts: "backfills still wait for more of the day's list calls", Ends: "backfill resumes", Long: true}

// Budget is the list calls that one app ID has per day, as one worker knows them. The
// worker's shops and lanes of the app ID share it. A nil Budget knows nothing and holds
// nothing back.
type Budget struct {
	share     float64 // the live walk's share of the day, 0 to 1
	incidents *incident.Log

	mu     sync.Mutex
	shop   string           // a name for the log
	report *incident.Source // of the shop of that name
	client *wechat.Client
	day    day
	base   int64 // client.Calls() when day.made was 0
	rate   rate
	// underWay is how many calls were acquired and not released; the client has not
	// counted them yet.
	underWay int64
	// live are the live walks of the app ID here: one or two.
	live []liveWalk
	// polls are those that live walks have begun, liveCalls the calls of live walks.
	polls, liveCalls   int64
	pollRate, liveRate rate
	// holding reports that the backfill has used up its part. It stays set until the
	// day ends or an answer reports more calls.
	holding     bool
	due         time.Time // when to ask the vendor next; zero = do not ask
	unavailable bool      // the vendor does not report quotas (cloud call)
	unsure      bool      // when the day ends was told while the clocks were apart
	failing     bool      // the last request failed
}

// today returns the day as of now. The caller holds mu.
func (b *Budget) today(now time.Time) day {
	calls := b.client.Calls()
	b.rate.note(now, calls)
	if left := b.day.left; b.day.roll(now) {
		if b.unsure {
			// The vendor's next answer decides whether a new day has begun. Before
			// it, a backfill would use up the calls reserved for the live walk.
			b.day.left = left
		} else {
			b.base = calls
			b.resume()
		}
	}
	r := b.day
	r.made = calls - b.base
	return r
}

// Opens returns when a backfill may make its next call; zero = now.
func (b *Budget) Opens() time.Time {
	if b == nil {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opens()
}

// opens is Opens for callers that hold mu.
func (b *Budget) opens() time.Time {
	r := b.today(time.Now())
	if b.holding || r.ends.IsZero() {
		return r.ends
	}
	left := r.remaining()
	r.made += b.underWay
	at := r.opens(false, b.share, b.need(time.Now(), r))
	if !at.IsZero() {
		b.holding = true
		b.report.Begin(backfillHeld,
			"remaining", left, "limit", r.limit, "live_share", b.share, "until", at)
	}
	return at
}

// Acquire reports whether one more call may be made. If so, the call counts until
// Release; live = the call is the live walk's.
func (b *Budget) Acquire(live bool) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !live && !b.opens().IsZero() {
		return false
	}
	b.underWay++
	if live {
		b.liveCalls++
	}
	return true
}

// Release ends a call that Acquire has allowed: the client has counted it by now.
func (b *Budget) Release() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay--
}

// resume lets a held backfill continue if calls are available for it. The caller holds
// mu.
func (b *Budget) resume() {
	if b.holding && b.day.opens(false, b.share, b.need(time.Now(), b.day)).IsZero() {
		b.holding = false
		b.report.End(backfillHeld, true)
	}
}

// leave ends what the budget has in the log: its app ID is no longer walked here.
func (b *Budget) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.End(backfillHeld, false)
}

// setClient sets the client whose calls count, and the shop named in logs.
func (b *Budget) setClient(shop string, client *wechat.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shop = shop
	if !b.holding { // otherwise the name that is in the log already
		b.report = b.incidents.Of(shop)
	}
	if client == b.client {
		return
	}
	if b.client != nil {
		b.day = b.today(time.Now())
		b.day.resize(b.day.part)
	}
	b.client, b.base, b.rate, b.unavailable = client, client.Calls(), rate{}, false
	if b.day.part > 0 {
		b.due = time.Now().Add(quotaFirst)
	}
}

// resize sets this worker's part of the calls; 0 = it owns no lane of the app ID. It
// reports whether the vendor should be asked.
func (b *Budget) resize(part float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.day.part
	if part == before {
		return false
	}
	now := time.Now()
	b.day = b.today(now)
	b.day.resize(part)
	b.base = b.client.Calls()
	b.resume()
	switch {
	case part == 0:
		b.due, b.rate = time.Time{}, rate{}
	case !b.unavailable:
		// The calls that other workers have made are unknown here.
		b.due = now.Add(quotaFirst)
	}
	return !b.due.IsZero()
}

// ask asks the vendor for the remaining calls. An error changes nothing; news reports
// that it is the first in a row.
func (b *Budget) ask(ctx context.Context) (news bool, err error) {
	b.mu.Lock()
	client := b.client
	base := client.Calls()
	b.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, quotaTimeout)
	defer cancel()
	a, err := client.Quota(asking)

	b.mu.Lock()
	defer b.mu.Unlock()
	if client != b.client || b.day.part == 0 {
		return false, nil // the answer is for a client or a lane that is gone
	}
	now := time.Now()
	b.due = now.Add(quotaEvery)
	switch {
	case errors.Is(err, wechat.ErrNoQuota):
		b.unavailable, b.due = true, time.Time{}
		return false, nil
	case err != nil:
		news = !b.failing
		b.failing = true
		return news, err
	}
	b.failing = false
	if a.Limit <= 0 && a.Remain <= 0 {
		return false, nil // an answer without numbers changes nothing
	}
	b.today(now)
	b.day.update(a.Limit, a.Remain, now.Add(a.Left()))
	b.unsure = a.At.Sub(now).Abs() > clocksApart
	b.base = base
	b.resume()
	if ends := b.day.ends; !ends.IsZero() && b.due.After(ends) {
		b.due = ends.Add(quotaDawn)
	}
	return false, nil
}

// Exhausted returns the vendor's refusal of calls for the rest of the day; nil = none.
func (b *Budget) Exhausted() (why error) {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal()
}

// refusal is Exhausted for callers that hold mu.
func (b *Budget) refusal() (why error) {
	state, _, why := b.client.State()
	if state != wechat.StateQuotaExhausted {
		return nil
	}
	return why
}

// HeldError is a backfill that waits for more of the day's list calls.
type HeldError struct {
	Left, Limit int64     // of the day's calls
	Share       float64   // of the whole day's calls, which is the live walk's
	Until       time.Time // when the day ends
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("backfill waits until %s Asia/Shanghai, or for more calls: %d of the day's %d list calls are left, reserved for the live walk (share %v)",
		e.Until.In(wechat.Zone).Round(time.Minute).Format("2006-01-02 15:04"), e.Left, e.Limit, e.Share)
}

// Waits returns why a backfill waits, a [*HeldError]; nil when it does not.
func (b *Budget) Waits() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.holding {
		return nil
	}
	r := b.today(time.Now())
	return &HeldError{Left: r.remaining(), Limit: r.limit, Share: b.share, Until: r.ends}
}

// Outlook returns the values of the metrics: how many calls of the day are left (NaN =
// unknown), and the unix time when they run out, 0 = they last for the day.
func (b *Budget) Outlook() (remaining, ends float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	r := b.today(now)
	if b.refusal() != nil {
		r.left = 0
	}
	remaining = float64(r.remaining())
	if r.ends.IsZero() {
		remaining = math.NaN()
	}
	if at := r.exhausted(now, b.rate.perSecond(now, b.client.Calls())); !at.IsZero() {
		ends = float64(at.UnixMilli()) / 1000
	}
	return remaining, ends
}
