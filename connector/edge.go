package connector

import (
	"context"
	"errors"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// judge asks the API about IDs that w and its left neighbour both list, with
// update times. Let T be the second they share and b the end of w. Each
// suspect's update time u was in [T, b] when w's page was read, and u only
// grows, to about now, which is later than b. So, asking in this order:
//
//  1. listed for [T−1, T]: u = T, and the API counts the end second as inside.
//     The left neighbour ended at T and listed the same: a repeat.
//  2. listed for [T, b]: u > T, or u = T and the end second is outside, else (1)
//     had listed it. Either way the left neighbour, which ended at T, listed an
//     earlier change: a change.
//  3. listed nowhere: the order has changed once more since, and that change
//     will be listed by a later window. Whether the listing in w was of its own
//     cannot be told any more; the promise lets the two come as one: a repeat.
//
// Neither range ends where it begins: nobody documents what the API makes of
// one that does.
func judge(ctx context.Context, client *wechat.Client, w *offsets.Window, suspects []string) (verdict, error) {
	left := make(map[string]bool, len(suspects))
	for _, id := range suspects {
		left[id] = true
	}
	known := make(verdict, len(suspects))
	for _, question := range []struct {
		span
		change bool
	}{
		{span{w.Start - 1, w.Start}, false},
		{span{w.Start, w.End}, true},
	} {
		listed, err := listed(ctx, client, w, question.span, left)
		if err != nil {
			return nil, err
		}
		for _, id := range listed {
			known[id] = question.change
			delete(left, id)
		}
		if len(left) == 0 {
			break
		}
	}
	for id := range left {
		known[id] = false
	}
	return known, nil
}

// listed pages through a range under w's filters and returns which of the
// wanted IDs it lists, stopping as soon as all are found.
func listed(ctx context.Context, client *wechat.Client, w *offsets.Window, s span, wanted map[string]bool) ([]string, error) {
	q := query(w, wechat.UpdateTime, "")
	q.Start, q.End, q.PageSize = s.start, s.end, 100
	found := make(map[string]bool)
	pass := newPass()
	for refused := 0; ; {
		page, err := client.List(ctx, q)
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
		for _, id := range page.IDs {
			if wanted[id] {
				found[id] = true
			}
		}
		if !page.More || len(found) == len(wanted) {
			ids := make([]string, 0, len(found))
			for id := range found {
				ids = append(ids, id)
			}
			return ids, nil
		}
		if err := sleep(ctx, pass.pause()); err != nil {
			return nil, err
		}
		q.Key = page.Next
	}
}

// query is what is asked for the page of w that a key stands for.
func query(w *offsets.Window, kind wechat.Range, key string) wechat.Query {
	return wechat.Query{Range: kind, Start: w.Start, End: w.End, Status: w.Status, OpenID: w.OpenID, PageSize: w.PageSize, Key: key}
}
