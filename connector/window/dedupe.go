package window

import (
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// Deduped is a page without its repeats.
type Deduped struct {
	// Fresh lists the IDs to publish, in the API's order, each once.
	Fresh []string
	// Repeats is how many listed IDs were dropped.
	Repeats int
	// Ambiguous lists IDs that a neighbour to the left has listed too. By update time
	// that may be one change or two, which only the API can tell. While there are
	// any, Fresh is empty and the checkpoint is unchanged.
	Ambiguous []Ambiguous
}

// Ambiguous is an ID that a window lists by update time and a window to its left has
// listed too.
type Ambiguous struct {
	ID string
	// Edge is the end of the nearest window to the left that has listed it, unix
	// seconds.
	Edge int64
}

// ambiguousWith returns the ID as listed by a window to the left, which may be part of
// a longer one that was cut.
func ambiguousWith(id string, by *offsets.Window) Ambiguous {
	return Ambiguous{id, max(by.End, by.Reach)}
}

// Resolved tells of ambiguous IDs whether each is a change of its own. An answer holds
// for the edge it was asked for: a nearer window may list the ID meanwhile.
type Resolved map[Ambiguous]bool

// Dedupe drops the repeats of a page of w, and notes its IDs as seen. Repeats are:
//
//   - an ID seen in w itself: another page, an earlier try, the first pass;
//   - an ID seen in a neighbour to the right: listed there in a second that both
//     are asked for, or later, and now in that second or earlier: so in the same,
//     or in the one before it while the window was read;
//   - an ID seen in a neighbour to the left. A creation time does not move, so
//     that is a second they share again. An update time moves, so it may be a
//     change of its own: it is ambiguous until known tells;
//   - an ID seen in a longer window that w was cut from. All of that lay in the
//     past when it was listed: an update time can have moved out of it since, but
//     not within it. If w only begins where that ended, it is a left neighbour.
//
// See neighbours for the last three.
func Dedupe(c *offsets.Checkpoint, w *offsets.Window, kind wechat.Range, ids []string, known Resolved) Deduped {
	left, right := neighbours(c, w)
	var s Deduped
	if kind == wechat.UpdateTime {
		for _, id := range ids {
			by := seen(left, id)
			if by == nil || w.Seen.Has(id) || seen(right, id) != nil {
				continue
			}
			if _, judged := known[ambiguousWith(id, by)]; !judged {
				s.Ambiguous = append(s.Ambiguous, ambiguousWith(id, by))
			}
		}
		if len(s.Ambiguous) > 0 {
			return s
		}
	}
	s.Fresh = make([]string, 0, len(ids))
	for _, id := range ids {
		by := seen(left, id)
		if w.See(id) && seen(right, id) == nil && (by == nil || known[ambiguousWith(id, by)]) {
			s.Fresh = append(s.Fresh, id)
		}
	}
	s.Repeats = len(ids) - len(s.Fresh)
	w.Late = w.Late || w.Pass == 2 && len(s.Fresh) > 0
	return s
}
