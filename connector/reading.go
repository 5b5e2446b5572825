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

// read pages through one window until its last page (nil), until it has been divided
// (nil: the parts are windows of their own), until the day's calls are used up
// (errHeld), or until an error that the walker must handle.
func (w *walker) read(ctx context.Context, win *offsets.Window) error {
	if done, err := w.readSweep(ctx, win); done || err != nil {
		return err
	}
	pass := w.newPass(win)
	page, err := w.listFirst(ctx, win)
	for {
		var following wechat.Page
		var ahead error
		if err == nil {
			cause := w.check(pass, page)
			if pass.empty == quickEmpty {
				w.log().Warn("the API lists page after page without an order and announces more; reading on, more slowly",
					"window_start", win.Start, "window_end", win.End, "pages", quickEmpty)
			}
			if following, ahead, err = w.acceptAndList(ctx, win, page, pass.pause(), cause != nil); err == nil {
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
			if err := w.restartCircling(ctx, win, pass, err); err != nil {
				return err
			}
		} else if same, err := w.restart(ctx, win, pass, err); !same {
			return err
		}
		page, err = w.list(ctx, win, win.Key)
	}
}

// listFirst lists the first page of a pass. A window that turns out to have several is
// asked for in full and no further: the range that a page token was issued for is stored
// with it.
func (w *walker) listFirst(ctx context.Context, win *offsets.Window) (wechat.Page, error) {
	page, err := w.list(ctx, win, win.Key)
	early := win.Until > 0
	if !win.After && !early || err == nil && !page.More {
		return page, err
	}
	w.mu.Lock()
	win.After, win.Until = false, 0
	w.mu.Unlock()
	if err != nil && !(early && tooFull(err)) {
		return page, err
	}
	return w.list(ctx, win, "")
}

// newPass returns the pass in which a window is read.
func (w *walker) newPass(win *offsets.Window) *pass {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newPass(&win.Seen)
}

// check is pass.check, under the lock that guards what the window has seen.
func (w *walker) check(pass *pass, page wechat.Page) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pass.check(page)
}

// acceptAndList accepts a page (err) and lists the following one, if the page announces
// one (ahead). It does both at once: with a slow API, time spent in between would be
// lost on every page.
func (w *walker) acceptAndList(ctx context.Context, win *offsets.Window, page wechat.Page, pause time.Duration, broken bool) (following wechat.Page, ahead, err error) {
	if !page.More || broken || w.cutsNext(win) {
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

// accept puts a page's orders into the outbox and its token into the checkpoint, under
// one lock: the transaction that commits one commits the other.
func (w *walker) accept(ctx context.Context, win *offsets.Window, page wechat.Page, broken bool) error {
	if len(page.IDs) > 0 {
		if err := w.waitForSpace(ctx, win); err != nil {
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
			w.answered(s)
			if len(s.Fresh) > 0 || last {
				poke(w.now)
			} else {
				poke(w.soon)
			}
			return nil
		}
		resolved, ends, err := resolveEdge(ctx, w.shop.Client, win, s.Ambiguous)
		if err != nil {
			if len(page.IDs) > 0 {
				<-w.space
			}
			return err
		}
		maps.Copy(known, resolved)
		w.mu.Lock()
		w.ends = max(w.ends, ends)
		w.mu.Unlock()
	}
}

// answered notes a page.
func (w *walker) answered(s window.Deduped) {
	w.pages.Add(1)
	w.member.setWaits(nil)
	w.waiting.over(true)
	w.status.page(s)
}

// dedupe applies a page to the state. last reports that the walker's range is now read
// to its end.
func (w *walker) dedupe(win *offsets.Window, page wechat.Page, known window.Resolved, broken bool) (s window.Deduped, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.policy()
	if s = window.Dedupe(w.state, win, p.Range, page.IDs, known); len(s.Ambiguous) > 0 {
		return s, false
	}
	span := window.Span{Start: win.Start, End: win.AskedTo()}
	if len(s.Fresh) > 0 {
		w.outbox = append(w.outbox, delivery{window: span, asked: win.Asked(), ids: s.Fresh, readAt: page.ReadAt, late: win.Pass == 2})
	}
	if len(s.Fresh) > 0 {
		w.lastOrder, _ = w.host.Now() // the clock by which setPace counts from it
	}
	win.Pages++
	win.Key = page.Next
	w.dirty = true
	if !page.More && !broken {
		if win.Pass == 1 {
			w.sizer.Adapt(w.state, win, p)
			if win.Pages == 1 {
				w.status.found(span, len(s.Fresh), win.Until > 0)
			}
		}
		w.foundLate(win)
		window.Finish(w.state, win, p)
	}
	w.count()
	w.unstall()
	return s, p.End > 0 && w.state.Watermark >= p.LastEnd()
}

// restart restarts a window whose page token cannot be used. The second time it also
// halves the window, if it can. same reports whether to go on reading this window.
func (w *walker) restart(ctx context.Context, win *offsets.Window, pass *pass, cause error) (same bool, err error) {
	w.mu.Lock()
	pass.restarts++
	pass.clear()
	window.Restart(win, w.shop.Policy)
	w.dirty = true
	halved := pass.restarts > 1 && window.Halve(w.state, win, w.shop.Policy)
	w.mu.Unlock()
	w.log().Debug("window restarted", "window_start", win.Start, "window_end", win.End, "restarts", pass.restarts, "halved", halved, "reason", cause)
	if halved || pass.restarts == 1 {
		return !halved, nil
	}
	if pass.restarts == 3 {
		w.log().Warn("window keeps restarting", "window_start", win.Start, "window_end", win.End, "reason", cause)
	}
	if err := pass.rest(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// cutsNext reports whether cut divides a window after the next page: no further page of
// it is worth a call.
func (w *walker) cutsNext(win *offsets.Window) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return window.Cuts(win, w.policy())
}

// cut divides a window that has turned out far too long, and reports whether it did.
// The rest is read in shorter windows.
func (w *walker) cut(win *offsets.Window) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	pages := win.Pages
	if !window.Cut(w.state, win, w.policy()) {
		return false
	}
	w.dirty = true
	poke(w.soon)
	w.log().Debug("window cut", "window_start", win.Start, "window_end", win.End, "pages", pages, "length", w.state.Length)
	return true
}

// denseTries is how often a window of the least length must be refused as too full.
const denseTries = 6

// halve replaces a window that the API refuses as too full by two of half its length. A
// window of the least length is listed by narrower ranges, too. If those are refused again
// and again, the shop fails: skipping the window would lose orders.
func (w *walker) halve(ctx context.Context, win *offsets.Window) error {
	w.mu.Lock()
	w.sizer.Refused()
	if halved := window.Halve(w.state, win, w.shop.Policy); halved {
		w.dirty = true
		w.mu.Unlock()
		poke(w.soon)
		return nil
	}
	window.Restart(win, w.policy())
	window.Overlap(win)
	w.mu.Unlock()
	err := w.readWhole(ctx, win)
	pause := backoff.New(time.Second, 8*time.Second)
	for try := 1; tooFull(err) && try < denseTries; try++ { // it may refuse at random
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
		err = w.readWhole(ctx, win)
	}
	if tooFull(err) {
		return &TooDenseError{Shop: w.shop.Name, Start: win.Start, End: win.End}
	}
	return err
}

// readWhole reads a window in one go, under its own range or narrower ones.
func (w *walker) readWhole(ctx context.Context, win *offsets.Window) error {
	l := lister{client: w.shop.Client, window: win, kind: w.shop.Policy.Range}
	listed, err := l.whole(ctx, nil)
	if err != nil {
		return err
	}
	w.mu.Lock()
	win.Pages = l.pages - 1 // accept counts one
	w.mu.Unlock()
	return w.accept(ctx, win, wechat.Page{IDs: slices.Sorted(maps.Keys(listed)), ReadAt: time.Now()}, false)
}
