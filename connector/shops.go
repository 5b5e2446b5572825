package connector

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderwalk/internal/topics"
	"orderwalk/offsets"
)

// offsetsTopic is what the offsets topic has to be.
func (c *Connector) offsetsTopic() topics.Spec {
	return topics.Spec{
		Name: c.cfg.OffsetsTopic, Partitions: c.cfg.OffsetsPartitions, ReplicationFactor: c.cfg.ReplicationFactor, Compacted: true,
		// A lane is read from its beginning: let the cleaner keep it short.
		Config: map[string]string{"segment.bytes": "16777216", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": "3600000"},
	}
}

// topics creates the topics that are not there, and deals the shops out over
// the lanes.
func (c *Connector) topics(ctx context.Context) error {
	specs := []topics.Spec{c.offsetsTopic()}
	c.mu.Lock()
	for _, topic := range c.wanted() {
		specs = append(specs, topics.Spec{Name: topic, Partitions: c.cfg.TopicPartitions, ReplicationFactor: c.cfg.ReplicationFactor})
	}
	c.mu.Unlock()
	defer c.outage.over(topicsWait)
	partitions, err := topics.Create(ctx, c.cfg.Addr, c.cfg.Transport, c.outage.topics, specs...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	had, has := c.partitions[c.cfg.OffsetsTopic], partitions[c.cfg.OffsetsTopic]
	if c.partitions != nil && had != has {
		return &GrownError{Topic: c.cfg.OffsetsTopic, Had: had, Has: has}
	}
	c.partitions = partitions
	c.deal()
	return nil
}

// wanted lists the orders topics of all shops. The caller holds mu.
func (c *Connector) wanted() []string {
	names := make(map[string]bool)
	for _, shop := range c.cfg.Shops {
		names[shop.Topic] = true
	}
	delete(names, c.cfg.OffsetsTopic)
	return slices.Sorted(maps.Keys(names))
}

// deal deals the shops out over the lanes. The caller holds mu.
func (c *Connector) deal() {
	lanes := c.partitions[c.cfg.OffsetsTopic]
	c.shops = make(map[int][]Shop, lanes)
	for _, shop := range c.cfg.Shops {
		number := laneOf(c.cfg.Group, shop.partition(), lanes)
		if c.shops[number] == nil {
			c.shops[number] = make([]Shop, 0, 1+len(c.cfg.Shops)/lanes)
		}
		c.shops[number] = append(c.shops[number], shop)
		c.board.sheet(shop.partition()).placed(number)
	}
}

// lanes is how many there are.
func (c *Connector) lanes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions[c.cfg.OffsetsTopic]
}

// SetShops takes a new list of shops: added ones are walked, removed ones are
// not any more, and changed ones go on under what is new, from where they
// stand. It checks the topics of new shops first; with an error nothing has
// changed.
func (c *Connector) SetShops(ctx context.Context, shops []Shop) error {
	c.mu.Lock()
	before := c.cfg.Shops
	c.cfg.Shops = shops
	started := c.partitions != nil
	c.mu.Unlock()
	if !started {
		c.board.enlist(shops, c.poke)
		return nil
	}
	was := c.dealt()
	c.board.enlist(shops, c.poke)
	// What the transport remembers may be older than the topics are.
	err := topics.Refresh(ctx, c.cfg.Addr, c.cfg.Transport)
	if err == nil {
		err = c.topics(ctx)
	}
	if err != nil {
		c.mu.Lock()
		c.cfg.Shops = before
		c.mu.Unlock()
		c.board.enlist(before, c.poke)
		return err
	}
	var changed []int
	now := c.dealt()
	for number := range c.lanes() {
		if !slices.Equal(was[number], now[number]) {
			changed = append(changed, number)
		}
	}
	c.mu.Lock()
	crew := c.crew
	c.mu.Unlock()
	if crew != nil && len(changed) > 0 {
		c.cfg.Log.Info("shops changed", "shops", len(shops), "lanes", changed)
		crew.restart(changed)
	}
	return nil
}

func (c *Connector) dealt() map[int][]Shop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.shops)
}

// open makes a lane with the shops it has now; nil when it has none, and
// nothing is to be owned.
func (c *Connector) open(number int) *lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.shops[number]) == 0 {
		return nil
	}
	l := &lane{number: number, cfg: &c.cfg, partitions: c.partitions, shops: c.shops[number], misplaced: c.survey.misplaced, outage: c.outage, spare: spares{c.spare, &c.demand}, ids: c.ids,
		log: c.cfg.Log.With("lane", number), ended: make(map[offsets.Partition]bool)}
	for _, shop := range l.shops {
		h := c.board.sheet(shop.partition())
		h.set(StateStarting, nil)
		l.sheets = append(l.sheets, h)
	}
	return l
}

// load is what each lane costs its owner: its shops.
func (c *Connector) load() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	load := make(map[int]int, len(c.shops))
	for number, shops := range c.shops {
		load[number] = len(shops)
	}
	return load
}

// together lists the lanes that have to be with one worker: those of an app ID
// that has to have one refresher. Where many have, each with shops in several
// lanes, that may be all lanes.
func (c *Connector) together() [][]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	lanes := make(map[string][]int)
	for number, shops := range c.shops {
		for _, shop := range shops {
			if shop.OneRefresher {
				lanes[shop.AppID] = append(lanes[shop.AppID], number)
			}
		}
	}
	return slices.Collect(maps.Values(lanes))
}

// share gives each app ID's client its part of the rate limit. An app ID has
// one limit, however many workers call for it; each takes the part of the lanes
// it has of all lanes with shops of that app ID, so that the parts add up to
// one without anybody asking anybody. It is the same with the calls of a day.
func (c *Connector) share(on []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ours := make(map[string]int), make(map[string]int)
	for number, shops := range c.shops {
		seen := make(map[string]bool)
		for _, shop := range shops {
			if seen[shop.AppID] {
				continue
			}
			seen[shop.AppID] = true
			all[shop.AppID]++
			if slices.Contains(on, number) {
				ours[shop.AppID]++
			}
		}
	}
	for _, shop := range c.cfg.Shops {
		if n := ours[shop.AppID]; n > 0 {
			shop.Client.Share(float64(n) / float64(all[shop.AppID]))
		}
		c.board.quotas.resize(shop.AppID, float64(ours[shop.AppID])/float64(max(1, all[shop.AppID])))
	}
}

// poke makes the connector look whether it is at its end.
func (c *Connector) poke() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// finished says whether a shop of another worker is read to its end, by its
// checkpoint.
func finished(lane offsets.Lane, shop Shop) bool {
	known := lane.Shops[shop.partition()]
	return known != nil && known.Checkpoint != nil && next(known.Checkpoint, time.Now(), shop.Policy).done
}
