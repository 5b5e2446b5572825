package connector

import (
	"context"
	"errors"
	"maps"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

// The API may refuse a window of the least length as too full (31042) although it would
// list each of its seconds. The range requested for a window is a second longer on either
// side, because the documentation does not say which ends the API includes. Narrower
// ranges leave those seconds out. Their lists count only if they hold the window's
// seconds, Start to End−1, whatever ends the API includes. Where that cannot be
// decided, the window stays refused.

// narrow lists a window that the API refused under its own range. It returns the
// refusal if narrower ranges do not help.
//
//   - [Start, End] holds the window's seconds if the API includes the first second, and
//     [Start−1, End−1] if it includes the last. If it includes neither, the two
//     together hold them if there are two seconds or more, and none if there is one.
//     That one second then is all that the refused range held: too many.
//   - If one of those is refused, a window of one second may be listed as [Start,
//     Start]. An empty answer may mean that such a range always is empty. It counts if
//     the same range of a second beside it lists an order, or is refused.
func (l *lister) narrow(ctx context.Context) (map[string]bool, error) {
	start, end := l.window.Start, l.window.End
	all := make(map[string]bool)
	whole := true
	var full error
	for _, s := range []window.Span{{Start: start, End: end}, {Start: start - 1, End: end - 1}} {
		listed, err := l.list(ctx, s, nil)
		switch {
		case tooFull(err):
			whole, full = false, err
		case err != nil:
			return nil, err
		}
		maps.Copy(all, listed)
	}
	one := end-start == 1
	if whole && (len(all) > 0 || !one) {
		return all, nil
	}
	if !one {
		return nil, full
	}
	listed, told, err := l.point(ctx, start)
	switch {
	case err != nil:
		return nil, err
	case !told:
		return nil, errTooFull
	}
	maps.Copy(all, listed)
	return all, nil
}

// errTooFull is the error of a second that the API does not list, or whose list cannot
// be trusted.
var errTooFull = &wechat.Error{Op: wechat.ListOp, Class: wechat.Shrink, Code: 31042, Message: "too many orders in one second"}

// point lists a range that ends where it begins. told reports whether the API has shown
// that such a range means that second.
func (l *lister) point(ctx context.Context, second int64) (listed map[string]bool, told bool, err error) {
	listed, told, err = l.probe(ctx, second)
	if err != nil || told {
		return listed, told, err
	}
	for _, beside := range []int64{second + 1, second - 1} {
		if _, told, err = l.probe(ctx, beside); told || err != nil && !tooFull(err) {
			break
		}
		if tooFull(err) {
			return listed, true, nil
		}
	}
	return listed, told, err
}

// probe lists a range that ends where it begins. told reports whether it lists an
// order. If the API rejects such a range, it lists none.
func (l *lister) probe(ctx context.Context, second int64) (listed map[string]bool, told bool, err error) {
	listed, err = l.list(ctx, window.Span{Start: second, End: second}, nil)
	var refusal *wechat.Error
	if errors.As(err, &refusal) && refusal.Class == wechat.Stop {
		return nil, false, nil
	}
	return listed, len(listed) > 0, err
}

// edge lists [T−1, T] for resolveEdge. If that is too full, it lists the two seconds
// one by one, if the API has shown that it can.
func (l *lister) edge(ctx context.Context, t int64, wanted map[string]bool) (map[string]bool, error) {
	listed, err := l.list(ctx, window.Span{Start: t - 1, End: t}, wanted)
	if !tooFull(err) {
		return listed, err
	}
	all := make(map[string]bool)
	for _, second := range []int64{t - 1, t} {
		listed, told, err := l.point(ctx, second)
		switch {
		case err != nil:
			return nil, err
		case !told:
			return nil, errTooFull
		}
		maps.Copy(all, listed)
	}
	return all, nil
}

// whole lists the window under its own range, or under narrower ones if that is too
// full.
func (l *lister) whole(ctx context.Context, wanted map[string]bool) (map[string]bool, error) {
	listed, err := l.list(ctx, window.Span{Start: l.window.Asked(), End: l.window.End}, wanted)
	if tooFull(err) {
		return l.narrow(ctx)
	}
	return listed, err
}

func tooFull(err error) bool {
	var refusal *wechat.Error
	return errors.As(err, &refusal) && refusal.Class == wechat.Shrink
}
