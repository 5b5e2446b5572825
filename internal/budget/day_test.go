package budget

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"orderwalk/internal/incident"
	"orderwalk/internal/wechat"
)

func TestDayOpens(t *testing.T) {
	ends := time.Date(2026, 11, 24, 0, 0, 0, 0, wechat.Zone)
	whole := day{limit: 1000, left: 1000, part: 1, ends: ends}
	with := func(change func(*day)) day {
		r := whole
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		ration day
		live   bool
		share  float64
		waits  bool
	}{
		"nothing is known":             {day{part: 1}, false, 0.2, false},
		"nothing is used":              {whole, false, 0.2, false},
		"all but the share is used":    {with(func(r *day) { r.made = 800 }), false, 0.2, true},
		"one less":                     {with(func(r *day) { r.made = 799 }), false, 0.2, false},
		"so it was by the last answer": {with(func(r *day) { r.left = 200 }), false, 0.2, true},
		"some before, some since":      {with(func(r *day) { r.left, r.made = 700, 499 }), false, 0.2, false},
		"and one more":                 {with(func(r *day) { r.left, r.made = 700, 500 }), false, 0.2, true},
		"the live walk goes on":        {with(func(r *day) { r.left, r.made = 200, 200 }), true, 0.2, false},
		"half of it is this worker's":  {with(func(r *day) { r.part, r.made = 0.5, 399 }), false, 0.2, false},
		"half of it is used":           {with(func(r *day) { r.part, r.made = 0.5, 400 }), false, 0.2, true},
		"nothing is kept":              {with(func(r *day) { r.made = 5000 }), false, 0, false},
		"all of it is kept":            {whole, false, 1, true},
		"others were there before":     {with(func(r *day) { r.left = 100 }), false, 0.2, true},
	} {
		t.Run(name, func(t *testing.T) {
			want := time.Time{}
			if c.waits {
				want = ends
			}
			if at := c.ration.opens(c.live, c.share, 0); !at.Equal(want) {
				t.Errorf("opens at %v, want %v", at, want)
			}
		})
	}
}

// TestDayLeavesTheShare plays days with answers now and then, workers that join and
// restart, and a live walk. The backfill leaves the share of the whole day, and uses
// what is above it.
func TestDayLeavesTheShare(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		ends := time.Date(2026, 11, 24, 0, 0, 0, 0, wechat.Zone)
		limit, share := 100+rnd.Int64N(5000), rnd.Float64()
		used := int64(0)
		var workers []day
		divide := func(n int) {
			workers = make([]day, n)
			for i := range workers {
				workers[i].resize(1 / float64(n))
				workers[i].update(limit, limit-used, ends)
			}
		}
		divide(1 + rnd.IntN(4))
		live := int64(0)
		for held := 0; held < 50*len(workers); {
			if i := rnd.IntN(len(workers)); workers[i].opens(false, share, 0).IsZero() {
				used++
				workers[i].made++
			} else {
				held++
			}
			switch rnd.IntN(500) {
			case 0, 1, 2, 3, 4:
				if used < limit {
					live++
					used++
					workers[0].made++
				}
			case 5:
				divide(1 + rnd.IntN(4))
			case 6:
				for i := range workers {
					workers[i].update(limit, limit-used, ends)
				}
			}
		}
		kept := share * float64(limit)
		if left := float64(limit - used + live); left < kept {
			t.Fatalf("share %.2f of %d: only %.0f were left to the live walk, %d of them used", share, limit, left, live)
		}
		divide(1)
		for workers[0].opens(false, share, 0).IsZero() {
			workers[0].made++
			used++
		}
		if left := float64(limit - used); left > kept+1 {
			t.Fatalf("share %.2f of %d: %.0f were left unused", share, limit, left-kept)
		}
	}
}

func TestDayUpdate(t *testing.T) {
	ends := time.Date(2026, 11, 24, 0, 0, 0, 0, wechat.Zone)
	r := day{part: 1}
	expect := func(what string, want day) {
		t.Helper()
		if want.part = 1; r != want {
			t.Fatalf("%s: %+v, want %+v", what, r, want)
		}
	}
	r.update(0, 0, ends)
	expect("an answer without numbers", day{})
	r.update(1000, 600, ends)
	expect("the first", day{limit: 1000, left: 600, ends: ends})
	r.made = 200
	r.update(1000, 380, ends.Add(time.Second))
	expect("the next, by another clock", day{limit: 1000, left: 380, ends: ends.Add(time.Second)})
	r.update(0, 50, ends)
	expect("no limit", day{limit: 50, left: 50, ends: ends})
	r.update(1000, 500, ends)
	r.made = 300
	if r.roll(ends.Add(-time.Second)) {
		t.Error("a day that is not over ends")
	}
	if !r.roll(ends.Add(50 * time.Hour)) {
		t.Error("three days later it is the same day")
	}
	expect("three days later", day{limit: 1000, left: 1000, ends: ends.Add(72 * time.Hour)})
	r.made = 1200
	r.resize(1)
	expect("more calls than there were", day{limit: 1000, left: 0, ends: ends.Add(72 * time.Hour)})
	r.update(0, 0, ends)
	expect("numbers are not told any more", day{})
}

func TestDayForecast(t *testing.T) {
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, wechat.Zone)
	ends := now.Add(4 * time.Hour)
	for name, c := range map[string]struct {
		ration    day
		perSecond float64
		want      time.Time
	}{
		"unknown":            {day{part: 1}, 50, time.Time{}},
		"lasts":              {day{left: 14401, part: 1, ends: ends}, 1, time.Time{}},
		"just not":           {day{left: 14399, part: 1, ends: ends}, 1, now.Add(14399 * time.Second)},
		"half an hour":       {day{left: 1000, made: 100, part: 1, ends: ends}, 0.5, now.Add(1800 * time.Second)},
		"of half the calls":  {day{left: 2000, made: 100, part: 0.5, ends: ends}, 0.5, now.Add(1800 * time.Second)},
		"no calls":           {day{left: 10, part: 1, ends: ends}, 0, time.Time{}},
		"used up already":    {day{left: 10, made: 11, part: 1, ends: ends}, 1, now},
		"used up, and quiet": {day{left: 0, part: 1, ends: ends}, 0, now},
	} {
		if got := c.ration.exhausted(now, c.perSecond); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRate(t *testing.T) {
	begin := time.Date(2026, 11, 23, 20, 0, 0, 0, wechat.Zone)
	var p rate
	if got := p.perSecond(begin, 7); got != 0 {
		t.Errorf("before the first note: %v", got)
	}
	calls, now := int64(1000), begin
	at := func(d time.Duration, perSecond, want float64) {
		t.Helper()
		for ; now.Before(begin.Add(d)); now = now.Add(time.Second) {
			calls += int64(perSecond)
			p.note(now, calls)
		}
		if got := p.perSecond(now, calls); got < want*0.95 || got > want*1.05 {
			t.Errorf("after %v: %.2f calls a second, want %.2f", d, got, want)
		}
	}
	p.note(begin, calls)
	if got := p.perSecond(begin.Add(time.Second), calls+50); got != 0 {
		t.Errorf("after a second: %v, want no verdict", got)
	}
	at(time.Minute, 10, 10)
	at(20*time.Minute, 10, 10)
	at(31*time.Minute, 2, 2)
	if got := p.perSecond(begin.Add(3*time.Hour), calls); got > 0.2 {
		t.Errorf("hours after the last call: %.2f calls a second", got)
	}
}

// TestCloudCallsAskForNoQuota: the vendor's quota call does not work there.
func TestCloudCallsAskForNoQuota(t *testing.T) {
	qs := New(0.2, slog.New(slog.DiscardHandler), incident.New(slog.New(slog.DiscardHandler)))
	qs.Enlist([]Caller{{Name: "wx1", AppID: "wx1", Client: wechat.New(wechat.Config{Host: &wechat.Host{URL: "http://127.0.0.1:1"}, Auth: wechat.AuthCloudOpen})}})
	qs.Resize("wx1", 1)
	if _, next := qs.due(time.Now()); next.IsZero() {
		t.Fatal("nothing is to be asked")
	}
	q := qs.Of("wx1")
	if news, err := q.ask(t.Context()); news || err != nil {
		t.Errorf("asking: %v, %v", news, err)
	}
	if due, next := qs.due(time.Now().Add(24 * time.Hour)); len(due) > 0 || !next.IsZero() {
		t.Error("it is asked again")
	}
	qs.Resize("wx1", 0.5)
	if due, next := qs.due(time.Now()); len(due) > 0 || !next.IsZero() {
		t.Error("it is asked again")
	}
	if !q.Acquire(false) || !q.Opens().IsZero() {
		t.Error("what is not known holds a backfill back")
	}
}
