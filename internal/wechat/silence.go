package wechat

import (
	"context"
	"slices"
	"time"
)

// A success may leave out what it must say: the list, or whether there is more.
// Gateways answer {"errcode":0,"errmsg":"ok"} to calls that they know nothing
// of, a back end that has failed may give the zero value of its answer, and
// there are APIs that always leave out what is empty or false. Believing the
// first two would lose orders, refusing the third would stop a shop that sells
// nothing. So a silent answer is put to the test each time; what an API has left
// out before proves nothing about the present answer.
//
//	after a page token    never believed: a few tries, then the window starts again
//	no list, but more     never believed: tried again
//	a full page, no end   the range is listed again by pages of another size
//	nothing at all        1. two lists beside the range, one with it and one
//	                         without, show the same orders: there are none in it
//	                         (beside.go)
//	                      2. no orders are near, but the API lists orders of
//	                         another time, before and after it has been silent, by
//	                         pages of two sizes, about a longer range that holds
//	                         this one (vacant.go)
//	                      3. this process has never seen an order, the API lists
//	                         none of the last weeks, and it refuses a wrong page
//	                         token and a range that ends before it begins, which a
//	                         gateway does not know for wrong: after patience
//	                      4. nothing of this can be found out: after blindPatience
const (
	silentTries = 6 // of one page; and of a range, for estimates
	// recountPages bounds the pages of a range that is listed again.
	recountPages = 2000

	hintSilent = "an answer that leaves out order_id_list or has_more is believed only when other lists confirm it; if it stays, see what answers at the API URL"
)

// silence is what a success leaves out.
type silence int

const (
	whole    silence = iota
	nothing          // neither orders nor that there are more
	listless         // there is more, but the list of this page is not there
	endless          // a full page, and not whether it is the last
)

func (s silence) String() string {
	return [...]string{"", "a success that does not say whether there are orders", "a success that has more pages and leaves out the list of this one",
		"a full page that does not say whether it is the last"}[s]
}

// silence reports what the answer to a call for so many orders leaves out. The
// end of a list may go without saying after a page that has room left.
func (r listResponse) silence(asked int) silence {
	switch n := len(r.ids); {
	case n == 0 && r.more && !r.hasList:
		return listless
	case n == 0 && !r.more && !(r.hasList && r.hasMore):
		return nothing
	case n > 0 && !r.more && !r.hasMore && (asked == 0 || n >= asked):
		return endless
	}
	return whole
}

// doubt is what one call has found out about its silent answers.
type doubt struct {
	mood  mood
	since time.Time // the first one
	tries int
	page  Page // the latest one
}

// resolve puts a silent answer to the test. It returns the page when that has
// been passed, and otherwise the verdict to go on with. Its error is ctx's.
func (c *Client) resolve(ctx context.Context, used token, q Query, page Page, v *Error, d *doubt) (Page, *Error, error) {
	if d.mood == glancing {
		page.Silent = true
		return page, nil, nil
	}
	if d.tries++; d.since.IsZero() {
		d.since = time.Now()
	}
	d.page = page
	i := &inquiry{client: c, ctx: ctx, used: used}
	switch {
	case v.silence == endless:
		if ids, counted := i.recount(q); counted {
			for _, id := range page.IDs {
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			page.IDs, page.Next = ids, ""
			return page, nil, nil
		}
	case v.silence == nothing && q.Key == "":
		h := i.beside(q)
		if h == unknown && i.goesOn() {
			var pause time.Duration
			if h, pause = i.vacant(q, d); pause > 0 {
				v.await = func(ctx context.Context) error { return c.await(ctx, q, pause) }
			}
		}
		if h == holdsNone && i.goesOn() {
			return page, nil, nil
		}
	}
	switch {
	case i.err != nil:
		return Page{}, v, i.err
	case i.failed != nil:
		return Page{}, i.failed, nil
	case q.Key != "" && d.tries >= silentTries:
		v.Class, v.final = KeyRefused, true
	case d.mood == brief && d.tries >= silentTries:
		v.final = true
	}
	return Page{}, v, nil
}

// holding is what is known of a range.
type holding int

const (
	unknown holding = iota
	holdsNone
	holdsSome
)

// inquiry asks more lists about a range, each once. After one that ended
// without a verdict nothing more is asked or known.
type inquiry struct {
	client *Client
	ctx    context.Context
	used   token
	failed *Error // the call that got no verdict
	err    error  // ctx's
	spoke  bool   // an answer listed orders
	hinted bool   // an answer has more pages and leaves out its list
}

// goesOn reports whether more may be asked.
func (i *inquiry) goesOn() bool { return i.failed == nil && i.err == nil }

// listing is the first page of a range.
type listing struct {
	ids     []string
	next    string
	whole   bool // these are all of the range
	silence silence
}

func (i *inquiry) list(q Query) (l listing) {
	if !i.goesOn() {
		return listing{}
	}
	if i.err = i.client.pace.wait(i.ctx); i.err != nil {
		return listing{}
	}
	page, v := i.client.list(i.ctx, i.used, q)
	if i.err = i.ctx.Err(); i.err != nil {
		return listing{}
	}
	switch {
	case v == nil:
		i.spoke = i.spoke || len(page.IDs) > 0
		return listing{ids: page.IDs, next: page.Next, whole: !page.More}
	case v.silence != whole:
		i.spoke = i.spoke || len(page.IDs) > 0
		i.hinted = i.hinted || v.silence == listless
		return listing{silence: v.silence}
	case v.Class == Shrink:
		i.spoke = true
	case v.Class == Retry || v.Class == Token || v.Class == Throttled || v.Class == Quota:
		i.failed = v
	}
	return listing{}
}

// recount lists a whole range by pages of another size, of which the last has
// room left.
func (i *inquiry) recount(q Query) (ids []string, counted bool) {
	for _, size := range []int{100, 99, 97} {
		if size == q.PageSize {
			continue
		}
		q.PageSize, q.Key, ids = size, "", nil
		for range recountPages {
			l := i.list(q)
			ids = append(ids, l.ids...)
			if l.whole {
				return ids, true
			}
			if l.next == "" || l.next == q.Key {
				break
			}
			q.Key = l.next
		}
	}
	return nil, false
}

// refuses reports whether the API examines what it is asked: it takes neither a
// page token that it has not given nor a range that ends before it begins for
// anything but a fault, with the token and without one.
func (i *inquiry) refuses(q Query) bool {
	token, reversed := q, q
	token.Key = "orderwalk"
	reversed.Start, reversed.End = q.End, q.Start
	return i.refused(token) && i.refused(reversed)
}

// refused reports whether a call gets an errcode that is about the call. Trouble
// that passes by itself says nothing.
func (i *inquiry) refused(q Query) bool {
	if !i.goesOn() {
		return false
	}
	if i.err = i.client.pace.wait(i.ctx); i.err != nil {
		return false
	}
	_, v := i.client.list(i.ctx, i.used, q)
	if i.err = i.ctx.Err(); v == nil || i.err != nil {
		return false
	}
	return v.Code != 0 && (v.Class == KeyRefused || v.Class == Stop)
}
