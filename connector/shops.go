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

// offsetsTopic returns the required configuration of the offsets topic.
func (c *Connector) offsetsTopic() topics.Spec {
	return topics.Spec{
		Name: c.cfg.OffsetsTopic, Partitions: c.cfg.OffsetsPartitions, ReplicationFactor: c.cfg.ReplicationFactor, Compacted: true,
		// A lane is read from its beginning, so have the log cleaner keep it short.
		Config: map[string]string{"segment.bytes": "16777216", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": "3600000"},
	}
}

// ordersTopic returns the required configuration of an orders topic.
func (c *Connector) ordersTopic(name string) topics.Spec {
	return topics.Spec{Name: name, Partitions: c.cfg.TopicPartitions, ReplicationFactor: c.cfg.ReplicationFactor}
}

// topics creates or checks the topics of all shops and distributes the shops over the
// lanes.
func (c *Connector) topics(ctx context.Context) error {
	for {
		c.mu.Lock()
		shops := c.cfg.Shops
		c.mu.Unlock()
		found, err := c.find(ctx, shops)
		if err == nil {
			err = found.allRefused()
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		same := slices.Equal(shops, c.cfg.Shops) // SetShops may have changed them
		if same {
			c.apply(found, shops)
		}
		c.mu.Unlock()
		if same {
			return nil
		}
	}
}

// found is the result of find: partition counts, and the orders topics that cannot be
// used with the reason.
type found struct {
	partitions map[string]int
	refused    map[string]error
	orders     int    // number of orders topics
	first      string // of them
}

// find creates missing topics and counts partitions. An orders topic that cannot be
// used fails its shops only.
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
	first := "" // of the orders topics
	if len(specs) > 1 {
		first = specs[1].Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	had, has := c.partitions[c.cfg.OffsetsTopic], partitions[c.cfg.OffsetsTopic]
	if c.partitions != nil && had != has {
		return found{}, &GrownError{Topic: c.cfg.OffsetsTopic, Had: had, Has: has}
	}
	for topic := range refused { // keep the count of one that existed before
		if n := c.partitions[topic]; n > 0 {
			partitions[topic] = n
		}
	}
	return found{partitions, refused, len(specs) - 1, first}, nil
}

// allRefused returns why the first orders topic cannot be used, if none of them can be.
func (f found) allRefused() error {
	if f.orders == 0 || len(f.refused) < f.orders {
		return nil
	}
	return f.refused[f.first]
}

// moves reports whether one of these shops is walked with another topic now.
func (c *Connector) moves(shops []Shop) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	topics := make(map[offsets.Partition]string, len(c.cfg.Shops))
	for _, shop := range c.cfg.Shops {
		topics[shop.partition()] = shop.Topic
	}
	return slices.ContainsFunc(shops, func(s Shop) bool {
		topic, known := topics[s.partition()]
		return known && topic != s.Topic
	})
}

// apply replaces the shops and distributes them over the lanes. The caller holds mu.
func (c *Connector) apply(f found, shops []Shop) {
	c.logCounts(f.partitions)
	c.cfg.Shops, c.partitions, c.refused = shops, f.partitions, f.refused
	c.distribute()
}

// setCounts stores new partition counts. Topics that have one are no longer refused.
func (c *Connector) setCounts(has map[string]int) {
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

// logCounts logs each topic whose partition count has changed. The caller holds mu.
func (c *Connector) logCounts(has map[string]int) {
	for topic, n := range has {
		if had := c.partitions[topic]; had > 0 && n != had {
			c.cfg.Log.Info("partition count of an orders topic changed; using the new count", "topic", topic, "had", had, "has", n)
		}
	}
}

func (c *Connector) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions
}

// usedTopics lists the orders topics of all shops. The caller holds mu.
func (c *Connector) usedTopics() []string { return c.ordersTopics(c.cfg.Shops) }

func (c *Connector) ordersTopics(shops []Shop) []string {
	names := make(map[string]bool)
	for _, shop := range shops {
		names[shop.Topic] = true
	}
	delete(names, c.cfg.OffsetsTopic)
	return slices.Sorted(maps.Keys(names))
}

// distribute distributes the shops over the lanes by the hash of their checkpoint keys.
// The caller holds mu.
func (c *Connector) distribute() {
	lanes := c.partitions[c.cfg.OffsetsTopic]
	c.shops, c.sharedOn = make(map[int][]Shop, lanes), nil
	numbers, counts := make([]int, len(c.cfg.Shops)), make(map[int]int, lanes)
	for i, shop := range c.cfg.Shops {
		numbers[i] = laneOf(c.cfg.Group, shop.partition(), lanes)
		counts[numbers[i]]++
		c.registry.placed(shop.partition(), numbers[i])
	}
	for number, n := range counts {
		c.shops[number] = make([]Shop, 0, n)
	}
	for i, shop := range c.cfg.Shops {
		c.shops[numbers[i]] = append(c.shops[numbers[i]], shop)
	}
}

// lanes returns the number of lanes; 0 = not known yet.
func (c *Connector) lanes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions[c.cfg.OffsetsTopic]
}

// SetShops replaces the list of shops. Added shops are walked, removed ones are no
// longer walked, changed ones continue from their checkpoint under the new
// configuration. It checks the topics first; after an error nothing has changed. It is an
// error if no orders topic can be used, unless shops come and go and none of them would change
// its topic.
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
	// The transport's cached metadata may be older than the topics.
	if err := (kafkawire.Wire{Addr: c.cfg.Addr, Transport: c.cfg.Transport}).Refresh(ctx); err != nil {
		return err
	}
	found, err := c.find(ctx, shops)
	if err != nil {
		return err
	}
	comeAndGo := slices.ContainsFunc(shops, func(s Shop) bool { return s.Created })
	if unusable := found.allRefused(); unusable != nil && (!comeAndGo || c.moves(shops)) {
		return unusable
	}
	was := c.shopsByLane()
	c.registry.register(shops, c.poke)
	c.mu.Lock()
	c.apply(found, shops)
	set := c.set
	c.mu.Unlock()
	var changed []int
	now := c.shopsByLane()
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

func (c *Connector) shopsByLane() map[int][]Shop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.shops)
}

// open returns a lane with its present shops; nil if it has none and need not be owned.
// Those of them that have ended here stay so.
func (c *Connector) open(number int, ended []*member) *lane {
	members, refused := c.members(number)
	if len(members) == 0 {
		return nil
	}
	l := &lane{number: number, flush: flushInterval, cfg: &c.cfg, partitions: c.counts, recheck: c.recheckTopic, tombstones: c.tombstones, misplaced: c.checkpoints.misplaced, outage: c.outage, extra: extraWindows{c.extra, &c.demand}, turns: c.turns, ids: c.ids,
		log: c.cfg.Log.With("lane", number), refused: make(map[string]*refusal), walking: make(map[offsets.Partition]bool), changed: make(chan struct{}, 1), rebarred: make(chan struct{}, 1)}
	l.members = ended
	l.set(members, refused)
	return l
}

// members returns a lane's present shops, and the orders topics that cannot be used.
func (c *Connector) members(number int) ([]*member, map[string]error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	members := make([]*member, len(c.shops[number]))
	for i, shop := range c.shops[number] {
		p := shop.partition()
		state, inbox, history := c.registry.of(p, shop)
		members[i] = &member{shop: shop, status: state, inbox: inbox, history: history, wanted: c.wanted[shop.Name]}
	}
	return members, c.refused
}

// load returns the cost of each lane for the group's assignment: its number of shops.
func (c *Connector) load() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	load := make(map[int]int, len(c.shops))
	for number, shops := range c.shops {
		load[number] = len(shops)
	}
	return load
}

// together lists groups of lanes that one worker must own: the lanes of each app ID
// whose tokens only one worker may refresh. If many app IDs have shops in several
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

// share sets each app ID's part of the rate limit and of the day's calls. An app ID has
// one limit for all workers. Each worker takes the part of the lanes it owns among all
// lanes with shops of that app ID, so the parts add up to one without coordination. It
// does nothing if neither the shops nor these lanes have changed.
func (c *Connector) share(on []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sharedOn != nil && slices.Equal(*c.sharedOn, on) {
		return
	}
	c.sharedOn = &on
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

// poke makes Run check whether all shops have ended.
func (c *Connector) poke() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// finished reports whether the checkpoint of another worker's shop is at the end of its
// range.
func finished(lane offsets.Lane, shop Shop) bool {
	known := lane.Shops[shop.partition()]
	return known != nil && known.Checkpoint != nil && window.Next(known.Checkpoint, time.Now(), shop.Policy).Done
}
