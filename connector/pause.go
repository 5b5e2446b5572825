package connector

import (
	"maps"

	"orderwalk/offsets"
)

// Pause stops walking a shop until Resume. A call in progress ends, and what has been
// read is committed. Other shops are not affected. A pause holds in this process only,
// and until the shop is removed. The shop is named by its name or by its app ID, which
// means all of its ranges; Pause reports whether it exists.
func (c *Connector) Pause(shop string) bool { return c.pause(shop, true) }

// Resume continues a paused shop from its checkpoint. It reports whether the shop
// exists.
func (c *Connector) Resume(shop string) bool { return c.pause(shop, false) }

func (c *Connector) pause(name string, paused bool) bool {
	c.mu.Lock()
	found := make(map[offsets.Partition]bool)
	for _, shop := range c.cfg.Shops { // known before the lanes are
		if shop.Name == name || shop.AppID == name {
			found[shop.partition()] = true
			c.paused[shop.partition()] = paused
		}
	}
	var changed []int
	for number, shops := range c.shops {
		for _, shop := range shops {
			if found[shop.partition()] {
				changed = append(changed, number)
				break
			}
		}
	}
	set := c.set
	c.mu.Unlock()
	if set != nil && len(changed) > 0 {
		set.change(changed, c.members)
	}
	return len(found) > 0
}

// forgetPauses drops the pauses of shops that were removed. The caller holds mu.
func (c *Connector) forgetPauses() {
	listed := make(map[offsets.Partition]bool, len(c.cfg.Shops))
	for _, shop := range c.cfg.Shops {
		listed[shop.partition()] = true
	}
	maps.DeleteFunc(c.paused, func(p offsets.Partition, _ bool) bool { return !listed[p] })
}
