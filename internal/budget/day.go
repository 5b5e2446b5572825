package budget

import "time"

// day is what a worker knows of an app ID's list calls in one day of the vendor. The
// zero value knows nothing and holds nothing back.
type day struct {
	// limit is the calls of a whole day, left how many remained by the latest answer,
	// made how many this worker has made since then.
	limit, left, made int64
	// part is this worker's part of the app ID's calls, 0 to 1; 1 = it is alone.
	part float64
	// ends is when the day ends and the calls are available again; zero = unknown.
	ends time.Time
}

// opens returns when the next call may be made; zero = now. The live walk is never held
// back. A backfill is, until the day ends, once it would leave less than the live
// walk's share, 0 to 1. Between answers it is held back once this worker has used its
// part of what was above that share. The share is one of the whole day: a share of the
// remaining calls would shrink with each answer, restart and worker. It is more if this
// worker's live walks need more of its part for the rest of the day, but never more
// than the backfill's share: that is not starved.
func (r day) opens(live bool, share, need float64) time.Time {
	limit := float64(r.limit)
	kept := max(share*limit, min(need/max(r.part, 1e-9), (1-share)*limit))
	if live || share <= 0 || r.ends.IsZero() || float64(r.made+1) <= (float64(r.left)-kept)*r.part {
		return time.Time{}
	}
	return r.ends
}

// update applies an answer: the calls of a whole day, and how many are left until ends.
func (r *day) update(limit, left int64, ends time.Time) {
	limit = max(limit, left)
	if limit <= 0 {
		// No number means no limit: no app ID has a day without a call.
		*r = day{part: r.part}
		return
	}
	r.limit, r.left, r.made, r.ends = limit, left, 0, ends
}

// roll begins the days that have begun by now. A new day is assumed to have all its
// calls until an answer reports another number.
func (r *day) roll(now time.Time) (rolled bool) {
	for !r.ends.IsZero() && !now.Before(r.ends) {
		r.left, r.made = r.limit, 0
		r.ends = r.ends.Add(24 * time.Hour)
		rolled = true
	}
	return rolled
}

// resize sets this worker's part of the calls from now on.
func (r *day) resize(part float64) {
	r.left, r.made = r.remaining(), 0
	r.part = part
}

// remaining returns how many calls of the day are left, assuming that the workers with
// the other parts have made calls at the same rate since the latest answer.
func (r day) remaining() int64 {
	made := r.made
	if r.part > 0 {
		made = int64(float64(made) / r.part)
	}
	return max(0, r.left-made)
}

// exhausted forecasts when this worker's part of the day's calls runs out at the given
// rate; zero = it lasts for the day, or unknown.
func (r day) exhausted(now time.Time, perSecond float64) time.Time {
	left := float64(r.left)*r.part - float64(r.made)
	switch {
	case r.ends.IsZero() || left > perSecond*r.ends.Sub(now).Seconds():
		return time.Time{}
	case left <= 0:
		return now
	}
	return now.Add(time.Duration(left / perSecond * float64(time.Second)))
}

// rate measures how fast calls were made over the last 5 to 10 minutes, if note is
// called now and then.
type rate struct {
	before, latest mark
}

// mark is the number of calls at a time.
type mark struct {
	at    time.Time
	calls int64
}

const (
	rateOver  = 5 * time.Minute
	rateLeast = 5 * time.Second // a shorter time gives no rate
)

// note stores the number of calls made so far.
func (t *rate) note(now time.Time, calls int64) {
	switch {
	case t.before.at.IsZero():
		t.before, t.latest = mark{now, calls}, mark{now, calls}
	case now.Sub(t.latest.at) >= rateOver:
		t.before, t.latest = t.latest, mark{now, calls}
	}
}

// perSecond returns the calls per second; 0 = not known yet.
func (t *rate) perSecond(now time.Time, calls int64) float64 {
	over := now.Sub(t.before.at)
	if t.before.at.IsZero() || over < rateLeast {
		return 0
	}
	return float64(calls-t.before.calls) / over.Seconds()
}
