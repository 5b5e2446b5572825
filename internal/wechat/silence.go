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
//	                      2. no orders are near, but the API lists orders of
//	                         another time, and says the same twice, by pages of
//	                         two sizes
//	                      3. the API lists no order of the last weeks either, but
//	                         refuses a wrong page token, which a gateway does not
//	                         know for one: after patience
//	                      4. or after blindPatience
const (
	silentTries = 6 // of one page; and of a range, for estimates
	// aliveRounds is how often rule 2 must hold, alivePause apart.
	aliveRounds, alivePause = 2, 15 * time.Second
	patience, blindPatience = time.Minute, 2 * time.Hour
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
	mood   mood
	since  time.Time // the first one
	tries  int
	rounds int // of rule 2
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
		believed := i.empty(q, d)
		if believed && i.err == nil && i.failed == nil {
			return page, nil, nil
		}
		if d.rounds > 0 {
			v.pause = alivePause
			if d.mood == brief {
				v.pause = time.Second
			}
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

// empty reports whether a range of which the API says nothing holds no orders.
func (i *inquiry) empty(q Query, d *doubt) bool {
	switch i.beside(q) {
	case holdsNone:
		return true
	case holdsSome:
		d.rounds = 0
		return false
	}
	other := q
	if other.PageSize = 100; q.PageSize == 100 {
		other.PageSize = 50
	}
	if i.spoke || i.elsewhere(q) {
		switch l := i.list(other); {
		case l.silence == nothing:
			d.rounds++
		case l.whole && len(l.ids) == 0:
			return true
		default:
			d.rounds = 0
		}
		return d.rounds >= aliveRounds
	}
	d.rounds = 0
	age := time.Since(d.since)
	return age > blindPatience || age > patience && i.refuses(q) && i.list(other).silence == nothing
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
	spoke  bool   // an answer told of orders
}

// listing is the first page of a range.
type listing struct {
	ids     []string
	next    string
	whole   bool // these are all of the range
	silence silence
}

func (i *inquiry) list(q Query) (l listing) {
	if i.failed != nil || i.err != nil {
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

// refuses reports whether the API refuses a page token that it has not given.
func (i *inquiry) refuses(q Query) bool {
	if i.err = i.client.pace.wait(i.ctx); i.err != nil {
		return false
	}
	q.Key = "orderwalk"
	_, v := i.client.list(i.ctx, i.used, q)
	return v != nil && v.Code != 0 && (v.Class == KeyRefused || v.Class == Stop)
}
