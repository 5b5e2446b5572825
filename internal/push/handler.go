package push

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBody = 64 << 10
	// answerWithin is half a second less than the vendor's five, for the network.
	answerWithin = 4500 * time.Millisecond
	// The vendor's last attempt comes 3.6 hours after its first.
	maxAge   = 4 * time.Hour
	maxAhead = 5 * time.Minute
	// warnEvery is the shortest time between two log lines of one kind.
	warnEvery = time.Minute
)

// Handler receives pushes. Its functions are called from many goroutines at once. The
// fields must not change once it serves.
type Handler struct {
	// ShopKeys and ComponentKeys return the keys that are valid now for a shop's own
	// pushes and for a platform's. They are called for each push. There are several
	// while an operator changes a key. None means an unknown account (404); an error
	// means that the keys are not available now (503).
	ShopKeys      func(appID string) ([]Key, error)
	ComponentKeys func(appID string) ([]Key, error)
	// ComponentShop reports whether this deployment reads a shop of a platform.
	// Defaults to true for all.
	ComponentShop func(component, appID string) bool

	// Order, Authorization and Ticket store an event durably before they return nil;
	// after an error the vendor sends it again. Their context ends 4.5 s after the
	// push came; then the answer is 503. Events without a function are ignored.
	Order         func(context.Context, Order) error
	Authorization func(context.Context, Authorization) error
	Ticket        func(context.Context, Ticket) error

	// Clock, if set, returns the vendor's clock, as far as it is known. A push that is
	// recent by it or by this machine's clock is taken: this machine's may be wrong, and
	// tickets and authorisations must not stop for that.
	Clock func() time.Time

	// Count, if set, is called with the result of each request to a push address.
	Count func(Result)
	// Log gets what an operator can act on: signed pushes that are refused, and events
	// that could not be stored. Defaults to slog.Default.
	Log *slog.Logger

	seen seenPushes

	mu       sync.Mutex
	warnings map[Result]*rate.Sometimes
}

// ServeHTTP answers a push, or the check of an address.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := accountOf(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	// The event is stored even if the vendor closes the connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerWithin)
	defer cancel()

	var result Result
	var echo string
	header := w.Header()
	switch r.Method {
	case http.MethodGet:
		result, echo = h.check(a, r)
	case http.MethodPost:
		result = h.receive(ctx, w, a, r)
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
	_, _ = io.WriteString(w, text) // the vendor may have closed the connection
}

// keys returns the keys of an account, or the result to answer with.
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
		h.warn(NotKept, a, "push keys are not available", "error", err)
		return nil, NotKept
	case len(keys) == 0, a.component != "" && a.shop != "" && h.ComponentShop != nil && !h.ComponentShop(a.component, a.shop):
		return nil, UnknownApp
	}
	return keys, ""
}

// receive answers a push.
func (h *Handler) receive(ctx context.Context, w http.ResponseWriter, a account, r *http.Request) Result {
	keys, result := h.keys(a)
	if result != "" {
		return result
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return unreadable(err)
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
	event, err := parse(a, message, h.recent)
	switch {
	case errors.Is(err, errAppID):
		h.warn(BadAppID, a, "refused a push: its app ID is not that of the address")
		return BadAppID
	case errors.Is(err, errStale):
		h.warn(Stale, a, "refused a push", "error", err)
		return Stale
	case err != nil:
		h.warn(Malformed, a, "refused a signed push: cannot decode it", "error", err)
		return Malformed
	}
	hand := h.receiver(event)
	if hand == nil {
		return Ignored
	}
	return h.deliver(ctx, a, digestOf(a, message), hand)
}

// unreadable returns the result of a push whose body cannot be read. If it did not arrive,
// the vendor sends it again.
func unreadable(err error) Result {
	var tooLarge *http.MaxBytesError
	var broken net.Error
	switch {
	case errors.As(err, &tooLarge):
		return Oversized
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &broken):
		return CutOff
	}
	return Malformed
}

// warn logs a problem, each kind at most once a minute.
func (h *Handler) warn(kind Result, a account, what string, more ...any) {
	h.mu.Lock()
	if h.warnings == nil {
		h.warnings = map[Result]*rate.Sometimes{}
	}
	sometimes := h.warnings[kind]
	if sometimes == nil {
		sometimes = &rate.Sometimes{First: 1, Interval: warnEvery}
		h.warnings[kind] = sometimes
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
