package connector

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

const (
	// emptyPages is how many pages without an order the API may give in a row
	// before its paging counts as broken, and repeatPages how many that list only
	// orders which the same pass over the window has had.
	emptyPages, repeatPages = 1000, 30
	// After so many of them the walk slows down, to slowest at most.
	quickEmpty, quickRepeats = 100, 8
	slowest                  = 10 * time.Second
	// mostCircles is how often a window begins again whose pages lead nowhere.
	mostCircles = 5
)

// errCircles is an API that says "more" page after page and lists nothing more.
var errCircles = errors.New("page after page lists no order that was not listed before, and says that there are more")

// pass is what is remembered while a window is paged, to notice an API that
// leads in circles. It is not part of the checkpoint.
type pass struct {
	seed     maphash.Seed
	tokens   map[uint64]struct{}
	ids      map[uint64]struct{} // listed by this pass
	empty    int                 // pages in a row without an order
	repeats  int                 // pages in a row without a new order, empty ones not counted
	restarts int
	circles  int
	backoff  *backoff.Backoff
}

func newPass() *pass {
	return &pass{seed: maphash.MakeSeed(), tokens: make(map[uint64]struct{}), ids: make(map[uint64]struct{}), backoff: backoff.New(200*time.Millisecond, time.Minute)}
}

// wrong says that the page promises more and gives no way to get it: no token or
// one that was used before (errBadPaging), or page after page without an order
// that is new to this pass (errCircles).
func (s *pass) wrong(page wechat.Page) error {
	if !page.More {
		return nil
	}
	known := len(s.ids)
	for _, id := range page.IDs {
		s.ids[maphash.String(s.seed, id)] = struct{}{}
	}
	switch {
	case len(s.ids) > known:
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

// pause is how long to wait before the next page: longer where pages bring
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

func (s *pass) clear() {
	clear(s.tokens)
	clear(s.ids)
	s.empty, s.repeats = 0, 0
}

// circled begins a window again whose pages lead nowhere, ever later, and at
// last fails the shop. Halving would only multiply the circles.
func (w *walker) circled(ctx context.Context, win *offsets.Window, pass *pass, cause error) error {
	if pass.circles++; pass.circles > mostCircles {
		return fmt.Errorf("read window %d–%d (%s) of shop %s: %w; it was begun again %d times and nothing was skipped: ask the vendor, or see what answers at the API URL",
			win.Start, win.End, time.Unix(win.Start, 0).UTC().Format(time.RFC3339), w.shop.Name, cause, mostCircles)
	}
	delay := min(time.Minute, time.Second<<(2*pass.circles-2))
	w.log.Warn("window leads in circles and begins again", "window_start", win.Start, "window_end", win.End, "pages", win.Pages,
		"reason", cause, "times", pass.circles, "in", delay)
	w.mu.Lock()
	pass.clear()
	window.Restart(win, w.shop.Policy)
	w.dirty = true
	w.mu.Unlock()
	return backoff.Sleep(ctx, delay)
}
