package connector

import (
	"context"
	"errors"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// resolveEdge asks the API about IDs that w and a window to its left both list, with
// update times: is that one change, or two? The answer must be right whether the
// API counts a range's first second in or not, and its last second in or not.
//
// Let T be the suspect's edge, u its update time when w's page was read, and the
// window that ends at T the left one. w is asked from T−1 at the earliest
// (neighbours), and u only grows, to about now, which is later than w's end. So,
// asking in this order:
//
//  1. listed for [T−1, T]: u = T, and the API counts the last second in, or
//     u = T−1, and it counts the first in. The left window ended at T and began
//     at T−1 or before, so it has listed this very change: a repeat.
//  2. listed for w's own range: u > T, or u = T where the last second is out, or
//     else (1) had listed it: if u = T−1 then w's page shows that the first
//     second is in. Either way the left window, which ended at T, has listed an
//     earlier change: a change.
//  3. listed nowhere: the order has changed once more since, and that change
//     will be listed by a later window. Whether the listing in w was of its own
//     cannot be told any more; the promise lets the two come as one: a repeat.
//
// Neither range ends where it begins: nobody documents what the API makes of
// one that does.
//
// shown reports whether a range of one second has listed an order, which an API
// that counts neither end in never does.
func resolveEdge(ctx context.Context, client *wechat.Client, w *offsets.Window, suspects []window.Ambiguous) (known window.Resolved, shown bool, err error) {
	left := make(map[string]bool, len(suspects))
	edges := make(map[int64]map[string]bool)
	for _, s := range suspects {
		left[s.ID] = true
		if edges[s.Edge] == nil {
			edges[s.Edge] = make(map[string]bool)
		}
		edges[s.Edge][s.ID] = true
	}
	known = make(window.Resolved, len(suspects))
	l := lister{client: client, window: w, kind: wechat.UpdateTime}
	settle := func(listed map[string]bool, wanted map[string]bool, change bool) {
		for _, s := range suspects {
			if wanted[s.ID] && listed[s.ID] {
				known[s] = change
				delete(left, s.ID)
			}
		}
	}
	for edge, wanted := range edges {
		listed, err := l.edge(ctx, edge, wanted)
		if err != nil {
			return nil, false, err
		}
		shown = shown || len(listed) > 0
		settle(listed, wanted, false)
	}
	if len(left) > 0 {
		listed, err := l.whole(ctx, left)
		if err != nil {
			return nil, false, err
		}
		settle(listed, left, true)
	}
	for _, s := range suspects {
		if left[s.ID] {
			known[s] = false
		}
	}
	return known, shown, nil
}

// lister pages through ranges under a window's filters. Their page tokens are
// not kept: what is listed so is listed to its end by one process, or again.
type lister struct {
	client *wechat.Client
	window *offsets.Window
	kind   wechat.Range
	pages  int // read so far
}

// list pages through a range and returns what it lists: all of it, or of what is
// wanted what it finds.
func (l *lister) list(ctx context.Context, s window.Span, wanted map[string]bool) (map[string]bool, error) {
	q := query(l.window, l.kind, "")
	q.Start, q.End, q.PageSize, q.Edge = s.Start, s.End, 100, true
	listed := make(map[string]bool)
	pass := newPass()
	for refused := 0; ; {
		page, err := l.client.List(ctx, q)
		var apiErr *wechat.Error
		cause := error(nil)
		if errors.As(err, &apiErr) && apiErr.Class == wechat.KeyRefused {
			cause = errBadPaging
		} else if err == nil {
			cause = pass.wrong(page)
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

// query is what is asked for the page of w that a key stands for.
func query(w *offsets.Window, kind wechat.Range, key string) wechat.Query {
	return wechat.Query{Range: kind, Start: w.Asked(), End: w.End, Status: w.Status, OpenID: w.OpenID, PageSize: w.PageSize, Key: key}
}
