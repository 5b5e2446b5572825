package push

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBody = 64 << 10
	// answerWithin leaves half a second of the vendor's five for the way.
	answerWithin = 4500 * time.Millisecond
	// The vendor's last try comes 3.6 hours after its first.
	maxAge   = 4 * time.Hour
	maxAhead = 5 * time.Minute
	// complainEvery is how often each kind of trouble is logged.
	complainEvery = time.Minute
)

// Handler takes pushes. Its functions are called from many goroutines at once;
// nothing may be changed once it serves.
type Handler struct {
	// ShopKeys and ComponentKeys return the keys that are valid now for a shop's
	// own pushes and for a platform's; asked at each push. While a key is being
	// changed there are several. None means that there is no such account (404),
	// an error that nobody knows just now (503).
	ShopKeys      func(appID string) ([]Key, error)
	ComponentKeys func(appID string) ([]Key, error)
	// ComponentShop tells whether a shop is one of a platform's that are cared
	// for here. Defaults to yes.
	ComponentShop func(component, appID string) bool

	// Order, Authorization and Ticket keep an event for good before they return
	// nil; after any error the vendor is asked to try again. Their context ends
	// 4.5 s after the push came, and so does the waiting for them. What has no
	// function is ignored.
	Order         func(context.Context, Order) error
	Authorization func(context.Context, Authorization) error
	Ticket        func(context.Context, Ticket) error

	// Count, if set, is told what has become of each request to a push address.
	Count func(Result)
	// Log gets what an operator can do something about: signed pushes that are
	// refused, and what could not be kept. Defaults to slog.Default.
	Log *slog.Logger

	memory memory

	mu         sync.Mutex
	complained map[Result]*rate.Sometimes
}

// ServeHTTP answers a push, or the check of an address.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := accountOf(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	// A vendor that has gone away does not undo its push.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerWithin)
	defer cancel()

	var result Result
	var echo string
	header := w.Header()
	switch r.Method {
	case http.MethodGet:
		result, echo = h.check(a, r)
	case http.MethodPost:
		result = h.take(ctx, w, a, r)
	default:
		header.Set("Allow", "GET, POST")
		result = Malformed
	}
	if h.Count != nil {
		h.Count(result)
	}
	status, text := result.answer()
	switch {
	case header.Get("Allow") != "":
		status = http.StatusMethodNotAllowed
	case result == Echo:
		status, text = http.StatusOK, echo
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a vendor that has gone needs no answer
}

// keys gives the keys of an account, or the result if there are none.
func (h *Handler) keys(a account) ([]Key, Result) {
	lookUp := h.ShopKeys
	if a.component != "" {
		lookUp = h.ComponentKeys
	}
	if lookUp == nil {
		return nil, UnknownApp
	}
	keys, err := lookUp(a.appID())
	switch {
	case err != nil:
		h.complain(NotKept, a, "no keys for pushes", "error", err)
		return nil, NotKept
	case len(keys) == 0, a.component != "" && a.shop != "" && h.ComponentShop != nil && !h.ComponentShop(a.component, a.shop):
		return nil, UnknownApp
	}
	return keys, ""
}

// take answers a push.
func (h *Handler) take(ctx context.Context, w http.ResponseWriter, a account, r *http.Request) Result {
	keys, result := h.keys(a)
	if result != "" {
		return result
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return Oversized
		}
		return Malformed
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Malformed
	}
	encrypted, err := envelope(body)
	switch {
	case errors.Is(err, errPlaintext):
		return Plaintext
	case err != nil:
		return Malformed
	}
	message, result := h.unlock(keys, a, query, encrypted)
	if result != "" {
		return result
	}
	event, err := parse(a, message)
	switch {
	case errors.Is(err, errAppID):
		h.complain(BadAppID, a, "a push is about another app ID than the one it is for")
		return BadAppID
	case errors.Is(err, errStale):
		h.complain(Stale, a, "a push is refused", "error", err)
		return Stale
	case err != nil:
		h.complain(Malformed, a, "a push by the vendor cannot be read", "error", err)
		return Malformed
	}
	hand := h.receiver(event)
	if hand == nil {
		return Ignored
	}
	return h.keep(ctx, a, digestOf(a, message), hand)
}

// complain logs trouble, each kind at most once a minute.
func (h *Handler) complain(kind Result, a account, what string, more ...any) {
	h.mu.Lock()
	if h.complained == nil {
		h.complained = map[Result]*rate.Sometimes{}
	}
	sometimes := h.complained[kind]
	if sometimes == nil {
		sometimes = &rate.Sometimes{First: 1, Interval: complainEvery}
		h.complained[kind] = sometimes
	}
	h.mu.Unlock()
	sometimes.Do(func() {
		log := h.Log
		if log == nil {
			log = slog.Default()
		}
		attrs := []any{"shop", a.shop, "component", a.component, "result", string(kind)}
		log.Warn(what, append(attrs, more...)...)
	})
}
