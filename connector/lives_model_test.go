package connector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// life is the plan of one random life: shops, the workers that read them, and
// everything that happens to both. The seed decides the whole plan. The scheduling of
// goroutines and the jitter of retries are not part of it, so the same plan may have
// different outcomes.
type life struct {
	seed    uint64
	shops   []simulator.Shop
	walks   []walk
	bounded bool
	// startNow leaves START_TIME out: the walk begins at the first start.
	startNow  bool
	latency   time.Duration
	heartbeat time.Duration
	// lag is how late orders become visible; every LOOKBACK of this life is longer.
	lag     time.Duration
	lasting []string // faults that are on for the whole life
	// silent reports that the API, or a gateway, leaves out fields; see gateway.
	silent bool
	pods   int // number of workers at first
	first  deploy
	last   deploy // in force after the trouble, until the end
	acts   []act  // in time order
	length time.Duration
	// pace draws pushes and how far polls may stretch, early whether orders are published early.
	pace, early *rand.Rand
	// ops draws what operators do; see operators.
	ops *rand.Rand
}

// walk is a shop as the connector is configured with it: an app ID and a kind of time.
type walk struct {
	appID, name string
	kind        wechat.Range
	status      int
	orders      int // approximate number of orders
	start       int64
	rate        float64
}

// deploy is the configuration of all workers from some moment on.
type deploy struct {
	policies []window.Policy // by walk
	absent   int             // the walk that is not configured, or -1
	end      int64
}

// act happens at a time after the first start.
type act struct {
	at   time.Duration
	what string
	do   func(*stage)
}

func draw[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

// between draws a duration, small ones as often as large ones.
func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	d := time.Duration(float64(least) * pow(float64(most)/float64(least), rnd.Float64()))
	return d.Round(time.Millisecond)
}

// newLife draws a life that begins at now.
func newLife(seed uint64, now int64) *life {
	rnd := rand.New(rand.NewPCG(seed, 10))
	l := &life{seed: seed, bounded: rnd.IntN(2) == 0, startNow: rnd.IntN(8) == 0, pods: 1 + rnd.IntN(3), length: between(rnd, 15*time.Second, 3*time.Minute), pace: rand.New(rand.NewPCG(seed, 12)), early: rand.New(rand.NewPCG(seed, 16)), ops: rand.New(rand.NewPCG(seed, 13))}
	l.heartbeat = between(rnd, 500*time.Millisecond, 3*time.Second)
	l.drawLasting(rnd)
	past := l.bounded && !l.startNow && rnd.IntN(2) == 0 // END_TIME is past when the life begins
	end := now - 60 - rnd.Int64N(3600)
	if !past {
		end = now + int64(l.length/time.Second)/2 + rnd.Int64N(30)
	}
	for range draw(rnd, 1, 1, 1, 2, 2, 3, 6) {
		l.drawShop(rnd, now, end, past)
	}
	if !l.bounded {
		end = 0
	}
	l.first = l.newDeploy(rnd, end)
	l.drawLatency(rnd)
	l.drawActs(rnd)
	l.last.absent = -1
	return l
}

// drawShop draws the orders of a shop: few or many, old or still arriving.
func (l *life) drawShop(rnd *rand.Rand, now, end int64, past bool) {
	id := fmt.Sprintf("wx%02d", len(l.shops))
	s := simulator.Shop{AppID: id, Secret: "secret-" + id}
	budget := int(between(rnd, 50*time.Millisecond, 3*time.Second) / time.Millisecond)
	span := int64(between(rnd, time.Minute, 40*24*time.Hour) / time.Second)
	share := rnd.Float64() // share of old orders
	switch {
	case past:
		share = 1
	case l.startNow:
		share = 0
	}
	start := now - rnd.Int64N(120)
	if old := int(share * float64(budget)); old > 0 {
		to := min(end+30, now-rnd.Int64N(60))
		start = to - span + rnd.Int64N(10)
		s.Backlog = simulator.Backlog{Orders: old, From: to - span, To: to, Bursts: rnd.IntN(4), BurstSize: 1 + rnd.IntN(30)}
	}
	until := now + int64(l.length/time.Second) + 60
	s.Live = simulator.Live{Since: now - 60, Until: until, Rate: (1 - share) * float64(budget) / float64(until-now+60)}
	if rnd.IntN(3) == 0 && !past {
		s.Live.BurstEvery, s.Live.BurstSize = 3+rnd.Int64N(60), 1+rnd.IntN(20)
	}
	w := walk{appID: id, name: id, kind: wechat.CreateTime, orders: budget, start: start, rate: draw(rnd, 1e6, 1e6, 50, 20)}
	kinds := draw(rnd, "create", "create", "update", "update", "both")
	if kinds != "update" {
		l.walks = append(l.walks, w)
	}
	if kinds != "create" {
		s.Backlog.Changes, s.Backlog.ChangeWithin = 3*rnd.Float64(), between(rnd, time.Minute, 24*time.Hour)
		s.Live.Changes, s.Live.ChangeWithin = 3*rnd.Float64(), between(rnd, time.Second, time.Minute)
		w.kind, w.orders, w.status = wechat.UpdateTime, 2*budget, draw(rnd, 0, 0, 0, 0, 10, 20)
		if kinds == "both" {
			w.name += "-updates"
		}
		l.walks = append(l.walks, w)
	}
	l.shops = append(l.shops, s)
}

// drawLatency makes the API so slow that reading old orders takes about as long as the
// trouble.
func (l *life) drawLatency(rnd *rand.Rand) {
	pages := 1
	for i, w := range l.walks {
		pages = max(pages, w.orders/l.first.policies[i].PageSize)
	}
	share := time.Duration((0.1 + rnd.Float64()) * float64(l.length) * float64(l.first.policies[0].Concurrency))
	l.latency = min(max(share/time.Duration(pages), time.Millisecond), time.Second).Round(time.Millisecond)
}

// newDeploy draws a configuration. Settings that must not change within a life come
// from the walks.
func (l *life) newDeploy(rnd *rand.Rand, end int64) deploy {
	d := deploy{absent: -1, end: end}
	lookback := draw(rnd, 0, between(rnd, time.Second, time.Minute))
	if l.lag > 0 {
		lookback = l.lag + between(rnd, time.Second, 30*time.Second)
	}
	p := window.Policy{
		MaxWindow: draw(rnd, 168*time.Hour, 168*time.Hour, between(rnd, l.longest()/200, 168*time.Hour).Round(time.Second)), MinWindow: draw(rnd, time.Second, time.Second, 10*time.Second, time.Minute),
		PollInterval: between(rnd, 500*time.Millisecond, 10*time.Second), SettleDelay: between(rnd, time.Second, 15*time.Second),
		Lookback: lookback, Concurrency: draw(rnd, 1, 2, 4, 8),
	}
	p.PollIntervalMax = draw(l.pace, 0, between(l.pace, p.PollInterval, 2*time.Minute))
	p.Lookback = max(p.Lookback, draw(l.pace, 0, 0, between(l.pace, 20*time.Second, 2*time.Minute))) // sweeps take several windows
	p.Early = draw(l.early, false, true)
	for _, w := range l.walks {
		p.Range, p.Status, p.Start, p.End = w.kind, w.status, w.start, end
		if l.startNow {
			p.Start = 0
		}
		p.PageSize = max(draw(rnd, 1, 3, 10, 30, 100), w.orders/300)
		d.policies = append(d.policies, p)
	}
	return d
}

// tuned redraws everything in a deploy that may differ between workers of one group.
func (l *life) tuned(rnd *rand.Rand, before deploy) deploy {
	d := l.newDeploy(rnd, before.end)
	d.absent = before.absent
	return d
}

func (d deploy) String() string {
	p := d.policies[0]
	var sizes []string
	for _, p := range d.policies {
		sizes = append(sizes, fmt.Sprint(p.PageSize))
	}
	text := fmt.Sprintf("pages of %s, windows %v to %v, poll %v to %v, settle %v (early: %v), lookback %v, concurrency %d", strings.Join(sizes, "/"), p.MinWindow, p.MaxWindow, p.PollInterval, p.PollIntervalMax, p.SettleDelay, p.Early, p.Lookback, p.Concurrency)
	if d.end > 0 {
		text += fmt.Sprintf(", end %d", d.end)
	}
	if d.absent >= 0 {
		text += fmt.Sprintf(", without walk %d", d.absent)
	}
	return text
}

func (l *life) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "life %d: %d workers, %v of trouble, latency %v, heartbeat %v, faults throughout: %s\n", l.seed, l.pods, l.length, l.latency, l.heartbeat, strings.Join(l.lasting, " "))
	for i, s := range l.shops {
		fmt.Fprintf(&b, "  shop %d %s: backlog %+v live %+v\n", i, s.AppID, s.Backlog, s.Live)
	}
	for i, w := range l.walks {
		fmt.Fprintf(&b, "  walk %d %s: %s from %d (now: %v), status %d, rate %v\n", i, w.name, w.kind, w.start, l.startNow, w.status, w.rate)
	}
	fmt.Fprintf(&b, "  first: %v\n", l.first)
	for _, a := range l.acts {
		fmt.Fprintf(&b, "  %8.3fs %s\n", a.at.Seconds(), a.what)
	}
	fmt.Fprintf(&b, "  then calm: %v\n", l.last)
	return b.String()
}

// longest returns the longest time that any shop has orders in.
func (l *life) longest() time.Duration {
	most := 10 * time.Hour
	for _, s := range l.shops {
		most = max(most, time.Duration(s.Backlog.To-s.Backlog.From)*time.Second)
	}
	return most
}
