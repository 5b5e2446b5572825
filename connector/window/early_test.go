package window

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// shown is an order, and the second from which on the API lists it.
type shown struct {
	id       string
	at, from int64
}

// earlyShop is a live shop with Policy.Early, in a process that dies now and then.
type earlyShop struct {
	*testing.T
	rnd              *rand.Rand
	policy           Policy
	orders           []shown
	startOut, endOut bool // as in fixture
	state            *offsets.Checkpoint
	stored           offsets.Stored
	topic            map[string][]byte
	outbox           []string
	published        map[string]int64 // committed: when
	now              int64
	early            int // lists beyond a window's end
}

func (s *earlyShop) list(from, to int64) (ids []string) {
	for _, o := range s.orders {
		if o.from <= s.now && (o.at > from || !s.startOut && o.at == from) && (o.at < to || !s.endOut && o.at == to) {
			ids = append(ids, o.id)
		}
	}
	return ids
}

func (s *earlyShop) commit() {
	for _, id := range s.outbox {
		if at, twice := s.published[id]; twice {
			s.Fatalf("order %s is published at %d and at %d", id, at, s.now)
		}
		s.published[id] = s.now
	}
	s.outbox = nil
	s.stored.Update("g", offsets.Partition{Shop: "s", Range: "create_time"}, s.state, func(k, v []byte) {
		if v == nil {
			delete(s.topic, string(k))
		} else {
			s.topic[string(k)] = v
		}
	})
	sameOnTopic(s.T, s.topic, s.state)
}

// die goes on from what was committed.
func (s *earlyShop) die() {
	l := offsets.Loader{Group: "g"}
	for k, v := range s.topic {
		l.Add([]byte(k), v)
	}
	shop := l.Load().Shops[offsets.Partition{Shop: "s", Range: "create_time"}]
	if shop.Checkpoint != nil {
		s.state, s.stored, s.outbox = shop.Checkpoint, shop.Stored, nil
	}
}

// poll reads what is due, page by page, and dies in between now and then.
func (s *earlyShop) poll(nudged bool) {
	p := s.policy
	if nudged {
		p.Nudge = p.LatestEnd(time.Unix(s.now, 0))
	}
	plan := Next(s.state, time.Unix(s.now, 0), p)
	Open(s.state, plan.Open, p)
	for _, w := range plan.Again {
		Reopen(s.state, w, p)
	}
	for len(s.state.Open()) > 0 {
		w := s.state.Open()[0]
		if w.Opened == 0 {
			w.Opened = s.now
		}
		Early(s.state, w, time.Unix(s.now, 0), p)
		all := s.list(w.Asked(), w.AskedTo())
		if w.Until > 0 {
			s.early++
			if len(all) > w.PageSize {
				w.Until = 0
				all = s.list(w.Asked(), w.End)
			}
		}
		from, _ := strconv.Atoi(w.Key)
		to := min(from+w.PageSize, len(all))
		s.outbox = append(s.outbox, Dedupe(s.state, w, wechat.CreateTime, all[from:to], nil).Fresh...)
		w.Pages, w.Key = w.Pages+1, strconv.Itoa(to)
		if to == len(all) {
			Finish(s.state, w, p)
		}
		if s.state.Watermark > p.LatestEnd(time.Unix(s.now, 0)) {
			s.Fatalf("the watermark is %d at %d", s.state.Watermark, s.now)
		}
		switch s.rnd.IntN(8) {
		case 0:
			s.die()
		case 1, 2, 3:
			s.commit()
		}
	}
	s.commit()
}

// TestEarlyListsPublishEachOrderOnce: whatever the API counts in, whenever it shows an order
// before the second pass of its window, and wherever the process dies.
func TestEarlyListsPublishEachOrderOnce(t *testing.T) {
	early, before := 0, 0
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 77))
			p := standard()
			p.Early, p.PageSize, p.Concurrency = true, 1+rnd.IntN(40), 1+rnd.IntN(3)
			p.SettleDelay = time.Duration(rnd.IntN(20)) * time.Second
			p.Lookback = []time.Duration{0, time.Minute, 10 * time.Minute}[rnd.IntN(3)]
			p.MinWindow = time.Duration(1+rnd.IntN(5)) * time.Second
			const begin, lasts = 10_000, 2000
			s := &earlyShop{T: t, rnd: rnd, policy: p, startOut: rnd.IntN(2) == 0, endOut: rnd.IntN(2) == 0,
				state: &offsets.Checkpoint{Watermark: begin, Length: 3600}, topic: make(map[string][]byte), published: make(map[string]int64), now: begin}
			settle, late := int64(p.SettleDelay/time.Second), int64(max(0, p.Lookback-4*time.Minute)/time.Second)
			for i := range rnd.IntN(1500) {
				o := shown{id: strconv.Itoa(1000 + i), at: begin + rnd.Int64N(lasts)}
				if o.from = o.at; rnd.IntN(3) == 0 {
					o.from += rnd.Int64N(settle + 1) // before its seconds are settled
				} else if late > 0 && rnd.IntN(20) == 0 {
					o.from += rnd.Int64N(late)
				}
				s.orders = append(s.orders, o)
			}
			s.commit()
			for s.now < begin+lasts {
				s.now += 1 + rnd.Int64N(12)
				s.poll(rnd.IntN(3) == 0)
			}
			early += s.early
			for range 200 { // everything settles
				s.now += 10
				s.poll(false)
			}
			for _, o := range s.orders {
				at, found := s.published[o.id]
				if !found {
					t.Fatalf("order %s of %d, shown from %d on, is lost", o.id, o.at, o.from)
				}
				if at < o.at+settle {
					before++
				}
			}
			if n := len(s.state.Reaching()); n > 0 {
				t.Errorf("%d windows keep IDs of seconds that are settled", n)
			}
		})
	}
	if early == 0 || before == 0 {
		t.Errorf("%d early lists, %d orders published before they were settled: the test tests nothing", early, before)
	}
}

// TestEarly: which windows are asked for up to now.
func TestEarly(t *testing.T) {
	now := time.Unix(1_700_000_015, 0)
	for name, c := range map[string]struct {
		change func(p *Policy, c *offsets.Checkpoint, w *offsets.Window)
		want   int64
	}{
		"the last of a live shop":     {func(*Policy, *offsets.Checkpoint, *offsets.Window) {}, 1_700_000_015},
		"not configured":              {func(p *Policy, _ *offsets.Checkpoint, _ *offsets.Window) { p.Early = false }, 0},
		"by update time":              {func(p *Policy, _ *offsets.Checkpoint, _ *offsets.Window) { p.Range = wechat.UpdateTime }, 0},
		"with a status":               {func(_ *Policy, _ *offsets.Checkpoint, w *offsets.Window) { w.Status = 20 }, 0},
		"of a bounded range":          {func(p *Policy, _ *offsets.Checkpoint, _ *offsets.Window) { p.End = 1_800_000_000 }, 0},
		"second pass":                 {func(_ *Policy, _ *offsets.Checkpoint, w *offsets.Window) { w.Pass = 2 }, 0},
		"with a page token":           {func(_ *Policy, _ *offsets.Checkpoint, w *offsets.Window) { w.Key = "k" }, 0},
		"with orders listed":          {func(_ *Policy, _ *offsets.Checkpoint, w *offsets.Window) { w.See("1") }, 0},
		"part of one that was cut":    {func(_ *Policy, _ *offsets.Checkpoint, w *offsets.Window) { w.Reach = w.End }, 0},
		"of a backfill":               {func(p *Policy, _ *offsets.Checkpoint, _ *offsets.Window) { p.SettleDelay = 5 * time.Second }, 0},
		"nothing to wait for":         {func(p *Policy, _ *offsets.Checkpoint, w *offsets.Window) { p.SettleDelay, w.End = 0, now.Unix() }, 0},
		"it was busy: 50 in 10 s":     {func(p *Policy, c *offsets.Checkpoint, _ *offsets.Window) { see(c.Windows[0], 50) }, 0},
		"it was less busy: 30 in 10s": {func(p *Policy, c *offsets.Checkpoint, _ *offsets.Window) { see(c.Windows[0], 30) }, 1_700_000_015},
	} {
		p := standard()
		state := &offsets.Checkpoint{Watermark: 1_699_999_990}
		Open(state, []Span{{1_699_999_980, 1_699_999_990}, {1_699_999_990, 1_700_000_000}}, p)
		w := state.Windows[1]
		p.Early = true
		c.change(&p, state, w)
		if Early(state, w, now, p); w.Until != c.want {
			t.Errorf("%s: asked for up to %d, want %d", name, w.Until, c.want)
		}
	}
}

func see(w *offsets.Window, orders int) {
	for i := range orders {
		w.See(strconv.Itoa(i))
	}
}
