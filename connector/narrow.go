package connector

import (
	"context"
	"errors"
	"maps"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

// A window of the least length may be refused as too full (31042) although each
// of its seconds can be listed: it is asked for with a second more on either side
// than is its own, because nobody documents which ends the API counts in.
// Narrower ranges than the window's own do without those seconds. What they list
// counts only where it holds the window's seconds, Start to End−1, whatever the
// API makes of ends; where that cannot be told, the window stays refused.

// narrow lists a window that was refused under its own range. Its error is the
// refusal where narrower ranges are of no help.
//
//   - [Start, End] holds the window's seconds if the first second is in, and
//     [Start−1, End−1] if the last is. Where neither is, the two hold them
//     together if there are two seconds or more, and nothing if there is one.
//     That one second is then all that the refused range held: too many.
//   - If one of those is refused, the one second that is left may be listed as
//     [Start, Start]. If that is empty, it may be because such a range is always
//     empty; it counts if the same of a second beside it is not, or is refused.
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

// errTooFull is a second that cannot be listed, or cannot be told to have been.
var errTooFull = &wechat.Error{Op: wechat.ListOp, Class: wechat.Shrink, Code: 31042, Message: "too many orders in one second"}

// point lists a range that ends where it begins, and reports whether the API has
// shown that this means that second.
func (l *lister) point(ctx context.Context, second int64) (listed map[string]bool, told bool, err error) {
	listed, told, err = l.shows(ctx, second)
	if err != nil || told {
		return listed, told, err
	}
	for _, beside := range []int64{second + 1, second - 1} {
		if _, told, err = l.shows(ctx, beside); told || err != nil && !tooFull(err) {
			break
		}
		if tooFull(err) {
			return listed, true, nil
		}
	}
	return listed, told, err
}

// shows lists a range that ends where it begins. told reports whether there is
// anything in it; such a range that is not allowed has nothing.
func (l *lister) shows(ctx context.Context, second int64) (listed map[string]bool, told bool, err error) {
	listed, err = l.list(ctx, window.Span{Start: second, End: second}, nil)
	var refusal *wechat.Error
	if errors.As(err, &refusal) && refusal.Class == wechat.Stop {
		return nil, false, nil
	}
	return listed, len(listed) > 0, err
}

// edge lists [T−1, T], which resolveEdge asks about. If that is too full, the two seconds
// are listed one by one, if the API has shown that it can.
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

// whole lists the window under its own range, or under narrower ones.
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
