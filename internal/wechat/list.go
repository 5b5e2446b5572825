package wechat

import (
	"context"
	"fmt"
	"time"
)

// effort is how far a list call goes to find out whether a silent answer is true.
type effort int

const (
	// untilSure waits as long as it takes; for lists whose orders are published.
	untilSure effort = iota
	// fewTries gives up where only more time could tell.
	fewTries
	// acceptSilent accepts every success, silent or not.
	acceptSilent
)

// List blocks until it has a page or an *Error that the caller must handle, of class
// Shrink, KeyRefused, Wait or Stop. It retries every other failure without limit; when
// ctx ends, the error is ctx's.
//
// A success that leaves out a required field is not a page. After a page token it ends
// as KeyRefused, so that the caller restarts the window. For a whole range, List
// returns "no orders" only once other lists confirm it (silence.go).
func (c *Client) List(ctx context.Context, q Query) (Page, error) { return c.read(ctx, q, untilSure) }

// Probe is List for estimates. If the answer stays silent and only hours could tell
// whether there are orders, it returns an *Error of class Retry.
func (c *Client) Probe(ctx context.Context, q Query) (Page, error) { return c.read(ctx, q, fewTries) }

// Look is List for checks of whether calls succeed. It accepts any success and sets
// Page.Silent if the answer leaves out a required field.
func (c *Client) Look(ctx context.Context, q Query) (Page, error) {
	return c.read(ctx, q, acceptSilent)
}

func (c *Client) read(ctx context.Context, q Query, mood effort) (Page, error) {
	if c.refused != nil {
		return Page{}, c.refused
	}
	if v := q.check(); v != nil {
		return Page{}, v
	}
	r := c.retries(ListOp)
	defer r.end()
	doubt := silentCall{mood: mood}
	for refusals := 0; ; {
		if err := c.callRate.wait(ctx); err != nil {
			return Page{}, interrupted(ListOp, err, r.last)
		}
		used, err := c.tokens.get(ctx)
		if err != nil {
			return Page{}, r.because(err)
		}
		sent := time.Now()
		page, v := c.list(ctx, used, q)
		if v != nil && v.silence != complete {
			page, v, err = c.resolve(ctx, used, q, page, v, &doubt)
			if err != nil {
				return Page{}, interrupted(ListOp, err, v)
			}
		}
		switch {
		case v == nil:
			c.tokens.accepted(used)
			r.passed = true
			return page, nil
		case v.Class == Token:
			// One refusal is how tokens usually end; further ones are failures.
			if refusals++; refusals > 1 {
				r.note(v)
			}
			err = c.tokens.renew(ctx, used, v)
		default:
			err = r.failed(ctx, v, sent)
		}
		if err != nil {
			return Page{}, r.because(err)
		}
		if !doubt.since.IsZero() && len(doubt.page.IDs) == 0 && c.foundEmpty(q, doubt.since) {
			r.passed = true
			return doubt.page, nil
		}
	}
}

// list makes one list call. A silent success returns both the page, as far as the
// answer goes, and an error.
func (c *Client) list(ctx context.Context, used token, q Query) (page Page, v *Error) {
	sent := time.Now()
	defer func() {
		page.Took = time.Since(sent)
		c.called(q.Range, v, page.Took)
	}()
	body, v := q.body()
	if v != nil {
		return Page{}, v
	}
	a, err := c.host.send(ctx, outgoing{path: listPath, query: used.query(), body: body, plain: c.auth == AuthCloudOpen, maxBytes: maxPage})
	if err != nil {
		return Page{}, noAnswer(ListOp, err, &c.redact).markUnfit(err)
	}
	answer, err := parseListResponse(a.body, min(max(q.PageSize, 0), 100))
	switch {
	case err == nil && answer.code != 0:
		message, rid := c.redact.message(answer.errmsg)
		return Page{}, errcodeError(ListOp, a.status, answer.code, message, rid).forAuth(c.auth).datedBy(c.host.APINow()).withRetryAfter(a)
	case err != nil:
		return Page{}, badAnswer(ListOp, a.status, unreadable(a, err)).markUnfit(err).withRetryAfter(a)
	case a.status < 200 || a.status > 299:
		return Page{}, badAnswer(ListOp, a.status, "a page under an error's status").withRetryAfter(a)
	}
	page = Page{IDs: answer.ids, Next: answer.next, More: answer.more, ReadAt: a.readAt}
	silence := answer.silence()
	if page.More {
		c.ends.noteMore(len(page.IDs), q.PageSize)
	}
	if silence == lacksEnd && c.ends.areUnsaid() && c.ends.isShort(len(page.IDs), q.PageSize) {
		silence = complete
	}
	if silence != complete {
		c.ends.miss()
		c.evidence.note(q, Page{IDs: page.IDs, More: true}) // for all that is known
		v := badAnswer(ListOp, a.status, silence.String())
		v.silence, v.result, v.Hint = silence, "silent", hintSilent
		return page, v
	}
	if c.auth == AuthCloudOpen && !a.relayed {
		c.unrelayed.Do(func() {
			c.log().Warn("the answer has no x-openapi-seqid header: it did not pass the hosting's open-interface service; check what answers at the API URL")
		})
	}
	if answer.hasMore && !answer.more {
		c.ends.say()
	}
	c.evidence.note(q, page)
	return page, nil
}

// unreadable describes an answer with unexpected content. It does not quote the body,
// because gateways echo the requested URL.
func unreadable(a answer, err error) string {
	if a.body == "" {
		return "the answer is empty"
	}
	return fmt.Sprintf("the answer cannot be read (%d bytes): %v", len(a.body), err)
}
