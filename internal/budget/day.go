package budget

import "time"

// ration is what a worker knows of the list calls that an app ID has in a day
// of the vendor's. The zero value knows nothing, and holds nothing back.
type day struct {
	// limit is how many there are in a whole day, left how many of them there
	// were by the latest answer, made how many this worker has made since then.
	limit, left, made int64
	// part is this worker's part of the app ID's calls; 1 when it is alone.
	part float64
	// ends is when the day ends and the calls come back; zero = unknown.
	ends time.Time
}

// opens is when the next call may be made; zero = now. The live walk is never
// held back here. A backfill is, until the day ends, once it would leave less
// than the live walk's share, 0 to 1; between answers, once this worker has used
// its part of what there was above that. The share is one of the whole day: one
// of what is left would melt away with each answer, restart and worker.
func (r day) opens(live bool, share float64) time.Time {
	if live || share <= 0 || r.ends.IsZero() || float64(r.made+1) <= (float64(r.left)-share*float64(r.limit))*r.part {
		return time.Time{}
	}
	return r.ends
}

// heard takes in an answer: how many calls a whole day has, and how many of
// them are left until ends.
func (r *day) heard(limit, left int64, ends time.Time) {
	limit = max(limit, left)
	if limit <= 0 {
		// No number is no limit: nobody has a day without a call.
		*r = day{part: r.part}
		return
	}
	r.limit, r.left, r.made, r.ends = limit, left, 0, ends
}

// roll begins the days that have begun by now. A new one is believed to have
// all its calls until an answer says otherwise.
func (r *day) roll(now time.Time) (rolled bool) {
	for !r.ends.IsZero() && !now.Before(r.ends) {
		r.left, r.made = r.limit, 0
		r.ends = r.ends.Add(24 * time.Hour)
		rolled = true
	}
	return rolled
}

// resize makes another part of the calls this worker's, from now on.
func (r *day) resize(part float64) {
	r.left, r.made = r.remaining(), 0
	r.part = part
}

// remaining is how many calls of the day are left, if whoever has the other
// parts has made as many for them since the latest answer.
func (r day) remaining() int64 {
	made := r.made
	if r.part > 0 {
		made = int64(float64(made) / r.part)
	}
	return max(0, r.left-made)
}

// exhausted forecasts when this worker's part of the day's calls ends, at so
// many calls a second; zero when they last for the day, or nobody knows.
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

// tempo tells how fast calls have been made lately: over the last 5 to 10
// minutes, if somebody notes their number now and then.
type rate struct {
	before, latest mark
}

// mark is how many calls there were at a time.
type mark struct {
	at    time.Time
	calls int64
}

const (
	tempoOver  = 5 * time.Minute
	tempoLeast = 5 * time.Second // less says nothing
)

// note takes in how many calls have been made by now.
func (t *rate) note(now time.Time, calls int64) {
	switch {
	case t.before.at.IsZero():
		t.before, t.latest = mark{now, calls}, mark{now, calls}
	case now.Sub(t.latest.at) >= tempoOver:
		t.before, t.latest = t.latest, mark{now, calls}
	}
}

// perSecond is 0 until there is something to tell it by.
func (t *rate) perSecond(now time.Time, calls int64) float64 {
	over := now.Sub(t.before.at)
	if t.before.at.IsZero() || over < tempoLeast {
		return 0
	}
	return float64(calls-t.before.calls) / over.Seconds()
}
