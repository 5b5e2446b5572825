package connector

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// otherTopic ends the name of a second orders topic.
const otherTopic = ".others"

// allPublished returns all records of orders, whichever topic they were sent to.
func (s *stage) allPublished() []*kgo.Record {
	all := s.published()
	if name := s.orders() + otherTopic; len(s.cluster.PartitionInfos(name)) > 0 {
		all = append(all, s.topic(name)...)
	}
	return all
}

// prepareList gives a worker that is about to start the present list of shops, and what is
// wanted of them. Its clients are those of all walks.
func (s *stage) prepareList(p *pod) {
	o, run := &s.ops, p.run
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.names == nil {
		o.topics, o.wanted, o.given = make([]string, len(s.life.walks)), make(map[string]Wanted), make(map[*process]int)
		for _, w := range s.life.walks {
			o.names = append(o.names, w.name)
		}
	}
	p.all = run.cfg.Shops
	run.cfg.Sidecar = &Sidecar{Key: []byte("key"), Follow: func(ctx context.Context, _ int) { <-ctx.Done() },
		CatchUp: func(context.Context) error {
			s.tellWanted(p, run)
			return nil
		}}
	if err := run.SetShops(context.Background(), s.listOf(p)); err != nil {
		s.Error(err)
	}
	o.given[run] = o.list
	run.Steer(maps.Clone(o.wanted))
}

// listOf is the present list of shops, with a worker's clients. The caller holds ops.mu.
func (s *stage) listOf(p *pod) []Shop {
	var shops []Shop
	for i, shop := range p.all {
		if i == s.current.absent {
			continue
		}
		shop.Name, shop.Policy = s.ops.names[i], s.current.policies[i]
		if p.own != nil {
			shop.Policy = p.own.policies[i]
			shop.Policy.End = s.current.end
		}
		if t := s.ops.topics[i]; t != "" {
			shop.Topic = s.orders() + t
		}
		shops = append(shops, shop)
	}
	return shops
}

// giveList gives a worker the present list of shops, as often as it takes.
func (s *stage) giveList(p *pod, run *process) {
	o := &s.ops
	for {
		o.mu.Lock()
		version, shops := o.list, s.listOf(p)
		o.mu.Unlock()
		ctx, cancel := during(run, 20*time.Second)
		err := run.SetShops(ctx, shops)
		cancel()
		o.mu.Lock()
		if err == nil {
			o.given[run] = version
		}
		same := version == o.list
		o.mu.Unlock()
		if err == nil && same {
			return
		}
		select {
		case <-run.ended:
			return
		case <-time.After(2 * time.Second):
		}
	}
}

// outdated reports whether a worker was not given the list that is to be walked in the end.
func (s *stage) outdated(run *process) bool {
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	return s.ops.acted && s.calm && s.ops.given[run] != s.ops.list
}

// relist changes settings, and walks come, go, change their names or their topics.
func (s *stage) relist(rnd *rand.Rand, at int) {
	o := &s.ops
	d := s.life.tuned(rnd, s.current)
	if d.absent = -1; s.life.startNow {
		d.absent = s.current.absent
	} else if len(o.names) > 1 && rnd.IntN(3) == 0 {
		d.absent = at
	}
	s.current = d
	switch other := rnd.IntN(len(o.names)); rnd.IntN(4) {
	case 0:
		o.names[at], o.names[other] = o.names[other], o.names[at]
	case 1:
		o.names[at] = fmt.Sprintf("%s-%d", s.life.walks[at].name, rnd.IntN(3))
	case 2:
		o.topics[at] = draw(rnd, "", otherTopic)
	}
	o.list++
	s.note("  list: %v, names %v, topics %q", d, o.names, o.topics)
	s.later(rnd, s.giveList)
}

// differ configures one worker in another way than the others.
func (s *stage) differ(rnd *rand.Rand) {
	p, d := s.at(rnd.IntN(4)), s.life.tuned(rnd, s.current)
	p.own = &d
	s.ops.list++
	s.note("  %s has its own: %v", p.name, d)
	s.later(rnd, s.giveList)
}

// moveEnd moves the end of all ranges back and forth, never beyond the last one.
func (s *stage) moveEnd(rnd *rand.Rand) {
	if !s.life.bounded || s.life.startNow {
		return
	}
	d, least := s.current, int64(0)
	for _, w := range s.life.walks {
		least = max(least, w.start+1)
	}
	if d.end = max(s.life.last.end-draw(rnd, 0, rnd.Int64N(300)), least); d.end > s.life.last.end {
		return
	}
	d.policies = slices.Clone(d.policies)
	for i := range d.policies {
		d.policies[i].End = d.end
	}
	s.current = d
	s.ops.list++
	s.note("  end is %d", d.end)
	s.later(rnd, s.giveList)
}
