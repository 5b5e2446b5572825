package cli

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/internal/config"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

// lateAPI stands at the URL; what is said on stderr while it fails calls brings
// it up.
type lateAPI struct {
	mu   sync.Mutex
	said bytes.Buffer
	up   atomic.Bool
}

func (l *lateAPI) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up.Store(true)
	return l.said.Write(p)
}

// TestCommandsSayThatTheyWaitForTheAPI: at once, and go on when it answers.
func TestCommandsSayThatTheyWaitForTheAPI(t *testing.T) {
	for _, command := range []string{"check", "plan"} {
		t.Run(command, func(t *testing.T) {
			checkWorld(t)
			late := &lateAPI{}
			world := simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{simulatedShop(0, 10, 1_790_000_000, 1_790_086_400, 0)}})
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !late.up.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				world.ServeHTTP(w, r)
			}))
			t.Cleanup(api.Close)
			t.Setenv("ORDERWALK_API_URL", api.URL)
			t.Setenv("ORDERWALK_START_TIME", "1790000000")
			t.Setenv("ORDERWALK_END_TIME", "1790086400")
			var out bytes.Buffer
			code := Main(t.Context(), []string{command}, Streams{Out: &out, Err: late})
			want := "waiting for the API at " + api.URL + ", 20s at most: get access token: HTTP 503 "
			if code != 0 || strings.Count(late.said.String(), "waiting for") != 1 || !strings.HasPrefix(late.said.String(), want) {
				t.Errorf("%s = %d\n%s\nwant %q in\n%s", command, code, out.String(), want, late.said.String())
			}
		})
	}
}

// TestWaysThatFail: each kind of a way that does not lead to the API has a hint
// of its own.
func TestWaysThatFail(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	for url, want := range map[string]string{
		"http://" + free.Addr().String():                  "no server listens there",
		strings.Replace(plain.URL, "http:", "https:", 1):  "speaks http and not https",
		strings.Replace(secure.URL, "https:", "http:", 1): "may expect https",
		secure.URL:                    "no TLS connection",
		"http://no-such-host.invalid": "DNS",
	} {
		if got := hintOfWay(t, url); !strings.Contains(got, want) || !strings.Contains(got, url) {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// hintOfWay is the hint after one call to a URL.
func hintOfWay(t *testing.T, url string) string {
	t.Helper()
	host := &wechat.Host{URL: url}
	defer host.Close()
	p := wechat.Platform{Host: host, AppID: "wx1", Secret: func() (string, error) { return "hush", nil }}
	_, err := p.ComponentToken(t.Context(), "ticket")
	var v *wechat.Error
	if !errors.As(err, &v) {
		t.Fatalf("%s: %v", url, err)
	}
	return wayHint(url, v)
}

// TestShopsAreNotTriedWhereNothingAnswers: 10,000 shops one after the other would
// take hours to say the same.
func TestShopsAreNotTriedWhereNothingAnswers(t *testing.T) {
	host := &wechat.Host{URL: "http://127.0.0.1:1"}
	defer host.Close()
	var none *tenants
	a := &asking{url: host.URL}
	a.waited(host, time.Now(), &wechat.Interrupted{})
	found := none.check(t.Context(), host, config.Shop{Name: "a", AppID: "wx1", Auth: "static"}, a)
	if len(found) != 1 || found[0].OK || found[0].Detail != silence {
		t.Errorf("%+v", found)
	}
}

// The API is silent if nothing was heard while a call waited. A call that waited for
// something else, or beside others that were answered, says nothing about it.
func TestSilenceOfTheAPI(t *testing.T) {
	api := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(api.Close)
	host := &wechat.Host{URL: api.URL}
	defer host.Close()
	before := time.Now()
	p := wechat.Platform{Host: host, AppID: "wx1", Secret: func() (string, error) { return "hush", nil }}
	_, err := p.ComponentToken(t.Context(), "ticket") // is answered
	var answered *wechat.Error
	if !errors.As(err, &answered) || host.LastHeard().IsZero() {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		began  time.Time
		last   *wechat.Error
		silent bool
	}{
		"others were answered": {before, nil, false},
		"nothing since":        {host.LastHeard(), nil, true},
		"its own trouble":      {host.LastHeard(), answered, false},
	} {
		a := &asking{url: host.URL}
		a.waited(host, c.began, &wechat.Interrupted{Last: c.last})
		if a.silent.Load() != c.silent {
			t.Errorf("%s: silent = %v", name, !c.silent)
		}
	}
}
