package connector

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/kafkawire"
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

// ordersTopic is what an orders topic has to be.
func (c *Connector) ordersTopic(name string) topics.Spec {
	return topics.Spec{Name: name, Partitions: c.cfg.TopicPartitions, ReplicationFactor: c.cfg.ReplicationFactor}
}

// topics makes sure of the topics of all shops, and deals the shops out over the
// lanes.
func (c *Connector) topics(ctx context.Context) error {
	for {
		c.mu.Lock()
		shops := c.cfg.Shops
		c.mu.Unlock()
		found, err := c.find(ctx, shops)
		if err != nil {
			return err
		}
		c.mu.Lock()
		same := slices.Equal(shops, c.cfg.Shops) // SetShops may have come in between
		if same {
			c.take(found, shops)
		}
		c.mu.Unlock()
		if same {
			return nil
		}
	}
}

// found is what has been found of the topics.
type found struct {
	partitions map[string]int
	refused    map[string]error
}

// find creates the topics that are not there, and counts partitions. An orders
// topic that cannot be used is an error only if there is no other: its shops fail
// and the others do not.
func (c *Connector) find(ctx context.Context, shops []Shop) (found, error) {
	specs := []topics.Spec{c.offsetsTopic()}
	for _, topic := range c.ordersTopics(shops) {
		specs = append(specs, c.ordersTopic(topic))
	}
	defer c.outage.over(topicsWait)
	partitions, refused, err := topics.CreateEach(ctx, c.cfg.Addr, c.cfg.Transport, c.outage.topics, specs...)
	if err != nil {
		return found{}, err
	}
	if n := len(refused); n > 0 && n == len(specs)-1 {
		return found{}, refused[specs[1].Name]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	had, has := c.partitions[c.cfg.OffsetsTopic], partitions[c.cfg.OffsetsTopic]
	if c.partitions != nil && had != has {
		return found{}, &GrownError{Topic: c.cfg.OffsetsTopic, Had: had, Has: has}
	}
	for topic := range refused { // was there once
		if n := c.partitions[topic]; n > 0 {
			partitions[topic] = n
		}
	}
	return found{partitions, refused}, nil
}

// take makes these the shops, and deals them out. The caller holds mu.
func (c *Connector) take(f found, shops []Shop) {
	c.logCounts(f.partitions)
	c.cfg.Shops, c.partitions, c.refused = shops, f.partitions, f.refused
	c.deal()
}

// counted takes up what topics have been counted to have.
func (c *Connector) counted(has map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logCounts(has)
	partitions, refused := maps.Clone(c.partitions), maps.Clone(c.refused)
	maps.Copy(partitions, has)
	for topic := range has {
		delete(refused, topic)
	}
	c.partitions, c.refused = partitions, refused
}

// logCounts logs which topics have other partitions than before. The caller holds
// mu.
func (c *Connector) logCounts(has map[string]int) {
	for topic, n := range has {
		if had := c.partitions[topic]; had > 0 && n != had {
			c.cfg.Log.Info("orders topic has another number of partitions, which is used from now on", "topic", topic, "had", had, "has", n)
		}
	}
}

func (c *Connector) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions
}

// wanted lists the orders topics of all shops. The caller holds mu.
func (c *Connector) wanted() []string { return c.ordersTopics(c.cfg.Shops) }

func (c *Connector) ordersTopics(shops []Shop) []string {
	names := make(map[string]bool)
	for _, shop := range shops {
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
		c.registry.placed(shop.partition(), number)
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
// stand. It looks for the topics first: with an error nothing has changed.
func (c *Connector) SetShops(ctx context.Context, shops []Shop) error {
	c.mu.Lock()
	started := c.partitions != nil
	if !started {
		c.cfg.Shops = shops
	}
	c.mu.Unlock()
	if !started {
		c.registry.register(shops, c.poke)
		return nil
	}
	c.registry.firstSeen(shops)
	// What the transport remembers may be older than the topics are.
	if err := (kafkawire.Wire{Addr: c.cfg.Addr, Transport: c.cfg.Transport}).Refresh(ctx); err != nil {
		return err
	}
	found, err := c.find(ctx, shops)
	if err != nil {
		return err
	}
	was := c.dealt()
	c.registry.register(shops, c.poke)
	c.mu.Lock()
	c.take(found, shops)
	set := c.set
	c.mu.Unlock()
	var changed []int
	now := c.dealt()
	for number := range c.lanes() {
		if !slices.Equal(was[number], now[number]) {
			changed = append(changed, number)
		}
	}
	if set != nil && len(changed) > 0 {
		c.cfg.Log.Info("shops changed", "shops", len(shops), "lanes", changed)
		set.change(changed, c.members)
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
	members, refused := c.members(number)
	if len(members) == 0 {
		return nil
	}
	l := &lane{number: number, flush: flushInterval, cfg: &c.cfg, partitions: c.counts, look: c.lookAgain, tombstones: c.tombstones, misplaced: c.checkpoints.misplaced, outage: c.outage, spare: extraWindows{c.spare, &c.demand}, ids: c.ids,
		log: c.cfg.Log.With("lane", number), refused: make(map[string]*refusal), changed: make(chan struct{}, 1), rebarred: make(chan struct{}, 1)}
	l.set(members, refused)
	return l
}

// members are a lane's shops as they are now, and the orders topics that cannot be
// used.
func (c *Connector) members(number int) ([]*member, map[string]error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	members := make([]*member, len(c.shops[number]))
	for i, shop := range c.shops[number] {
		p := shop.partition()
		sheet, inbox, history := c.registry.of(p, shop)
		members[i] = &member{shop: shop, sheet: sheet, inbox: inbox, history: history, paused: c.paused[p]}
	}
	return members, c.refused
}

// Pause stops walking a shop until Resume. What has been read is committed, a call
// that is under way ends, and other shops do not notice. It reports false if there
// is no such shop.
func (c *Connector) Pause(shop string) bool { return c.pause(shop, true) }

// Resume walks a paused shop on from where it stands.
func (c *Connector) Resume(shop string) bool { return c.pause(shop, false) }

func (c *Connector) pause(name string, paused bool) bool {
	c.mu.Lock()
	var changed []int
	for number, shops := range c.shops {
		for _, shop := range shops {
			if shop.Name == name {
				changed = append(changed, number)
				c.paused[shop.partition()] = paused
			}
		}
	}
	set := c.set
	c.mu.Unlock()
	if set != nil {
		set.change(changed, c.members)
	}
	return len(changed) > 0
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
		c.registry.quotas.Resize(shop.AppID, float64(ours[shop.AppID])/float64(max(1, all[shop.AppID])))
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
	return known != nil && known.Checkpoint != nil && window.Next(known.Checkpoint, time.Now(), shop.Policy).Done
}
