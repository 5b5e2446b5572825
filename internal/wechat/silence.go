package wechat

import (
	"context"
	"time"

	"orderwalk/internal/backoff"
)

// A successful answer may leave out the list, or whether there are more pages.
// Gateways answer {"errcode":0,"errmsg":"ok"} to calls that they do not know. A failed
// back end may return the zero value of its answer. Some APIs always leave out what is
// empty or false. Believing the first two would lose orders; rejecting the third would
// stop a shop without sales. So the client examines each silent answer. That the API
// has left a field out before proves nothing about the current answer, but for a false
// has_more after orders.
//
//	no orders after a     never accepted: a few attempts, then the window restarts
//	page token
//	no list, but more     never accepted: tried again
//	orders, no end        the range is listed again with other page sizes, until a
//	                         list says where it ends. Some APIs leave out a false
//	                         has_more: two equal lists that end with a page that is
//	                         not full are believed if a smaller page says that there
//	                         are more, and the API has never said where a list ends,
//	                         or has not for endPatience; after enoughUnsaid times, one
//	                         list (recount.go). A page is full, too, if it has as many
//	                         orders as one that announced more: an API may allow fewer
//	                         than page_size.
//	nothing at all        1. Two lists next to the range, one without it and one with
//	                         it, show the same orders: the range holds none
//	                         (nearby.go).
//	                      2. No orders are near. The API lists orders of another
//	                         time, before and after it was silent, with several
//	                         page sizes, about a longer range that contains this
//	                         one (silentrange.go).
//	                      3. This process has never seen an order, the API lists
//	                         none of the last weeks, and it refuses a wrong page
//	                         token and a range that ends before it begins, which a
//	                         gateway would not detect: accepted after patience.
//	                      4. None of this can be found out: never accepted. The
//	                         calls wait, and say so after a while.
const (
	silentTries = 6 // attempts of one page, and of a range for estimates
	listTries   = 3 // attempts of one list of a check

	hintSilent = "an answer without order_id_list or has_more is accepted only if other lists confirm it; if this persists, check what answers at the API URL"
)

// silence is what a success leaves out.
type silence int

const (
	complete    silence = iota
	saysNothing         // neither orders nor whether there are more
	lacksList           // more pages, but no list for this one
	lacksEnd            // orders, but not whether there are more
)

func (s silence) String() string {
	return [...]string{"", "a success without order_id_list or has_more", "a success with has_more and without order_id_list",
		"a page without has_more"}[s]
}

// silence returns what the answer leaves out.
func (r listResponse) silence() silence {
	switch n := len(r.ids); {
	case n == 0 && r.more && !r.hasList:
		return lacksList
	case n == 0 && !r.more && !(r.hasList && r.hasMore):
		return saysNothing
	case n > 0 && !r.more && !r.hasMore:
		return lacksEnd
	}
	return complete
}

// silentCall is the state of one call whose answers are silent.
type silentCall struct {
	mood  effort
	since time.Time // when the first silent answer came
	tries int
	page  Page // the latest silent answer
	// count is the recount that a limit of the API has interrupted.
	count recount
}

// resolve examines a silent answer. It returns the page if the answer proves true, and
// otherwise the error to continue with. Its error is ctx's.
func (c *Client) resolve(ctx context.Context, used token, q Query, page Page, v *Error, d *silentCall) (Page, *Error, error) {
	if d.mood == acceptSilent {
		page.Silent = true
		return page, nil, nil
	}
	if d.tries++; d.since.IsZero() {
		d.since = time.Now()
	}
	d.page = page
	i := &silenceCheck{client: c, ctx: ctx, used: used}
	switch {
	case v.silence == lacksEnd:
		if whole, found := i.findEnd(q, page, d); found {
			return whole, nil, nil
		}
	case v.silence == saysNothing && q.Key == "":
		h := i.compareNearby(q)
		if h == unknown && i.canAsk() {
			var pause time.Duration
			if h, pause = i.examine(q, d); pause > 0 {
				if c.ends.areUsual() { // its silence may be over soon
					pause = min(pause, max(time.Second, min(time.Since(d.since), deadApart)))
				}
				v.await = func(ctx context.Context) error { return c.await(ctx, q, pause) }
			}
		}
		if h == holdsNone && i.canAsk() {
			return page, nil, nil
		}
		if h == holdsSome {
			c.evidence.with(q, func(x *filterEvidence) { x.heldOrders(q) })
		}
	}
	switch {
	case i.err != nil:
		return Page{}, v, i.err
	case i.failed != nil:
		return Page{}, i.failed, nil
	case q.Key != "" && d.tries >= silentTries && v.silence != lacksEnd:
		v.Class, v.final = KeyRefused, true
	case d.mood == fewTries && d.tries >= silentTries:
		v.final = true
	}
	return Page{}, v, nil
}

// holding says whether a range holds orders.
type holding int

const (
	unknown holding = iota
	holdsNone
	holdsSome
)

// silenceCheck requests more lists about a range. After a list without a result it
// requests no more and knows nothing.
type silenceCheck struct {
	client       *Client
	ctx          context.Context
	used         token
	failed       *Error // error of the list that ended without a result
	err          error  // ctx's
	listedOrders bool   // a list had orders
	sawNoList    bool   // a list had has_more and no order_id_list
	patient      bool   // pages that are not full end a list although the API says ends
}

// canAsk reports whether further lists may be requested.
func (i *silenceCheck) canAsk() bool { return i.failed == nil && i.err == nil }

// listing is the first page of a range.
type listing struct {
	ids     []string
	next    string
	whole   bool // the page is all of the range
	unsaid  bool // the answer left out that it is; the page is not full
	short   bool // the page is not full
	silence silence
}

// list requests a list. One that fails in a way that passes by itself, or that lacks its
// orders, is requested again at once: a check needs several lists in a row, and would
// otherwise begin again, later and later, at an API that fails one call in ten.
func (i *silenceCheck) list(q Query) listing {
	more := false // an answer had has_more and no order_id_list
	delays := backoff.New(200*time.Millisecond, time.Second)
	for try := 1; i.canAsk(); try++ {
		if i.err = i.client.callRate.wait(i.ctx); i.err != nil {
			break
		}
		page, v := i.client.list(i.ctx, i.used, q)
		if i.err = i.ctx.Err(); i.err != nil {
			break
		}
		i.listedOrders = i.listedOrders || len(page.IDs) > 0
		switch {
		case v == nil && (len(page.IDs) > 0 || !more):
			return listing{ids: page.IDs, next: page.Next, whole: !page.More}
		case v == nil, v.silence == lacksList, v.silence == saysNothing && more:
			if more = true; try == listTries {
				i.sawNoList = true
				return listing{silence: lacksList}
			}
		case v.silence == lacksEnd && i.client.ends.isShort(len(page.IDs), q.PageSize) && (i.patient || !i.client.ends.said.Load()):
			i.client.evidence.note(q, page)
			return listing{ids: page.IDs, whole: true, unsaid: true}
		case v.silence != complete:
			return listing{ids: page.IDs, silence: v.silence, short: i.client.ends.isShort(len(page.IDs), q.PageSize)}
		case v.Class == Shrink:
			i.listedOrders = true
			return listing{}
		case try < listTries && v.RetryAfter == 0 && (v.Class == Retry || v.unknown || v.Class == KeyRefused && q.Key != ""):
		case v.Class == Retry || v.Class == Token || v.Class == Throttled || v.Class == Quota:
			i.failed = v
		default:
			return listing{}
		}
		if i.canAsk() {
			i.err = delays.Sleep(i.ctx)
		}
	}
	return listing{}
}

// refuses reports whether the API validates requests: it must refuse a page token that
// it has not issued and a range that ends before it begins.
func (i *silenceCheck) refuses(q Query) bool {
	token, reversed := q, q
	token.Key = "orderwalk"
	reversed.Start, reversed.End = q.End, q.Start
	return i.refused(token) && i.refused(reversed)
}

// refused reports whether the API answers a call with an errcode about the call
// itself. Failures that pass by themselves count as no.
func (i *silenceCheck) refused(q Query) bool {
	if !i.canAsk() {
		return false
	}
	if i.err = i.client.callRate.wait(i.ctx); i.err != nil {
		return false
	}
	_, v := i.client.list(i.ctx, i.used, q)
	if i.err = i.ctx.Err(); v == nil || i.err != nil {
		return false
	}
	return v.Code != 0 && (v.Class == KeyRefused || v.Class == Stop)
}
