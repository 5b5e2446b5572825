package wechat

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultURL is the URL of the vendor's API.
const (
	DefaultURL = "https://" + vendorHost
	vendorHost = "api.weixin.qq.com"
)

const defaultTimeout = 20 * time.Second

// maxCalls bounds the concurrent calls; more wait. Each takes a connection and about
// 30 kB of memory. With answers after 100 ms, 512 calls give 5,000 calls a second.
const maxCalls = 512

// Host is a connection to the vendor's API: one connection pool and one reading of its
// clock for all shops. The zero value is ready; the fields must not change after the
// first call. Safe for concurrent use.
type Host struct {
	// URL is the API's base URL, for lists and tokens. Defaults to DefaultURL.
	URL string
	// Transport sends the calls. Redirects are not followed, because the token would
	// go along. Defaults to a keep-alive HTTP/1.1 transport without compression: a
	// page is 2 kB, and a stuck connection holds up one call only.
	Transport http.RoundTripper
	// Timeout limits one call, its body included. Defaults to 20 s.
	Timeout time.Duration

	opened    sync.Once
	base      *url.URL
	baseErr   error
	transport http.RoundTripper
	// The headers of a call without and with a body, which a Transport must not change.
	header, jsonHeader http.Header
	buffers            sync.Pool
	calls              chan struct{} // semaphore: holds a value for each call in progress
	asks               chan struct{} // the same for requests to token servers

	mu      sync.Mutex
	heardAt time.Time // when the latest answer came, local clock
	latest  reading   // Date header of the latest answer that had one
	dates   dates     // those of the last minute, the latest included
	skews   []time.Duration
	undated bool // answers to calls that asked for a Date had none
}

// Now returns the earlier of the local clock and the API's clock. The API's clock is
// the Date of the latest answer that had one (but see denies), or an earlier one of the
// last minute (see dates), plus the monotonic time since; before the first Date, Now
// returns the local clock. heard reports whether a Date has come, or the API has been seen
// to send none. An answer without one is not enough: a proxy's error page has none, and
// what follows would be decided by the local clock alone.
func (h *Host) Now() (now time.Time, heard bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now = time.Now()
	if h.latest.date.IsZero() {
		return now, h.undated
	}
	if theirs := h.dates.earliest(h.latest, now); theirs.Before(now) {
		now = theirs
	}
	return now, true
}

// lastDated returns when the latest answer with a Date came; zero = none yet.
func (h *Host) lastDated() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest.at
}

// noteUndated records that the API sends no Date.
func (h *Host) noteUndated() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undated = true
}

// Undated reports that the API has been seen to send no Date, so that the local clock is
// the only one.
func (h *Host) Undated() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.undated && h.latest.date.IsZero()
}

// APINow returns the API's clock by its latest Date; the vendor counts minutes and days by
// it. Before the first Date it returns the local clock.
func (h *Host) APINow() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.latest.date.IsZero() {
		return now
	}
	return h.latest.on(now)
}

// LastHeard returns when the latest answer came, by the local clock; zero = none yet.
func (h *Host) LastHeard() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heardAt
}

// heardSkews is the number of latest answers that Skew considers.
const heardSkews = 8

// Skew returns how far the API's clock is ahead of the local one; negative = behind.
// At least two of the latest answers differ by that much, so a single odd Date does
// not count, while one wrong gateway among several does. answers is how many of these
// answers had a Date, up to heardSkews.
func (h *Host) Skew() (skew time.Duration, answers int) {
	h.mu.Lock()
	skews := slices.Clone(h.skews)
	h.mu.Unlock()
	n := len(skews)
	if n == 0 {
		return 0, 0
	}
	slices.Sort(skews)
	behind, ahead := min(0, skews[min(1, n-1)]), max(0, skews[max(0, n-2)])
	if -behind > ahead {
		return behind, n
	}
	return ahead, n
}

// noteSkew records by how much a Date, cut to the second, must differ from the local
// clock: the API wrote it between the call and its answer.
func (h *Host) noteSkew(date, sent, now time.Time) {
	skew := max(0, date.Sub(now)) + min(0, date.Add(time.Second).Sub(sent))
	if h.skews = append(h.skews, skew); len(h.skews) > heardSkews {
		h.skews = slices.Delete(h.skews, 0, 1)
	}
}

// Later returns the later of the local clock and the API's; lag is measured by it.
func (h *Host) Later() time.Time {
	now, theirs := time.Now(), h.APINow()
	if theirs.After(now) {
		return theirs
	}
	return now
}

// Close closes idle connections. Calls made later open new ones.
func (h *Host) Close() {
	_ = h.open() // it sets the transport also if the URL is wrong
	if t, ok := h.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// noteAnswer reads the API's clock from an answer. Date is cut to the second and older
// than its arrival, so Now is never ahead of the API. sent is when the call began.
func (h *Host) noteAnswer(header http.Header, sent time.Time) {
	now := time.Now()
	date, err := http.ParseTime(header.Get("Date"))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heardAt = now
	if err != nil {
		return
	}
	h.noteSkew(date, sent, now)
	if !h.denies(date, now) {
		h.latest = reading{date, now}
		h.dates.note(h.latest)
	}
}

// A Date that is farAhead of the local clock says nothing that Now needs. It does not
// replace one of the last while by which the local clock is ahead: otherwise one gateway
// with a clock that is ahead would make a local one count that is, too.
const (
	farAhead = time.Minute
	recently = 5 * time.Minute
)

// denies reports whether a recent Date speaks against one that is ahead of the local
// clock. The caller holds mu.
func (h *Host) denies(date, now time.Time) bool {
	return !h.latest.date.IsZero() && now.Sub(h.latest.at) < recently && date.Sub(now) > farAhead && now.Sub(h.latest.on(now)) > farAhead
}

// open applies the defaults once and returns whether URL is valid.
func (h *Host) open() error {
	h.opened.Do(func() {
		h.base, h.baseErr = parseBase(h.URL)
		h.calls, h.asks = make(chan struct{}, maxCalls), make(chan struct{}, maxAsks)
		h.header = http.Header{"User-Agent": {"orderwalk"}}
		h.jsonHeader = http.Header{"User-Agent": {"orderwalk"}, "Content-Type": {"application/json"}}
		h.transport = h.Transport
		if h.transport == nil {
			h.transport = newTransport()
		}
	})
	return h.baseErr
}

func parseBase(text string) (*url.URL, error) {
	if text == "" {
		text = DefaultURL
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, bare(err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("it must be http://host or https://host")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("it must not hold a user, a query or a fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// allowsOpenCalls reports whether calls without a token may go to u in plain http: to
// the vendor's host, for which the hosting environment has a relay, or to a loopback
// address. Any other host would see the requests and could forge orders.
func allowsOpenCalls(u *url.URL) bool {
	name := strings.ToLower(u.Hostname())
	ip := net.ParseIP(name)
	switch {
	case name == "localhost", ip != nil && ip.IsLoopback():
		return u.Scheme == "http"
	case name == vendorHost:
		// The default URL says https, which the other ways to authorise use.
		return u.Port() == "" && u.Path == ""
	}
	return false
}

// proxyUnlessRelayed returns the proxy for a call, but none for plain http calls to
// the vendor: these have no token, and a proxy would bypass the relay.
func proxyUnlessRelayed(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(request *http.Request) (*url.URL, error) {
		if request.URL.Scheme == "http" && strings.EqualFold(request.URL.Host, vendorHost) {
			return nil, nil
		}
		return proxy(request)
	}
}

func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               proxyUnlessRelayed(http.ProxyFromEnvironment),
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        maxCalls,
		MaxIdleConnsPerHost: maxCalls,
		// Shorter than the gateway's own idle timeout, so that few calls meet a
		// connection that it has just closed.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}
