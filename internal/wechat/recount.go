package wechat

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/internal/backoff"
)

const (
	// endPatience is for how long an API that has said has_more = false must leave it
	// out until short pages end lists.
	endPatience = 15 * time.Second
	// latestAnswers is how many tell whether an API usually says where a list ends.
	latestAnswers = 64
	// enoughUnsaid is after how many confirmed lists that end with a short page and
	// without has_more = false the API is known to leave it out.
	enoughUnsaid = 3
	// endProbes is with how many page sizes a list is tried that two readings agree on.
	endProbes = 3
	// recountPages bounds the pages of a range that is listed again.
	recountPages = 2000
)

// ends is what is known of how an API says where a list ends.
type ends struct {
	// said reports that it says has_more = false. unsaid counts the lists without it since
	// then that a second one confirmed.
	said   atomic.Bool
	unsaid atomic.Int32
	// full and silent are how many of the latest answers said where a list ends, and how
	// many left out something.
	full, silent atomic.Int32
	// learning reports that a range is listed again to find that out.
	learning atomic.Bool

	mu sync.Mutex
	// short are the lengths of the latest pages that were shorter than asked for and
	// announced more.
	short []shortPage
}

// shortPage is how many orders a page had that was shorter than asked for and announced
// more, and when.
type shortPage struct {
	orders int
	at     time.Time
}

// shortPages is how many lengths of short pages are kept.
const shortPages = 8

// noteMore notes a page of n orders, of so many asked for, that announces more.
func (e *ends) noteMore(n, asked int) {
	if n == 0 || n >= asked {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.short = slices.DeleteFunc(e.short, func(p shortPage) bool { return p.orders == n })
	if e.short = append(e.short, shortPage{n, time.Now()}); len(e.short) > shortPages {
		e.short = slices.Delete(e.short, 0, 1)
	}
}

// isShort reports whether a page of n orders, of so many asked for, can be the last one
// because it is not full. An API, or a gateway before it, may allow fewer orders a page than
// asked for: then pages of that length announce more.
func (e *ends) isShort(n, asked int) bool {
	if n >= asked {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return !slices.ContainsFunc(e.short, func(p shortPage) bool { return p.orders == n && time.Since(p.at) < forgetAfter })
}

// say notes an answer that says where a list ends.
func (e *ends) say() {
	e.said.Store(true)
	e.unsaid.Store(0)
	e.count(&e.full)
}

// miss notes an answer that leaves out something.
func (e *ends) miss() { e.count(&e.silent) }

// count counts an answer; older ones count less.
func (e *ends) count(which *atomic.Int32) {
	which.Add(1)
	if full, silent := e.full.Load(), e.silent.Load(); full+silent > latestAnswers {
		e.full.Store(full / 2)
		e.silent.Store(silent / 2)
	}
}

// areUsual reports whether the API says where a list ends in most of its answers. Then a
// silent one is a failure.
func (e *ends) areUsual() bool { return e.full.Load() > e.silent.Load() }

// confirm notes a list that ends with a short page and without has_more = false.
func (e *ends) confirm() {
	e.said.Store(false) // or no longer
	e.unsaid.Add(1)
}

// areUnsaid reports that the API is known to leave out a false has_more.
func (e *ends) areUnsaid() bool { return e.unsaid.Load() >= enoughUnsaid }

// learn waits until no other range is listed again, unless the API says where lists end:
// what the recounts of the first windows find out spares the others theirs. The recount
// ends with done.
func (e *ends) learn(ctx context.Context) (done func(), err error) {
	for !e.said.Load() {
		if e.learning.CompareAndSwap(false, true) {
			return func() { e.learning.Store(false) }, nil
		}
		if err := backoff.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return func() {}, nil
}

// findEnd returns a page that does not say whether it is the last, if it is, or the whole
// range that it belongs to.
func (i *silenceCheck) findEnd(q Query, page Page, d *silentCall) (whole Page, found bool) {
	i.patient = time.Since(d.since) > endPatience
	var done func()
	if done, i.err = i.client.ends.learn(i.ctx); i.err != nil {
		return Page{}, false
	}
	defer done()
	if i.client.ends.areUnsaid() && i.client.ends.isShort(len(page.IDs), q.PageSize) {
		return page, true
	}
	ids, counted := i.recount(q, page.IDs, &d.count)
	if i.failed == nil {
		d.count = recount{}
	}
	if !counted {
		return Page{}, false
	}
	for _, id := range page.IDs {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	page.IDs, page.Next = ids, ""
	i.client.evidence.note(q, page)
	return page, true
}

// recount is how far a range has been listed again.
type recount struct {
	lists [][]string // complete lists without has_more = false
	size  int        // index of the page size in use, see otherSizes
	key   string     // of its next page
	ids   []string   // of its pages so far
	more  bool       // the API has said has_more = true where there had to be more
}

// otherSizes returns page sizes other than size, with which a range is listed again. Where
// an API allows fewer orders a page, only the smaller ones end with pages that differ.
func otherSizes(size int) []int {
	return slices.DeleteFunc([]int{100, 99, 97, 89, 83, 79, 47, 43, 19, 17, 9, 7, 4, 3}, func(n int) bool { return n == size })
}

// recount lists a whole range with other page sizes, until a list ends with
// has_more = false, or two are the same that end with a page that is not full. first is
// the page in question. Limits of the API interrupt it: it continues where it was, since a
// long range may take more calls than the API allows in a minute or a day.
func (i *silenceCheck) recount(q Query, first []string, c *recount) (ids []string, counted bool) {
	if c.size == 0 && c.ids == nil && q.Key == "" && i.client.ends.isShort(len(first), q.PageSize) {
		if c.lists = append(c.lists, first); !i.provesMore(q, first, c) {
			return nil, false
		}
	}
	sizes := otherSizes(q.PageSize)
	for ; c.size < len(sizes); c.size, c.key, c.ids = c.size+1, "", nil {
		q.PageSize = sizes[c.size]
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
				if (c.more || len(c.ids) < 2) && slices.ContainsFunc(c.lists, same) {
					if i.goesOn(q, c.ids) {
						return nil, false
					}
					i.client.ends.confirm()
					return c.ids, true
				}
				if c.lists = append(c.lists, c.ids); !i.provesMore(q, c.ids, c) {
					return nil, false
				}
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

// provesMore reports whether the API announces more where there must be more: on a page of
// half of the orders of a range. Lists that always break off at the same place, and lose
// has_more there, would be equal too. It asks between two lists, so that both the API's
// word and the second list come after the first. One order cannot be halved, and an API
// that lists more than it is asked for proves nothing: true.
func (i *silenceCheck) provesMore(q Query, ids []string, c *recount) bool {
	n := len(set(ids))
	if c.more || n < 2 || i.client.ends.said.Load() && !i.patient {
		return true
	}
	q.Key, q.PageSize = "", min(n/2, 100)
	l := i.list(q)
	c.more = len(l.ids) > q.PageSize || len(l.ids) > 0 && !l.whole && l.silence == complete
	return c.more
}

// goesOn reports whether the API lists further orders after as many as two lists have
// agreed on. Where it allows no longer pages, each of them would seem to be the last one
// while has_more is lost. A full page that announces more is not enough: some APIs announce
// it after each full page. It asks with several page sizes, since each answer may have lost
// has_more, too.
func (i *silenceCheck) goesOn(q Query, ids []string) bool {
	known := set(ids)
	n := len(known)
	for size := n; n > 0 && size < n+endProbes && size <= 100; size++ {
		q.Key, q.PageSize = "", size
		l := i.list(q)
		if q.Key = l.next; i.canAsk() && len(l.ids) >= n && q.Key != "" {
			l = i.list(q)
			if len(l.ids) > 0 && !within(l.ids, known) {
				return true
			}
		}
		if !i.canAsk() {
			return true
		}
	}
	return false
}
