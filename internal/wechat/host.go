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

// DefaultURL is the vendor's API, and vendorHost its host.
const (
	DefaultURL = "https://" + vendorHost
	vendorHost = "api.weixin.qq.com"
)

const defaultTimeout = 20 * time.Second

// maxCalls is how many calls are under way at once; more wait. Each takes a
// connection, and with it some 30 kB of memory. With answers after 100 ms it is
// good for 5,000 calls a second.
const maxCalls = 512

// Host is the vendor's API host as this process sees it: one connection pool
// and one reading of its clock for all shops. The zero value is ready; the
// fields must not change after the first call. Safe for concurrent use.
type Host struct {
	// URL is where lists and tokens come from. Defaults to DefaultURL.
	URL string
	// Transport carries the calls; redirects are not followed, since the token
	// would go along. Defaults to a keep-alive HTTP/1.1 transport without
	// compression: a page is 2 kB, and a stuck connection holds one call only.
	Transport http.RoundTripper
	// Timeout ends one call, its body included. Defaults to 20 s.
	Timeout time.Duration

	opened    sync.Once
	base      *url.URL
	baseErr   error
	transport http.RoundTripper
	buffers   sync.Pool
	calls     chan struct{} // a token for each that is under way

	mu      sync.Mutex
	heardAt time.Time // local clock, latest answer
	date    time.Time // Date of the latest answer that had one
	datedAt time.Time // local clock, that answer
	skews   []time.Duration
}

// Now is the earlier of the local clock and the API's: the Date of the latest
// answer that had one, of any kind, plus the monotonic time since. Before the
// first Date it is the local clock; heard is false before the first answer.
func (h *Host) Now() (now time.Time, heard bool) {
	now = time.Now()
	if theirs := h.theirs(); theirs.Before(now) {
		now = theirs
	}
	return now, !h.LastHeard().IsZero()
}

// theirs is the API's clock: its minutes and days are what limits count by.
// The local clock stands in before the first Date.
func (h *Host) theirs() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.date.IsZero() {
		return now
	}
	return h.date.Add(now.Sub(h.datedAt))
}

// LastHeard is when the latest answer came, by the local clock; zero before
// the first.
func (h *Host) LastHeard() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heardAt
}

// heardSkews is how many of the latest answers Skew goes by.
const heardSkews = 8

// Skew is by how much the API's clock is ahead of the local one, negative if it
// is behind: at least so much in two of the latest answers, so that one odd Date
// does not count, and gateways of which one is wrong do. answers is how many had
// a Date, up to heardSkews.
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

// compare notes by how much a Date, cut to the second, must differ from the local
// clock: it was written between the call and its answer.
func (h *Host) compare(date, sent, now time.Time) {
	skew := max(0, date.Sub(now)) + min(0, date.Add(time.Second).Sub(sent))
	if h.skews = append(h.skews, skew); len(h.skews) > heardSkews {
		h.skews = slices.Delete(h.skews, 0, 1)
	}
}

// Later is the later of the local clock and the API's: what lag is measured by.
func (h *Host) Later() time.Time {
	now, theirs := time.Now(), h.theirs()
	if theirs.After(now) {
		return theirs
	}
	return now
}

// Close closes idle connections. Calls made later open new ones.
func (h *Host) Close() {
	_ = h.open() // what it makes is there even where the URL is wrong
	if t, ok := h.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// hear takes the clock's reading off an answer. Date is cut to the second and
// older than its arrival, so what Now makes of it is never ahead of the API.
// sent is when the call began.
func (h *Host) hear(header http.Header, sent time.Time) {
	now := time.Now()
	date, err := http.ParseTime(header.Get("Date"))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heardAt = now
	if err == nil {
		h.date, h.datedAt = date, now
		h.compare(date, sent, now)
	}
}

// open settles the defaults once; its error is about URL.
func (h *Host) open() error {
	h.opened.Do(func() {
		h.base, h.baseErr = parseBase(h.URL)
		h.calls = make(chan struct{}, maxCalls)
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

// openHost says that calls without a token may go to u, in plain http: to the
// vendor's name, which the hosting environment relays, or to a loopback
// address. Anybody else would learn what is asked and could make up orders.
func openHost(u *url.URL) bool {
	name := strings.ToLower(u.Hostname())
	ip := net.ParseIP(name)
	switch {
	case name == "localhost", ip != nil && ip.IsLoopback():
		return u.Scheme == "http"
	case name == vendorHost:
		// The default URL says https, for everybody else.
		return u.Port() == "" && u.Path == ""
	}
	return false
}

// besideRelay asks for the proxy of a call, except of those to the vendor in
// plain http, which go without a token: a proxy would take them past the relay.
func besideRelay(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
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
		Proxy:               besideRelay(http.ProxyFromEnvironment),
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        maxCalls,
		MaxIdleConnsPerHost: maxCalls,
		// Shorter than gateways keep a connection, so that few calls meet one
		// that has just been closed.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}
