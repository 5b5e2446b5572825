package connector

import (
	"context"
	"errors"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// resolveEdge asks the API about IDs that w and a window to its left both list by
// update time: is that one change or two? The answer is right whether or not the API
// includes a range's first second, and its last.
//
// Let T be the edge, u the update time when w's page was read, and the left window the
// one that ends at T. w is requested from T−1 at the earliest (window.Overlap), and u
// only grows, to about now, which is later than w's end. So, asking in this order:
//
//  1. Listed for [T−1, T]: either u = T and the API includes the last second, or u =
//     T−1 and it includes the first. The left window ended at T and began at T−1 or
//     before, so it has listed this very change: a repeat.
//  2. Listed for w's own range: u > T, or u = T where the API excludes the last
//     second; otherwise step 1 had listed it, because with u = T−1 w's page shows that
//     the first second is included. Either way the left window, which ended at T, has
//     listed an earlier change: a change.
//  3. Listed nowhere: the order has changed once more since, and a later window will
//     list that change. Whether w listed a change of its own can no longer be decided.
//     The contract lets the two come as one: a repeat.
//
// No range ends where it begins: the documentation does not say what that means.
//
// ends is what this has shown of the API. If it excluded both ends, step 1 would list
// nothing. If w was requested from T itself, u was T or later when its page was read, and
// u is T or earlier in step 1: so it was T both times, the first second of w's range and
// the last of [T−1, T]. The API includes both.
func resolveEdge(ctx context.Context, client *wechat.Client, w *offsets.Window, ambiguous []window.Ambiguous) (known window.Resolved, ends window.Ends, err error) {
	left := make(map[string]bool, len(ambiguous))
	edges := make(map[int64]map[string]bool)
	for _, s := range ambiguous {
		left[s.ID] = true
		if edges[s.Edge] == nil {
			edges[s.Edge] = make(map[string]bool)
		}
		edges[s.Edge][s.ID] = true
	}
	known = make(window.Resolved, len(ambiguous))
	l := lister{client: client, window: w, kind: wechat.UpdateTime}
	resolve := func(listed map[string]bool, wanted map[string]bool, change bool) {
		for _, s := range ambiguous {
			if wanted[s.ID] && listed[s.ID] {
				known[s] = change
				delete(left, s.ID)
			}
		}
	}
	for edge, wanted := range edges {
		listed, err := l.edge(ctx, edge, wanted)
		if err != nil {
			return nil, ends, err
		}
		if len(listed) > 0 {
			ends = max(ends, window.OneEnd)
			if edge == w.Asked() {
				ends = window.BothEnds
			}
		}
		resolve(listed, wanted, false)
	}
	if len(left) > 0 {
		listed, err := l.whole(ctx, left)
		if err != nil {
			return nil, ends, err
		}
		resolve(listed, left, true)
	}
	for _, s := range ambiguous {
		if left[s.ID] {
			known[s] = false
		}
	}
	return known, ends, nil
}

// lister pages through ranges under a window's filters. It stores no page token: one
// process lists such a range to its end, or starts again.
type lister struct {
	client *wechat.Client
	window *offsets.Window
	kind   wechat.Range
	pages  int // read so far
}

// list pages through a range and returns the listed IDs. If wanted is not nil, it
// returns only those of them, and stops once it has all.
func (l *lister) list(ctx context.Context, s window.Span, wanted map[string]bool) (map[string]bool, error) {
	q := query(l.window, l.kind, "")
	q.Start, q.End, q.PageSize, q.Edge = s.Start, s.End, 100, true
	listed := make(map[string]bool)
	pass := newPass(nil)
	for refused := 0; ; {
		page, err := l.client.List(ctx, q)
		var apiErr *wechat.Error
		cause := error(nil)
		if errors.As(err, &apiErr) && apiErr.Class == wechat.KeyRefused {
			cause = errBadPaging
		} else if err == nil {
			cause = pass.check(page)
		}
		if cause != nil {
			if refused++; refused > 3 || errors.Is(cause, errCircles) {
				return nil, cause
			}
			q.Key = ""
			pass.clear()
			continue
		}
		if err != nil {
			return nil, err
		}
		l.pages++
		for _, id := range page.IDs {
			if wanted == nil || wanted[id] {
				listed[id] = true
			}
		}
		if !page.More || wanted != nil && len(listed) == len(wanted) {
			return listed, nil
		}
		if err := backoff.Sleep(ctx, pass.pause()); err != nil {
			return nil, err
		}
		q.Key = page.Next
	}
}

// query returns the list call for the page of w that key stands for.
func query(w *offsets.Window, kind wechat.Range, key string) wechat.Query {
	return wechat.Query{Range: kind, Start: w.Asked(), End: w.AskedTo(), Status: w.Status, OpenID: w.OpenID, PageSize: w.PageSize, Edge: w.After, Key: key}
}
