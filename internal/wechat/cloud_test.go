package wechat

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCloudTokenAtTheWire(t *testing.T) {
	value, err := "cloud+token/1=\n", error(nil)
	cfg := Config{Auth: AuthCloudFile, Token: func() (string, error) { return value, err }}
	inBubble(t, &api{}, cfg, func(t *testing.T, w *fixture) {
		w.page(t)
		value = "cloud-2"
		w.page(t)
		calls := w.api.seen()
		equal(t, "calls", len(calls), 2)
		equal(t, "query", calls[0].query, "cloudbase_access_token=cloud%2Btoken%2F1%3D")
		equal(t, "query after the file has changed", calls[1].query, "cloudbase_access_token=cloud-2")

		// The folder is not mounted, or the vendor has not written yet.
		for text, bad := range map[string]error{
			"file does not exist":             &fs.PathError{Op: "open", Path: "/.tencentcloudbase/wx/cloudbase_access_token", Err: fs.ErrNotExist},
			"the cloud token's file is empty": nil,
		} {
			value, err = " \n", bad
			_, got := w.List(t.Context(), anyQuery)
			wantClass(t, got, Wait, 0)
			if !strings.Contains(got.Error(), text) || !strings.Contains(got.Error(), hintCloudFile) {
				t.Errorf("error %v", got)
			}
		}
		equal(t, "calls without a token", len(w.api.seen()), 2)

		// The API refuses the token, and the file still holds the same one.
		value, err, w.api.lists = "cloud-3", nil, []reply{code(42001)}
		_, got := w.List(t.Context(), anyQuery)
		wantClass(t, got, Wait, 42001)
		equal(t, "hint", got.(*Error).Hint, hintCloudDead)
		w.api.lists = []reply{code(48001)}
		_, got = w.List(t.Context(), anyQuery)
		equal(t, "hint", got.(*Error).Hint, hintCloudPath)
	})
}

// Kubernetes updates a mounted volume by swapping a symbolic link to a folder.
func TestCloudTokenBehindASwappedLink(t *testing.T) {
	dir := t.TempDir()
	swap := func(name, token string) {
		t.Helper()
		if err := errors.Join(os.Mkdir(filepath.Join(dir, name), 0o755),
			os.WriteFile(filepath.Join(dir, name, "token"), []byte(token), 0o600),
			os.Symlink(name, filepath.Join(dir, "next")),
			os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "now"))); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (string, error) {
		text, err := os.ReadFile(filepath.Join(dir, "now", "token"))
		return string(text), err
	}
	a := &api{}
	inBubble(t, a, Config{Auth: AuthCloudFile, Token: read}, func(t *testing.T, w *fixture) {
		given := w.Given()
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, Wait, 0)
		began := time.Now()
		waited := make(chan error)
		go func() {
			_, err := w.Await(t.Context(), 10*time.Minute, given)
			waited <- err
		}()
		time.Sleep(time.Minute + time.Second)
		swap("..1", "one")
		if err := <-waited; err != nil || time.Since(began) > time.Minute+pollEvery {
			t.Errorf("waited %v, %v", time.Since(began), err)
		}
		w.page(t)
		swap("..2", "two")
		w.page(t)
		var queries []string
		for _, c := range a.seen() {
			queries = append(queries, c.query)
		}
		equal(t, "queries", strings.Join(queries, " "), "cloudbase_access_token=one cloudbase_access_token=two")
	})
}

func TestAwait(t *testing.T) {
	secret := "one"
	cfg := Config{Secret: func() (string, error) { return secret, nil }}
	inBubble(t, &api{}, cfg, func(t *testing.T, w *fixture) {
		began := time.Now()
		given := w.Given()
		if changed, err := w.Await(t.Context(), time.Minute+time.Second, given); changed || err != nil || time.Since(began) != time.Minute+time.Second {
			t.Errorf("waited %v, %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := w.Await(ctx, time.Hour, given); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		// A change between the refusal and the wait is noticed.
		secret = "two"
		if changed, err := w.Await(t.Context(), time.Hour, given); !changed || err != nil || time.Since(began) > 2*time.Minute {
			t.Errorf("waited %v, %v, %v", time.Since(began), changed, err)
		}
	})
	inBubble(t, &api{}, Config{Auth: AuthCloudOpen, Host: &Host{URL: "http://127.0.0.1"}}, func(t *testing.T, w *fixture) {
		began := time.Now()
		if _, err := w.Await(t.Context(), time.Minute, w.Given()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("waited %v, %v", time.Since(began), err)
		}
	})
}

var marked = http.Header{"X-Openapi-Seqid": {"1"}}

// The default URL says https. Calls without a token go in plain http and past any
// proxy; the test's network has no TLS, so https would fail.
func TestCloudOpenAtTheWire(t *testing.T) {
	a := &api{lists: []reply{{body: okPage, header: marked}}}
	inBubble(t, a, Config{Auth: AuthCloudOpen, Host: &Host{}}, func(t *testing.T, w *fixture) {
		w.page(t)
		calls := a.seen()
		equal(t, "calls", len(calls), 1)
		equal(t, "query", calls[0].query, "")
		equal(t, "warnings", w.lines("level=WARN"), 0)
		for range 3 {
			w.page(t) // these lack the relay's mark
		}
		equal(t, "warnings", w.lines("x-openapi-seqid"), 1)
	})
}

func TestCloudOpenWaitsForTheRelay(t *testing.T) {
	a := &api{}
	for range 10 {
		a.lists = append(a.lists, code(41001))
	}
	inBubble(t, a, Config{Auth: AuthCloudOpen, Host: &Host{}}, func(t *testing.T, w *fixture) {
		go func() {
			time.Sleep(10 * time.Second)
			state, _, last := w.State()
			equal(t, "state", state, StateRetrying)
			if last == nil || !strings.Contains(last.Error(), hintRelay) {
				t.Errorf("last error %v", last)
			}
		}()
		w.page(t)
		a.lists = []reply{code(40001), code(42001)} // about the relay's token
		w.page(t)
		equal(t, "token calls", a.count(stableTokenPath), 0)
		a.lists = []reply{code(48001)}
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, Wait, 48001)
		equal(t, "hint", err.(*Error).Hint, hintCloudPath)
	})
}

// To any other host, a call without a token is a bug, and stops the shop.
func TestMissingTokenStopsOtherWays(t *testing.T) {
	inBubble(t, &api{lists: []reply{code(41001)}}, Config{}, func(t *testing.T, w *fixture) {
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, Stop, 41001)
	})
}

func TestCloudOpenCallsNobodyElse(t *testing.T) {
	for address, fine := range map[string]bool{
		"":                                   true,
		"https://api.weixin.qq.com":          true,
		"http://api.weixin.qq.com/":          true,
		"http://API.weixin.qq.com":           true,
		"http://127.0.0.1:8084":              true,
		"http://127.1.2.3/path":              true,
		"http://[::1]:8084":                  true,
		"http://localhost:8084":              true,
		"https://127.0.0.1:8084":             false,
		"https://localhost":                  false,
		"http://api.weixin.qq.com:8080":      false,
		"http://api.weixin.qq.com/elsewhere": false,
		"http://api.weixin.qq.com.evil.test": false,
		"http://notlocalhost":                false,
		"http://10.0.0.1":                    false,
		"http://0.0.0.0":                     false,
	} {
		c := New(Config{Auth: AuthCloudOpen, Host: &Host{URL: address}})
		if (c.refused == nil) != fine {
			t.Errorf("%q: %v", address, c.refused)
		}
		if c.refused != nil {
			wantClass(t, c.refused, Stop, 0)
		}
	}
}

func TestOnlyOtherCallsGoThroughAProxy(t *testing.T) {
	for address, direct := range map[string]bool{
		"http://api.weixin.qq.com/channels/ec/order/list/get": true,
		"https://api.weixin.qq.com/cgi-bin/stable_token":      false,
		"http://gateway.test/cgi-bin/stable_token":            false,
	} {
		request, err := http.NewRequest(http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked := false
		through := proxyUnlessRelayed(func(*http.Request) (*url.URL, error) { asked = true; return nil, nil })
		if _, err := through(request); err != nil || asked == direct {
			t.Errorf("%s: the proxy was asked for: %v, %v", address, asked, err)
		}
	}
}
