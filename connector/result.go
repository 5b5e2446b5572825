package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"orderwalk/internal/group"
)

// result reports whether nothing is left to do. With a bounded range that is when every
// shop of this worker has ended or can only wait, and every other shop is done or
// belongs to a worker that is as far. Without one it is when this worker is alone and
// all shops have failed. A worker without shops, or whose shops are not all listed ones, is
// never done.
func (c *Connector) result(ctx context.Context, set *laneSet) (ended bool, err error) {
	rest := group.Busy
	defer func() { set.rest(rest) }()
	on := set.numbers()
	c.share(on)
	c.registry.withOthers(set.members() > 1)
	if set.members() == 0 {
		return false, nil
	}
	shops := c.shopsByLane()
	bounded, created, all := true, false, 0
	var open []string
	for number, dealt := range shops {
		for _, shop := range dealt {
			bounded, created = bounded && shop.Policy.End > 0, created || shop.Created
			all++
			s, here := set.standing(number, shop.partition())
			switch {
			case !here:
				if set.members() == 1 {
					return false, nil // between two assignments
				}
			case s.open != "":
				open = append(open, fmt.Sprintf("shop %s: %s", shop.Name, s.open))
			case !s.done:
				return false, nil
			case s.missing != nil:
				open = append(open, fmt.Sprintf("shop %s: done in part: %s", shop.Name, c.cfg.explain(s.missing)))
			}
		}
	}
	if all == 0 || created {
		return false, nil // more may be created over HTTP, and this one changed
	}
	if !bounded && (set.members() > 1 || len(open) == 0) {
		return false, nil
	}
	if set.members() > 1 {
		others := set.others() // once: it may change while checkpoints are read
		done, missing, err := c.othersDone(ctx, shops, on, others != group.Busy)
		switch {
		case done:
		case len(open) > 0:
			rest = group.Stuck
		default:
			rest = group.Idle
		}
		// If no worker is stuck, all shops are done; other workers just have not seen
		// it yet.
		if !done && (err != nil || others == group.Busy || max(others, rest) != group.Stuck) {
			return false, nil
		}
		open = append(open, missing...)
	}
	if len(open) == 0 {
		return true, nil
	}
	slices.Sort(open)
	return true, unfinished(open, all, bounded)
}

// othersDone reads the checkpoints of lanes that other workers own. done reports
// whether their shops are read to their ends, missing lists those that are not. Unless
// whole is set it stops at the first lane that is not done. With an error the answer is
// unknown.
func (c *Connector) othersDone(ctx context.Context, shops map[int][]Shop, on []int, whole bool) (done bool, missing []string, err error) {
	done = true
	for number, dealt := range shops {
		if slices.Contains(on, number) {
			continue
		}
		all, lacking, failed := c.checkpoints.done(ctx, number, dealt)
		if failed != nil && !errors.Is(failed, errLater) && ctx.Err() == nil {
			c.cfg.Log.Warn("cannot read the checkpoints of other workers", "reason", failed)
		}
		if !all && !whole {
			return false, nil, failed
		}
		missing = append(missing, lacking...)
		done, err = done && all, cmp.Or(err, failed)
	}
	return done, missing, err
}
