package wechat

import (
	"slices"
	"time"
)

const (
	// endPatience is for how long an API that has said has_more = false must leave it
	// out until short pages end lists.
	endPatience = 15 * time.Second
	// enoughUnsaid is after how many confirmed lists that end with a short page and
	// without has_more = false the API is known to leave it out.
	enoughUnsaid = 3
	// recountPages bounds the pages of a range that is listed again.
	recountPages = 2000
)

// recount is how far a range has been listed again.
type recount struct {
	lists [][]string // complete lists without has_more = false
	size  int        // index of the page size in use
	key   string     // of its next page
	ids   []string   // of its pages so far
}

// recountSizes are the page sizes with which a range is listed again.
var recountSizes = []int{100, 99, 97, 89, 83, 79}

// recount lists a whole range with other page sizes, until a list ends with
// has_more = false, or two are the same that end with a page that is not full. first is
// the page in question. Limits of the API interrupt it: it goes on where it was, since a
// long range may take more calls than the API allows in a minute or a day.
func (i *silenceCheck) recount(q Query, first []string, c *recount) (ids []string, counted bool) {
	if c.size == 0 && c.ids == nil && q.Key == "" && len(first) < q.PageSize {
		c.lists = append(c.lists, first)
	}
	asked := q.PageSize
	for ; c.size < len(recountSizes); c.size, c.key, c.ids = c.size+1, "", nil {
		if q.PageSize = recountSizes[c.size]; q.PageSize == asked {
			continue
		}
		for range recountPages {
			q.Key = c.key
			l := i.list(q)
			if !i.canAsk() {
				return nil, false
			}
			if l.silence == complete {
				c.ids = append(c.ids, l.ids...)
			}
			if l.whole {
				same := func(other []string) bool { return within(c.ids, set(other)) && within(other, set(c.ids)) }
				if !l.unsaid {
					return c.ids, true
				}
				if slices.ContainsFunc(c.lists, same) {
					if !i.saysMore(q, len(c.ids)) {
						return nil, false
					}
					i.client.saysEnds.Store(false) // or no longer
					i.client.endsUnsaid.Add(1)
					return c.ids, true
				}
				c.lists = append(c.lists, c.ids)
				break
			}
			if l.silence == lacksEnd && l.short {
				return nil, false // it must say so, and another size would not change it
			}
			if l.next == "" || l.next == c.key {
				break
			}
			c.key = l.next
		}
	}
	return nil, false
}

// saysMore reports whether the API announces more where there must be more: a page of half
// of the n orders of a range. An answer that always breaks off at the same place, and
// loses has_more there, would show equal lists too. One order cannot be halved, and of
// an API that lists more than it is asked for nothing can be learned: true.
func (i *silenceCheck) saysMore(q Query, n int) bool {
	if n < 2 {
		return true
	}
	q.Key, q.PageSize = "", min(n/2, 100)
	l := i.list(q)
	return len(l.ids) > q.PageSize || len(l.ids) > 0 && !l.whole && l.silence == complete
}
