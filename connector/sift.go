package connector

import (
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
//     of its own: a suspect, until a verdict is given;
//   - an ID seen in a longer window that w was cut from. All of that lay in the
//     past when it was listed: an update time can have moved out of it since, but
//     not within it. If w only begins where that ended, it is a left neighbour.
func take(c *offsets.Checkpoint, w *offsets.Window, kind wechat.Range, ids []string, known verdict) sifted {
	i, _ := c.Find(w.Start)
	var whole, left idSets
	if i > 0 {
		left = append(left, &c.Windows[i-1].Seen)
	}
	for _, r := range c.Reaching() {
		switch {
		case r.Start >= w.Start || r.Reach < w.Start:
		case w.End <= r.Reach:
			whole = append(whole, &r.Seen)
		default:
			left = append(left, &r.Seen)
		}
	}
	if i+1 < len(c.Windows) {
		whole = append(whole, &c.Windows[i+1].Seen)
	}
	var s sifted
	if kind == wechat.UpdateTime {
		for _, id := range ids {
			if _, judged := known[id]; !judged && left.has(id) && !whole.has(id) && !w.Seen.Has(id) {
				s.suspects = append(s.suspects, id)
			}
		}
		if len(s.suspects) > 0 {
			return s
		}
	}
	s.fresh = make([]string, 0, len(ids))
	for _, id := range ids {
		if w.See(id) && !whole.has(id) && (!left.has(id) || known[id]) {
			s.fresh = append(s.fresh, id)
		}
	}
	s.repeats = len(ids) - len(s.fresh)
	w.Late = w.Late || w.Pass == 2 && len(s.fresh) > 0
	return s
}

// idSets are the IDs of several windows.
type idSets []*offsets.IDs

func (s idSets) has(id string) bool {
	for _, ids := range s {
		if ids.Has(id) {
			return true
		}
	}
	return false
}
