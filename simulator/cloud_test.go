package simulator_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// withCloud returns a server whose hosting belongs to the second shop.
func withCloud(open bool) *simulator.Server {
	return simulator.New(simulator.Config{
		Seed: 42,
		Shops: []simulator.Shop{
			{AppID: "wx2"}, {AppID: appID, Secret: secret, Token: token, Backlog: hundred},
		},
		Cloud: simulator.Cloud{AppID: appID, Open: open},
	})
}

func cloudToken(t testing.TB, s *simulator.Server) string {
	t.Helper()
	text, err := s.CloudToken()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func listByCloud(t testing.TB, s http.Handler, cloudToken string) reply {
	t.Helper()
	return call(t, s, "POST", listPath+"?cloudbase_access_token="+cloudToken, created(epoch-3600, epoch, 100, ""))
}

// A new token every ten minutes, each valid for thirty, and only in its own parameter.
func TestCloudTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withCloud(false)
		first := cloudToken(t, s)
		if r := listByCloud(t, s, first); len(r.ids(t)) != 100 {
			t.Error(r.raw)
		}
		wantCode(t, listWith(t, s, first), 40001)
		wantCode(t, listByCloud(t, s, token), 40001)
		wantCode(t, listByCloud(t, s, "x"), 40001)
		wantCode(t, listByCloud(t, s, ""), 41001)
		wantCode(t, call(t, s, "POST", "/cgi-bin/openapi/quota/get?cloudbase_access_token="+first, aboutList), 48001)
		time.Sleep(10*time.Minute - time.Nanosecond)
		if cloudToken(t, s) != first {
			t.Error("another token within ten minutes")
		}
		time.Sleep(time.Nanosecond)
		second := cloudToken(t, s)
		if second == first {
			t.Error("the same token after ten minutes")
		}
		time.Sleep(20*time.Minute - time.Nanosecond)
		wantCode(t, listByCloud(t, s, first), 0)
		time.Sleep(time.Nanosecond)
		wantCode(t, listByCloud(t, s, first), 42001)
		wantCode(t, listByCloud(t, s, second), 0)
		if _, err := simulator.New(simulator.Config{}).CloudToken(); err == nil {
			t.Error("a token of no shop")
		}
	})
}

func TestCloudTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloudbase_access_token")
	synctest.Test(t, func(t *testing.T) {
		s := withCloud(false)
		ctx, cancel := context.WithCancel(t.Context())
		kept := make(chan error)
		go func() { kept <- s.KeepCloudToken(ctx, path) }()
		seen := map[string]bool{}
		for range 10 {
			synctest.Wait()
			text, err := os.ReadFile(path)
			if err != nil || string(text) != cloudToken(t, s) {
				t.Fatalf("the file holds %q, %v", text, err)
			}
			wantCode(t, listByCloud(t, s, string(text)), 0)
			seen[string(text)] = true
			time.Sleep(10 * time.Minute)
		}
		cancel()
		if err := <-kept; err != nil || len(seen) != 10 {
			t.Errorf("%d tokens, %v", len(seen), err)
		}
		if err := s.KeepCloudToken(t.Context(), filepath.Join(path, "no folder")); err == nil || strings.Contains(err.Error(), cloudToken(t, s)) {
			t.Error(err)
		}
	})
}

// Calls without a token count as the hosting's shop's, over plain http, and only if
// the relay is on.
func TestRelay(t *testing.T) {
	wantCode(t, listWith(t, withCloud(false), ""), 41001)
	s := withCloud(true)
	r := call(t, s, "POST", listPath, created(epoch-3600, epoch, 100, ""))
	if len(r.ids(t)) != 100 {
		t.Error(r.raw)
	}
	if got := s.Stats().Shops[appID].ListCalls; got != 1 {
		t.Errorf("%d calls of the shop", got)
	}
	wantCode(t, listWith(t, s, "x"), 40001)
	wantCode(t, call(t, s, "POST", "/cgi-bin/openapi/quota/get", aboutList), 48001)
	wantCode(t, stable(t, s, false), 0)
	on(t, s, "require_https")
	wantCode(t, listWith(t, s, ""), 0)
	on(t, s)
	body := created(1, 2, 10, "")
	secure := httptest.NewRequest(http.MethodPost, listPath, strings.NewReader(body))
	secure.TLS = new(tls.ConnectionState)
	wantCode(t, do(t, s, secure), 41001)
	// The default is the first shop.
	first := simulator.New(simulator.Config{Shops: []simulator.Shop{{AppID: appID}, {AppID: "wx2"}}, Cloud: simulator.Cloud{Open: true}})
	wantCode(t, listWith(t, first, ""), 0)
	if got := first.Stats().Shops[appID].ListCalls; got != 1 {
		t.Errorf("%d calls of the first shop", got)
	}
	wantCode(t, listWith(t, simulator.New(simulator.Config{Cloud: simulator.Cloud{Open: true}}), ""), 41001)
}

func TestVerifyTicketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ticket")
	onPlatform(t, func(t *testing.T, s *simulator.Server) {
		ctx, cancel := context.WithCancel(t.Context())
		kept := make(chan error)
		go func() { kept <- s.KeepVerifyTicket(ctx, path) }()
		for range 3 {
			synctest.Wait()
			text, err := os.ReadFile(path)
			if err != nil || string(text) != s.VerifyTicket(time.Now()) {
				t.Errorf("the file holds %q, %v", text, err)
			}
			time.Sleep(10 * time.Minute)
		}
		cancel()
		if err := <-kept; err != nil {
			t.Error(err)
		}
	})
}
