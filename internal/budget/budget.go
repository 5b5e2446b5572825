package budget

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"orderwalk/internal/wechat"
)

const (
	// quotaEvery is how often the vendor is asked what is left of the day.
	quotaEvery = time.Hour
	// quotaFirst is when it is asked of an app ID that is new here: the first
	// orders need not wait for that.
	quotaFirst = time.Second
	// quotaDawn is when it is asked after midnight: right then the counters may
	// still be yesterday's.
	quotaDawn = 5 * time.Minute
	// quotaTimeout bounds one question.
	quotaTimeout = 30 * time.Second
)

// Budget is the list calls that one app ID has in a day, as one worker knows
// them; its shops and lanes here share it. A nil one knows nothing and holds
// nothing back.
type Budget struct {
	share float64 // of the live walk
	log   *slog.Logger

	mu     sync.Mutex
	shop   string // a name for the log
	client *wechat.Client
	ration day
	base   int64 // calls of the client when ration.made was 0
	tempo  rate
	// underWay are calls of walkers that the client has not counted yet.
	underWay int64
	// holding says that backfill has used up its part. It stays so until the day
	// ends or an answer says that there is more.
	holding bool
	due     time.Time // when to ask again; zero = not while nothing changes
	untold  bool      // by cloud call the vendor does not tell
	failing bool      // the last question failed
}

// look is the ration as of now. The caller holds mu.
func (q *Budget) look(now time.Time) day {
	calls := q.client.Calls()
	q.tempo.note(now, calls)
	if q.ration.roll(now) {
		q.base = calls
		q.release()
	}
	r := q.ration
	r.made = calls - q.base
	return r
}

// Opens is when a call of a backfill may be made; zero = now.
func (q *Budget) Opens() time.Time {
	if q == nil {
		return time.Time{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.check()
}

// check is opens. The caller holds mu.
func (q *Budget) check() time.Time {
	r := q.look(time.Now())
	if q.holding {
		return r.ends
	}
	left := r.remaining()
	r.made += q.underWay
	at := r.opens(false, q.share)
	if !at.IsZero() {
		q.holding = true
		q.log.Warn("backfill waits: what is left of the day's list calls is the live walk's", "shop", q.shop,
			"remaining", left, "limit", r.limit, "live_share", q.share, "until", at)
	}
	return at
}

// Take reports whether one more call may be made, and counts it as under way if
// so, until it is given back.
func (q *Budget) Take(live bool) bool {
	if q == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !live && !q.check().IsZero() {
		return false
	}
	q.underWay++
	return true
}

func (q *Budget) Give() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay--
}

// release lets a backfill that was held go on, if there are calls for it now.
// The caller holds mu.
func (q *Budget) release() {
	if q.holding && q.ration.opens(false, q.share).IsZero() {
		q.holding = false
		q.log.Info("backfill goes on", "shop", q.shop, "remaining", q.ration.remaining())
	}
}

// serve makes another client the one whose calls are counted.
func (q *Budget) serve(shop string, client *wechat.Client) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shop = shop
	if client == q.client {
		return
	}
	if q.client != nil {
		q.ration = q.look(time.Now())
		q.ration.resize(q.ration.part)
	}
	q.client, q.base, q.tempo, q.untold = client, client.Calls(), rate{}, false
	if q.ration.part > 0 {
		q.due = time.Now().Add(quotaFirst)
	}
}

// resize makes another part of the calls this worker's; 0 = it has no lane of
// the app ID. It reports whether there is something to ask now.
func (q *Budget) resize(part float64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.ration.part
	if part == before {
		return false
	}
	now := time.Now()
	q.ration = q.look(now)
	q.ration.resize(part)
	q.base = q.client.Calls()
	q.release()
	switch {
	case part == 0:
		q.due, q.tempo = time.Time{}, rate{}
	case !q.untold:
		// What others have called meanwhile is not known here.
		q.due = now.Add(quotaFirst)
	}
	return !q.due.IsZero()
}

// ask asks the vendor what is left. An error changes nothing; news says that
// it is the first in a row.
func (q *Budget) ask(ctx context.Context) (news bool, err error) {
	q.mu.Lock()
	client := q.client
	base := client.Calls()
	q.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, quotaTimeout)
	defer cancel()
	a, err := client.Quota(asking)

	q.mu.Lock()
	defer q.mu.Unlock()
	if client != q.client || q.ration.part == 0 {
		return false, nil // nobody's answer any more
	}
	now := time.Now()
	q.due = now.Add(quotaEvery)
	switch {
	case errors.Is(err, wechat.ErrNoQuota):
		q.untold, q.due = true, time.Time{}
		return false, nil
	case err != nil:
		news = !q.failing
		q.failing = true
		return news, err
	}
	q.failing = false
	if a.Limit <= 0 && a.Remain <= 0 {
		return false, nil // it says nothing: what was known before still holds
	}
	q.look(now)
	q.ration.heard(a.Limit, a.Remain, now.Add(a.Left()))
	q.base = base
	q.release()
	if ends := q.ration.ends; !ends.IsZero() && q.due.After(ends) {
		q.due = ends.Add(quotaDawn)
	}
	return false, nil
}

// Exhausted is the refusal of calls for the rest of the day; nil if there is none.
func (q *Budget) Exhausted() (why error) {
	if q == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refusal()
}

// refusal is exhausted. The caller holds mu.
func (q *Budget) refusal() (why error) {
	state, _, why := q.client.State()
	if state != wechat.StateQuotaExhausted {
		return nil
	}
	return why
}

// HeldError is a backfill that waits for more of the day's list calls.
type HeldError struct {
	Left, Limit int64     // of the day's calls
	Share       float64   // of what is left, which is the live walk's
	Until       time.Time // when the day ends
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("backfill waits until %s Asia/Shanghai, or for more calls: %d of the day's %d list calls are left, reserved for the live walk (share %v)",
		e.Until.In(wechat.Zone).Round(time.Minute).Format("2006-01-02 15:04"), e.Left, e.Limit, e.Share)
}

// Waits returns why a backfill waits, a [*HeldError]; nil when it does not.
func (q *Budget) Waits() error {
	if q == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.holding {
		return nil
	}
	r := q.look(time.Now())
	return &HeldError{Left: r.remaining(), Limit: r.limit, Share: q.share, Until: r.ends}
}

// Outlook is what the metrics say: how many calls of the day are left (NaN when
// nobody knows), and when they end, 0 when they last.
func (q *Budget) Outlook() (remaining, ends float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	r := q.look(now)
	if q.refusal() != nil {
		r.left = 0
	}
	remaining = float64(r.remaining())
	if r.ends.IsZero() {
		remaining = math.NaN()
	}
	if at := r.exhausted(now, q.tempo.perSecond(now, q.client.Calls())); !at.IsZero() {
		ends = float64(at.UnixMilli()) / 1000
	}
	return remaining, ends
}
