package window

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// changing is an API by update time that counts both ends in. Each order has changes, each
// shown from some moment on, at most lag later.
type changing struct {
	history map[string][]change
	shownAt map[string]map[int64]bool // changes that any answer has shown
}

func (a *changing) list(now, from, to int64) (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(a.history)) {
		if c := latest(a.history[id], now); c.at > 0 && from <= c.at && c.at <= to {
			ids = append(ids, id)
			if a.shownAt[id] == nil {
				a.shownAt[id] = make(map[int64]bool)
			}
			a.shownAt[id][c.at] = true
		}
	}
	return ids
}

// TestEachShownChangeIsPublishedOnce plays live shops by update time: sweeps, windows asked
// for after their first second, halvings, processes that go on from what is stored, other
// page sizes and intervals, outages, and several windows whose answers are accepted later.
// Changes are shown up to LOOKBACK late.
func TestEachShownChangeIsPublishedOnce(t *testing.T) {
	sweeps, settledBySweep, bad := 0, 0, 0
	for seed := range uint64(600) {
		if bad > 3 {
			break
		}
		rnd := rand.New(rand.NewPCG(seed, 77))
		p := sweeping()
		p.Ends = UnseenEnds
		p.PageSize = 30 + rnd.IntN(71)
		p.Concurrency = 1 + rnd.IntN(4)
		p.PollInterval = time.Duration(1+rnd.IntN(4)) * time.Second
		p.SettleDelay = time.Duration(1+rnd.IntN(3)) * time.Second
		p.Lookback = time.Duration(20+rnd.IntN(80)) * time.Second
		const start = 1_000_000
		p.Start = start
		length := int64(200 + rnd.IntN(200))
		w := &changing{history: make(map[string][]change), shownAt: make(map[string]map[int64]bool)}
		lag := int64(p.Lookback/time.Second) - 2
		maxLag := func() int64 {
			switch rnd.IntN(6) {
			case 0:
				return rnd.Int64N(max(1, lag))
			case 1:
				return rnd.Int64N(4)
			}
			return 0
		}
		for i := range 20 + rnd.IntN(200) {
			id, at := fmt.Sprint(1000+i), start+rnd.Int64N(length)
			var h []change
			shown := int64(0)
			for range 1 + rnd.IntN(3) {
				s := max(at+maxLag(), shown)
				shown = s
				h = append(h, change{at, s})
				at += 1 + rnd.Int64N(60)
			}
			w.history[id] = h
		}
		c := &offsets.Checkpoint{Watermark: start, Length: 3600}
		var stored offsets.Stored
		part := offsets.Partition{Shop: "s", Range: "update_time"}
		topic := make(map[string][]byte)
		type record struct {
			id         string
			start, end int64
			at         int64
		}
		var outbox, published, listings []record
		commit := func() {
			published = append(published, outbox...)
			outbox = nil
			stored.Update("g", part, c, func(k, v []byte) {
				if v == nil {
					delete(topic, string(k))
				} else {
					topic[string(k)] = v
				}
			})
		}
		type pend struct {
			ids []string
			now int64
		}
		pending := make(map[*offsets.Window]pend)
		var sizer Sizer
		var sweep *Sweep
		var sweepAt int
		var swept int64
		ends := UnseenEnds
		now := int64(start + 1)
		over := start + length + 400
		policy := func() Policy {
			q := p
			q.Ends, q.Swept, q.Sweeping = ends, swept, sweep != nil
			return q
		}
		for step := 0; now < over; step++ {
			if step > 100000 {
				t.Fatalf("seed %d: no end", seed)
			}
			if rnd.IntN(6) == 0 {
				commit()
			}
			if rnd.IntN(150) == 0 && len(topic) > 0 {
				l := offsets.Loader{Group: "g"}
				for k, v := range topic {
					l.Add([]byte(k), v)
				}
				lane := l.Load()
				if len(lane.Faults) > 0 {
					t.Fatal(lane.Faults)
				}
				shop := lane.Shops[part]
				c, stored, outbox, sweep, swept, ends = shop.Checkpoint, shop.Stored, nil, nil, 0, UnseenEnds
				clear(pending)
				p.PageSize = 30 + rnd.IntN(71)
				p.PollInterval = time.Duration(1+rnd.IntN(4)) * time.Second
			}
			if rnd.IntN(4) == 0 {
				now += rnd.Int64N(2)
			}
			if rnd.IntN(200) == 0 {
				now += rnd.Int64N(30) // an outage
			}
			q := policy()
			s := Next(c, time.Unix(now, 0), q)
			Open(c, s.Open, q)
			for _, x := range s.Again {
				Reopen(c, x, q)
			}
			if s.Sweep != nil {
				sweep, sweepAt = NewSweep(c, s.Sweep, q), 0
				swept = sweep.End()
				sweeps++
			}
			open := slices.Clone(c.Open())
			if len(open) == 0 {
				now++
				continue
			}
			x := open[rnd.IntN(len(open))]
			q = policy()
			answer, waits := pending[x]
			if waits {
				delete(pending, x)
			} else if x.Key == "" {
				x = Fit(c, x, q)
				Restart(x, q)
			}
			if x.Opened == 0 {
				x.Opened = now
			}
			if !waits {
				After(c, x, q)
			}
			if sweep != nil && sweep.First() == x {
				if rnd.IntN(30) == 0 {
					sweep = nil // an error
					continue
				}
				spans := sweep.Spans()
				ids := w.list(now, spans[sweepAt].Start, spans[sweepAt].End)
				sweep.Listed(sweepAt, ids[:min(len(ids), x.PageSize)], len(ids) > x.PageSize)
				if sweepAt++; sweepAt == len(spans) {
					n := sweep.Finish(c, q)
					settledBySweep += n
					if n < sweep.Len() {
						ends = min(ends, OneEnd)
					}
					sweep = nil
				}
				continue
			}
			roll := rnd.IntN(30)
			if waits {
				roll = 29
			}
			switch roll {
			case 0:
				Restart(x, q)
				continue
			case 1:
				if x.End-x.Start > 1 {
					p0 := p
					Halve(c, x, p0)
					continue
				}
			}
			all, at := answer.ids, answer.now
			if !waits {
				all, at = w.list(now, x.Asked(), x.End), now
				if rnd.IntN(2) == 0 {
					pending[x] = pend{all, now}
					continue
				}
			}
			if x.After && len(all) > x.PageSize {
				x.After = false
				all, at = w.list(now, x.Asked(), x.End), now
			}
			// pages by position after the last ID of the page before: a token that names the ID
			from := 0
			if x.Key != "" {
				for from < len(all) && all[from] <= x.Key {
					from++
				}
			}
			to := min(from+x.PageSize, len(all))
			ids, more := all[from:to], to < len(all)
			var got Deduped
			known := make(Resolved)
			for {
				got = Dedupe(c, x, wechat.UpdateTime, ids, known)
				if len(got.Ambiguous) == 0 {
					break
				}
				for _, a := range got.Ambiguous {
					at := latest(w.history[a.ID], now).at
					switch {
					case a.Edge-1 <= at && at <= a.Edge:
						known[a] = false
						ends = max(ends, OneEnd)
						if a.Edge == x.Asked() {
							ends = BothEnds
						}
					case x.Asked() <= at && at <= x.End:
						known[a] = true
					default:
						known[a] = false
					}
				}
			}
			for _, id := range ids {
				listings = append(listings, record{id, x.Asked(), x.End, latest(w.history[id], at).at})
			}
			for _, id := range got.Fresh {
				shows := latest(w.history[id], at).at
				for a, change := range known {
					if a.ID == id && change { // decided now, not when the page was read
						shows = latest(w.history[id], now).at
					}
				}
				outbox = append(outbox, record{id, x.Start, x.End, shows})
			}
			x.Pages++
			if more {
				x.Key = ids[len(ids)-1]
				continue
			}
			x.Key = ""
			if x.Pass == 1 {
				sizer.Adapt(c, x, q)
			}
			Finish(c, x, q)
		}
		commit()
		// checks
		there := make(map[string]map[int64]int)
		for _, r := range published {
			if there[r.id] == nil {
				there[r.id] = make(map[int64]int)
			}
			there[r.id][r.at]++
		}
		for id, h := range w.history {
			for at, n := range there[id] {
				if n > 1 {
					bad++
					t.Errorf("seed %d: order %s %v: the change at +%d was published %d times", seed, id, h, at-start, n)
				}
			}
			last := h[len(h)-1]
			covered := slices.ContainsFunc(published, func(r record) bool { return r.id == id && r.start-1 <= last.at && last.at <= r.end }) ||
				// an earlier change was listed in a range that holds this one: IDs do not tell them apart
				slices.ContainsFunc(listings, func(r record) bool {
					return r.id == id && r.at < last.at && r.start <= last.at && last.at <= r.end
				})
			if !covered {
				bad++
				t.Errorf("seed %d: order %s %v: the latest change is lost; lookback %v", seed, id, h, p.Lookback)
			}
		}
	}
	if sweeps < 1000 || settledBySweep < 3*sweeps {
		t.Errorf("%d sweeps have settled %d windows, too few to show anything", sweeps, settledBySweep)
	}
}
