package connector

import (
	"slices"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// sifted is what a page comes to once repeats are dropped.
type sifted struct {
	fresh   []string // to be published, in the API's order, each once
	repeats int      // listed before, dropped
	// suspects stand in the left neighbour too, and only the API can say
	// whether that is one listing or two (update_time only). While there are
	// any, nothing has been taken.
	suspects []string
}

// verdict says of a suspect whether it is a change of its own.
type verdict map[string]bool

// take sifts a page of w and notes all of it as seen. Repeats are:
//
//   - an ID seen in w itself: another page, an earlier try, the first pass;
//   - an ID seen in the right neighbour: listed there at or after the shared
//     second, and now at or before it, so at it, both times;
//   - an ID seen in the left neighbour. A creation time does not move, so that
//     is the shared second again. An update time moves, so it may be a change
//     of its own: a suspect, until a verdict is given.
func take(c *offsets.Checkpoint, w *offsets.Window, kind wechat.Range, ids []string, known verdict) sifted {
	i := slices.Index(c.Windows, w)
	var left, right offsets.IDs
	if i > 0 {
		left = c.Windows[i-1].Seen
	}
	if i+1 < len(c.Windows) {
		right = c.Windows[i+1].Seen
	}
	var s sifted
	if kind == wechat.UpdateTime {
		for _, id := range ids {
			if _, judged := known[id]; !judged && left.Has(id) && !right.Has(id) && !w.Seen.Has(id) {
				s.suspects = append(s.suspects, id)
			}
		}
		if len(s.suspects) > 0 {
			return s
		}
	}
	s.fresh = make([]string, 0, len(ids))
	for _, id := range ids {
		if w.See(id) && !right.Has(id) && (!left.Has(id) || known[id]) {
			s.fresh = append(s.fresh, id)
		}
	}
	s.repeats = len(ids) - len(s.fresh)
	w.Late = w.Late || w.Pass == 2 && len(s.fresh) > 0
	return s
}
