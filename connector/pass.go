package connector

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

const (
	// emptyPages is how many pages without an order may follow each other before the
	// API's paging counts as broken, repeatPages how many that list only orders the
	// same pass has listed.
	emptyPages, repeatPages = 1000, 30
	// After so many of them the walk pauses between pages, up to slowest.
	quickEmpty, quickRepeats = 100, 8
	slowest                  = 10 * time.Second
	// mostCircles is how often a window restarts whose pages lead nowhere.
	mostCircles = 5
)

// errCircles reports that the API says "more" page after page and lists nothing more.
var errCircles = errors.New("the pages list only orders that were listed before, and announce more")

// pass is what is remembered while a window is paged, to detect paging that repeats
// itself. It is not part of the checkpoint.
type pass struct {
	seed   maphash.Seed
	tokens map[uint64]struct{}
	// seen, if not nil, holds just what this pass has listed: the window had no IDs
	// before. Otherwise ids does.
	seen     *offsets.IDs
	ids      map[uint64]struct{}
	empty    int // pages without an order, in a row
	repeats  int // pages without a new order, in a row; empty ones do not count
	restarts int
	circles  int
	backoff  *backoff.Backoff
}

// newPass returns the pass of a window with these IDs, or of a range without any (nil).
func newPass(seen *offsets.IDs) *pass {
	if seen != nil && seen.Len() > 0 {
		seen = nil
	}
	return &pass{seen: seen}
}

// check reports a page that says "more" and gives no way to get it: without a token or
// with one that was used before (errBadPaging), or after too many pages without an
// order that is new to this pass (errCircles).
func (s *pass) check(page wechat.Page) error {
	if !page.More {
		return nil
	}
	if s.tokens == nil { // most windows have one page
		s.seed, s.tokens = maphash.MakeSeed(), make(map[uint64]struct{})
	}
	switch {
	case s.news(page.IDs):
		s.empty, s.repeats = 0, 0
	case len(page.IDs) > 0:
		s.repeats++
	default:
		s.empty++
	}
	token := maphash.String(s.seed, page.Next)
	_, used := s.tokens[token]
	s.tokens[token] = struct{}{}
	switch {
	case page.Next == "" || used:
		return errBadPaging
	case s.empty > emptyPages || s.repeats > repeatPages:
		return errCircles
	}
	return nil
}

// news reports whether a page lists an ID that is new to the pass.
func (s *pass) news(page []string) bool {
	if s.seen != nil {
		return slices.ContainsFunc(page, func(id string) bool { return !s.seen.Has(id) })
	}
	known := len(s.ids)
	if s.ids == nil {
		s.ids = make(map[uint64]struct{})
	}
	for _, id := range page {
		s.ids[maphash.String(s.seed, id)] = struct{}{}
	}
	return len(s.ids) > known
}

// pause returns how long to wait before the next page: longer while pages bring
// nothing, so that they do not use up the day's calls.
func (s *pass) pause() time.Duration {
	if over := s.repeats - quickRepeats; over > 0 {
		return min(slowest, 100*time.Millisecond<<min(over, 10))
	}
	if s.empty > quickEmpty {
		return 100 * time.Millisecond
	}
	return 0
}

// rest waits before the window restarts once more, longer each time.
func (s *pass) rest(ctx context.Context) error {
	if s.backoff == nil {
		s.backoff = backoff.New(200*time.Millisecond, time.Minute)
	}
	return s.backoff.Sleep(ctx)
}

// clear begins the pass again. What the window has seen by then does not count for it.
func (s *pass) clear() {
	if s.seen != nil && s.seen.Len() > 0 {
		s.seen = nil
	}
	clear(s.tokens)
	clear(s.ids)
	s.empty, s.repeats = 0, 0
}

// restartCircling restarts a window whose pages lead nowhere, after a growing delay,
// and at last fails the shop. Halving would only multiply the calls.
func (w *walker) restartCircling(ctx context.Context, win *offsets.Window, pass *pass, cause error) error {
	if pass.circles++; pass.circles > mostCircles {
		return fmt.Errorf("read window %d–%d (%s) of shop %s: %w; it was restarted %d times; nothing was skipped: ask the vendor, or check what answers at the API URL",
			win.Start, win.End, time.Unix(win.Start, 0).UTC().Format(time.RFC3339), w.shop.Name, cause, mostCircles)
	}
	delay := min(time.Minute, time.Second<<(2*pass.circles-2))
	w.log().Warn("pages of a window repeat without end; restarting the window", "window_start", win.Start, "window_end", win.End, "pages", win.Pages,
		"reason", cause, "times", pass.circles, "in", delay)
	w.mu.Lock()
	pass.clear()
	window.Restart(win, w.shop.Policy)
	w.dirty = true
	w.mu.Unlock()
	return backoff.Sleep(ctx, delay)
}
