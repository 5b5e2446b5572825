package connector

// Wanted is what an operator wants of a shop. The zero value is a shop that is walked.
type Wanted struct {
	// Paused stops the walk: a call in progress ends, and what it brought is committed.
	// The shop continues where it stopped.
	Paused bool
	// Stopped is Paused, and the shop's state leaves the memory: it continues from its
	// checkpoint, which may be changed in the meantime.
	Stopped bool
	// Restarts is a number that changes with each restart: the walk starts again from
	// what is committed, also one that failed. IfFailed does the same for a shop that
	// has failed or waits for the vendor, and nothing for others.
	Restarts, IfFailed int64
}

// walk reports whether the shop is to be walked.
func (w Wanted) walk() bool { return !w.Paused && !w.Stopped }

// Steer replaces what operators want of the shops, by name; shops that it leaves out are
// walked. Shops of which the same is wanted as before are not affected. Names that are no
// shops' are kept: the shop may be added later.
func (c *Connector) Steer(wanted map[string]Wanted) {
	c.mu.Lock()
	var changed []int
	for number, shops := range c.shops {
		for _, shop := range shops {
			if wanted[shop.Name] != c.wanted[shop.Name] {
				changed = append(changed, number)
				break
			}
		}
	}
	c.wanted = wanted
	set := c.set
	c.mu.Unlock()
	if set != nil && len(changed) > 0 {
		set.change(changed, c.members)
	}
}

// Shops lists the configured shops.
func (c *Connector) Shops() []Shop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Shops
}
