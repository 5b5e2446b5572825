package wechat

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/test/leaktest"
	"orderwalk/test/logtest"
)

const (
	testAppID  = "wx0123456789abcdef"
	testSecret = "s3cret+of/the=shop"
	okPage     = `{"errcode":0,"errmsg":"ok","order_id_list":["3704612354559743232","3704849110714209536"],"next_key":"NEXT","has_more":true}`
)

// reply is one HTTP answer; the zero value is a good page or token.
type reply struct {
	status int
	body   string
	header http.Header
	reset  bool // close the connection without an answer
	hang   bool // do not answer until the caller gives up
	delay  time.Duration
}

func code(n int) reply {
	return reply{body: fmt.Sprintf(`{"errcode":%d,"errmsg":"what went wrong rid: 6566bde8-1cb6f4b9-2a1f0000"}`, n)}
}

// api is an HTTP server in place of the vendor: it follows a script, then answers
// well.
type api struct {
	mu     sync.Mutex
	lists  []reply // to the next list calls
	tokens []reply // to the next token calls
	others []reply // to the next calls of any other path
	// answer, if set, answers list calls without a script.
	answer func(body string) string
	// alive reports whether a token that the script does not mention is valid.
	alive func(token string) bool
	// life is the expires_in of tokens.
	life int
	// beside are other servers of the network, by host.
	beside map[string]http.Handler

	issued int
	calls  []call
}

type call struct {
	at     time.Time
	method string
	path   string
	query  string
	token  string // access_token of the query
	body   string
	length int64
	header http.Header
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if other := a.beside[r.Host]; other != nil {
		other.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	a.mu.Lock()
	c := call{time.Now(), r.Method, r.URL.Path, r.URL.RawQuery, r.URL.Query().Get("access_token"), string(body), r.ContentLength, r.Header.Clone()}
	a.calls = append(a.calls, c)
	script, good := &a.lists, reply{body: okPage}
	forToken := c.path == stableTokenPath || c.path == plainTokenPath
	switch {
	case forToken:
		script = &a.tokens
	case c.path != listPath:
		script, good = &a.others, reply{body: "{}"}
	}
	var answer reply
	if len(*script) > 0 {
		answer, *script = (*script)[0], (*script)[1:]
	} else if a.answer != nil && c.path == listPath {
		answer.body = a.answer(c.body)
	} else if !forToken && a.alive != nil && !a.alive(c.token) {
		answer = code(40001)
	}
	if forToken && answer.status == 0 && answer.body == "" && !answer.reset && !answer.hang {
		a.issued++
		life := a.life
		if life == 0 {
			life = 7200
		}
		good.body = fmt.Sprintf(`{"access_token":"%s","expires_in":%d}`, tokenName(a.issued), life)
	}
	a.mu.Unlock()
	time.Sleep(answer.delay)
	switch {
	case answer.reset:
		panic(http.ErrAbortHandler)
	case answer.hang:
		<-r.Context().Done()
		return
	case answer.body == "" && answer.status == 0:
		answer.body = good.body
	}
	w.Header().Set("Content-Type", "text/plain")
	for key, values := range answer.header {
		w.Header()[key] = values
	}
	if answer.status != 0 {
		w.WriteHeader(answer.status)
	}
	io.WriteString(w, answer.body)
}

// slow returns r after a second, so that other calls go out meanwhile.
func slow(r reply) reply { r.delay = time.Second; return r }

func tokenName(n int) string { return fmt.Sprintf("TOKEN_%d+/=", n) }

func (a *api) count(path string) int { return len(a.times(path)) }

func (a *api) times(path string) (at []time.Time) {
	for _, c := range a.seen() {
		if c.path == path {
			at = append(at, c.at)
		}
	}
	return at
}

func (a *api) seen() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// listener provides connections in memory, so that a bubble's time advances while both
// ends wait.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fixture is a client and its API within a bubble.
type fixture struct {
	*Client
	api     *api
	host    *Host
	log     *logtest.Buffer // of levels info and above
	results []string        // of list calls
	renewed []string        // results of token calls
	leaks   leaktest.Search
}

// inBubble runs story with a client made from cfg and the API a.
func inBubble(t *testing.T, a *api, cfg Config, story func(t *testing.T, w *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := &fixture{api: a, log: new(logtest.Buffer)}
		server := &http.Server{Handler: w.leaks.Watch(a), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		go server.Serve(l)
		transport := newTransport()
		transport.Proxy = nil
		transport.DialContext = l.dial
		if w.host = cfg.Host; w.host == nil {
			w.host = &Host{URL: "http://api.test"}
		}
		w.host.Transport = transport
		defer func() {
			w.host.Close()
			server.Close()
			synctest.Wait()
		}()
		var mu sync.Mutex
		cfg.Host = w.host
		cfg.AppID = testAppID
		if cfg.Secret == nil {
			cfg.Secret = func() (string, error) { return testSecret + "\n", nil }
		}
		cfg.Log = slog.New(slog.NewTextHandler(w.log, nil))
		cfg.OnCall = func(_ Range, result string, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			w.results = append(w.results, result)
		}
		cfg.OnTokenRefresh = func(result string) {
			mu.Lock()
			defer mu.Unlock()
			w.renewed = append(w.renewed, result)
		}
		w.Client = New(cfg)
		story(t, w)
		_, _, last := w.State()
		w.leaks.Check(t, "the log", w.log.String())
		w.leaks.Check(t, "the state", fmt.Sprintf("%v %+v %#v", last, last, last))
	})
}

var anyQuery = Query{Range: CreateTime, Start: 1658505600, End: 1658509200, PageSize: 100}

// page makes a list call and expects the good page.
func (w *fixture) page(t *testing.T) {
	t.Helper()
	page, err := w.List(t.Context(), anyQuery)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.IDs) != 2 || page.IDs[0] != "3704612354559743232" || page.Next != "NEXT" || !page.More {
		t.Fatalf("page = %+v", page)
	}
}

// pages makes n list calls at once and returns when all have pages.
func (w *fixture) pages(t *testing.T, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if _, err := w.List(t.Context(), anyQuery); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// lines counts log lines that contain text.
func (w *fixture) lines(text string) int {
	n := 0
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
