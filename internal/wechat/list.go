package wechat

import (
	"context"
	"fmt"
	"time"
)

// mood is how far a list call goes to find out whether a silent answer is true.
type mood int

const (
	// patient waits for as long as it takes: orders depend on it.
	patient mood = iota
	// brief gives up where only time could tell.
	brief
	// glancing takes every success, silent or not.
	glancing
)

// List blocks until it has a page or a verdict the caller must act on: an
// *Error of class Shrink, KeyRefused, Wait or Stop. Everything that may pass
// by itself is retried inside, without end; when ctx ends, the error is ctx's.
//
// A success that leaves out what it must say is no page. After a page token it
// ends as KeyRefused, so that the window starts again; of a whole range it is
// taken for "no orders" once that has been shown another way (silence.go).
func (c *Client) List(ctx context.Context, q Query) (Page, error) { return c.read(ctx, q, patient) }

// Probe is List for estimates: an answer that stays silent, where only hours
// could tell whether there are no orders, is an *Error of class Retry.
func (c *Client) Probe(ctx context.Context, q Query) (Page, error) { return c.read(ctx, q, brief) }

// Look is List for those who want to know whether calls succeed: it takes any
// success, and Page.Silent says that this one does not say what it must.
func (c *Client) Look(ctx context.Context, q Query) (Page, error) { return c.read(ctx, q, glancing) }

func (c *Client) read(ctx context.Context, q Query, mood mood) (Page, error) {
	if c.refused != nil {
		return Page{}, c.refused
	}
	if _, v := q.body(); v != nil {
		return Page{}, v
	}
	r := c.retries(ListOp)
	defer r.end()
	doubt := doubt{mood: mood}
	for refusals := 0; ; {
		if err := c.pace.wait(ctx); err != nil {
			return Page{}, interrupted(ListOp, err, r.last)
		}
		used, err := c.tokens.get(ctx)
		if err != nil {
			return Page{}, err
		}
		sent := time.Now()
		page, v := c.list(ctx, used, q)
		if v != nil && v.silence != whole {
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
			// The first refusal is how tokens end; the next ones are trouble.
			if refusals++; refusals > 1 {
				r.note(v)
			}
			err = c.tokens.renew(ctx, used, v)
		default:
			err = r.failed(ctx, v, sent)
		}
		if err != nil {
			return Page{}, err
		}
		if !doubt.since.IsZero() && c.vacated(q, doubt.since) {
			r.passed = true
			return doubt.page, nil
		}
	}
}

// list makes one list call. A success that is silent about something comes
// with what it does say, and with a verdict.
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
	a, err := c.host.send(ctx, outgoing{path: listPath, query: used.query(), body: body, plain: c.auth == AuthCloudOpen, most: maxPage})
	if err != nil {
		return Page{}, lost(ListOp, err, &c.redact).unfitting(err)
	}
	answer, err := parseListResponse(a.body, min(max(q.PageSize, 0), 100))
	switch {
	case err == nil && answer.code != 0:
		message, rid := c.redact.message(answer.errmsg)
		return Page{}, refusal(ListOp, a.status, answer.code, message, rid).by(c.auth).at(c.host.theirs()).after(a)
	case err != nil:
		return Page{}, noVerdict(ListOp, a.status, unreadable(a, err)).unfitting(err).after(a)
	case a.status < 200 || a.status > 299:
		return Page{}, noVerdict(ListOp, a.status, "a page under an error's status").after(a)
	}
	page = Page{IDs: answer.ids, Next: answer.next, More: answer.more, ReadAt: a.readAt}
	if silence := answer.silence(q.PageSize); silence != whole {
		v := noVerdict(ListOp, a.status, silence.String())
		v.silence, v.result, v.Hint = silence, "silent", hintSilent
		return page, v
	}
	if c.auth == AuthCloudOpen && !a.relayed {
		c.unrelayed.Do(func() {
			c.log.Warn("the answer has no x-openapi-seqid: it did not come through the hosting's open-interface service; check what answers at the API URL")
		})
	}
	c.shown.note(q, page)
	return page, nil
}

// unreadable describes an answer that is not what was asked for. It quotes
// nothing of it: gateways like to print the URL they were asked for.
func unreadable(a answer, err error) string {
	if a.body == "" {
		return "the answer is empty"
	}
	return fmt.Sprintf("the answer cannot be read (%d bytes): %v", len(a.body), err)
}
