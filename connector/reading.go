package connector

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// read pages through one window until its last page (nil), until it has been
// halved (nil: the halves are windows of their own), until the day's calls are
// used up (errHeld), or until an error that the walker must act on.
func (w *walker) read(ctx context.Context, win *offsets.Window) error {
	pass := newPass()
	page, err := w.list(ctx, win, win.Key)
	for {
		var following wechat.Page
		var ahead error
		if err == nil {
			cause := pass.wrong(page)
			if following, ahead, err = w.turn(ctx, win, page, pass.pause(), cause != nil); err == nil {
				err = cause
			}
		}
		var refusal *wechat.Error
		errors.As(err, &refusal)
		switch {
		case err == nil && !page.More, err == nil && w.cut(win):
			return nil
		case err == nil:
			page, err = following, ahead
			continue
		case refusal != nil && refusal.Class == wechat.Shrink:
			if err = w.halve(ctx, win); !errors.Is(err, errBadPaging) && !errors.Is(err, errCircles) {
				return err
			}
		case !errors.Is(err, errBadPaging) && !errors.Is(err, errCircles) && (refusal == nil || refusal.Class != wechat.KeyRefused):
			return err
		}
		if errors.Is(err, errCircles) {
			if err := w.circled(ctx, win, pass, err); err != nil {
				return err
			}
		} else if again, err := w.startAgain(ctx, win, pass, err); !again {
			return err
		}
		page, err = w.list(ctx, win, win.Key)
	}
}

// turn accepts a page (err) and lists the following one, if there is one
// (ahead). Both at once: where the API takes its time, what we do in between is
// lost on every page.
func (w *walker) turn(ctx context.Context, win *offsets.Window, page wechat.Page, pause time.Duration, broken bool) (following wechat.Page, ahead, err error) {
	if !page.More || broken {
		return wechat.Page{}, nil, w.accept(ctx, win, page, broken)
	}
	if w.takesTurns(win) {
		return wechat.Page{}, errYielded, w.accept(ctx, win, page, broken)
	}
	accepted := make(chan error, 1)
	go func() { accepted <- w.accept(ctx, win, page, broken) }()
	if ahead = backoff.Sleep(ctx, pause); ahead == nil {
		following, ahead = w.list(ctx, win, page.Next)
	}
	return following, ahead, <-accepted
}

// accept takes a page's orders into the outbox and its token into the
// checkpoint, in one step: whatever commits one commits the other.
func (w *walker) accept(ctx context.Context, win *offsets.Window, page wechat.Page, broken bool) error {
	if len(page.IDs) > 0 {
		if err := w.room(ctx, win); err != nil {
			return err
		}
	}
	known := make(window.Resolved)
	for {
		s, last := w.dedupe(win, page, known, broken)
		if len(s.Ambiguous) == 0 {
			if len(page.IDs) > 0 && len(s.Fresh) == 0 {
				<-w.space
			}
			w.pages.Add(1)
			w.member.wait(nil)
			w.sheet.page(s)
			if len(s.Fresh) > 0 || last {
				poke(w.now)
			} else {
				poke(w.soon)
			}
			return nil
		}
		judged, shown, err := resolveEdge(ctx, w.shop.Client, win, s.Ambiguous)
		if err != nil {
			if len(page.IDs) > 0 {
				<-w.space
			}
			return err
		}
		maps.Copy(known, judged)
		if shown {
			w.mu.Lock()
			w.tight = true
			w.mu.Unlock()
		}
	}
}

// dedupe is accept's one step on the state. It reports whether the walker's
// range is now read to its end.
func (w *walker) dedupe(win *offsets.Window, page wechat.Page, known window.Resolved, broken bool) (s window.Deduped, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.policy()
	if s = window.Dedupe(w.state, win, p.Range, page.IDs, known); len(s.Ambiguous) > 0 {
		return s, false
	}
	if len(s.Fresh) > 0 {
		w.outbox = append(w.outbox, delivery{window: window.Span{Start: win.Start, End: win.End}, asked: win.Asked(), ids: s.Fresh, readAt: page.ReadAt, late: win.Pass == 2})
	}
	win.Pages++
	win.Key = page.Next
	w.dirty = true
	if !page.More && !broken {
		if win.Pass == 1 {
			w.pace.Adapt(w.state, win, p)
		}
		window.Finish(w.state, win, p)
	}
	w.count()
	w.goesOn()
	return s, p.End > 0 && w.state.Watermark >= p.LastEnd()
}

// startAgain begins a window again whose page token is of no use. The second
// time it is halved too, if it can be. It reports whether to go on reading this
// very window.
func (w *walker) startAgain(ctx context.Context, win *offsets.Window, pass *pass, cause error) (again bool, err error) {
	w.mu.Lock()
	pass.restarts++
	pass.clear()
	window.Restart(win, w.shop.Policy)
	w.dirty = true
	halved := pass.restarts > 1 && window.Halve(w.state, win, w.shop.Policy)
	w.mu.Unlock()
	w.log.Debug("window starts again", "window_start", win.Start, "window_end", win.End, "restarts", pass.restarts, "halved", halved, "reason", cause)
	if halved || pass.restarts == 1 {
		return !halved, nil
	}
	if pass.restarts == 3 {
		w.log.Warn("window keeps starting again", "window_start", win.Start, "window_end", win.End, "reason", cause)
	}
	if err := pass.backoff.Sleep(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// cut reports whether a window has turned out to be much too long; what is left
// of it is read in shorter ones then.
func (w *walker) cut(win *offsets.Window) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	pages := win.Pages
	if !window.Cut(w.state, win, w.policy()) {
		return false
	}
	w.dirty = true
	poke(w.soon)
	w.log.Debug("window is cut", "window_start", win.Start, "window_end", win.End, "pages", pages, "length", w.state.Length)
	return true
}

// halve makes two windows of one that the API calls too full. One of the least
// length is listed by narrower ranges. Where they do not help the shop stops:
// skipping would lose orders.
func (w *walker) halve(ctx context.Context, win *offsets.Window) error {
	w.mu.Lock()
	w.pace.Refused()
	if halved := window.Halve(w.state, win, w.shop.Policy); halved {
		w.dirty = true
		w.mu.Unlock()
		poke(w.soon)
		return nil
	}
	window.Restart(win, w.policy())
	window.Overlap(win)
	w.mu.Unlock()
	l := lister{client: w.shop.Client, window: win, kind: w.shop.Policy.Range}
	listed, err := l.narrow(ctx)
	if err == nil {
		w.mu.Lock()
		win.Pages = l.pages - 1 // accept counts one
		w.mu.Unlock()
		err = w.accept(ctx, win, wechat.Page{IDs: slices.Sorted(maps.Keys(listed)), ReadAt: time.Now()}, false)
	}
	if tooFull(err) {
		return &TooDenseError{Shop: w.shop.Name, Start: win.Start, End: win.End}
	}
	return err
}
