package kafkaconn

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBearerMessage(t *testing.T) {
	b := bearer{token: "abc.def.ghi", extensions: map[string]string{"logicalCluster": "lkc-1", "identityPoolId": "pool-1"}}
	conversation, message, err := b.Start(t.Context())
	if want := "n,,\x01auth=Bearer abc.def.ghi\x01identityPoolId=pool-1\x01logicalCluster=lkc-1\x01\x01"; err != nil || string(message) != want {
		t.Errorf("message %q, %v, want %q", message, err, want)
	}
	if done, _, err := conversation.Next(t.Context(), nil); !done || err != nil {
		t.Errorf("success: %v, %v", done, err)
	}
	conversation, _, _ = b.Start(t.Context())
	done, answer, err := conversation.Next(t.Context(), []byte(`{"status":"invalid_token"}`))
	if done || string(answer) != "\x01" || err != nil {
		t.Errorf("refusal: %v, %q, %v; RFC 7628 wants one byte", done, answer, err)
	}
	if done, _, err := conversation.Next(t.Context(), nil); done || err == nil || !strings.Contains(err.Error(), "invalid_token") {
		t.Errorf("after the refusal: %v, %v", done, err)
	}
}

func TestTokenThatCannotBeSent(t *testing.T) {
	for _, token := range []string{"", "two words", "a\x01auth=Bearer other", "line\nhush"} {
		l := newBearerLogin(SASL{Token: fixed(token)})
		if _, _, err := l.mechanism(t.Context(), "b"); !Refused(err) || strings.Contains(err.Error(), "hush") {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

func TestPrincipalOfAToken(t *testing.T) {
	jwt := func(payload string) string {
		return "x." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".y"
	}
	for token, want := range map[string]string{
		jwt(`{"sub":"alice"}`): "User:alice",
		jwt(`{"sub":7}`):       "the subject of the token",
		"opaque":               "the subject of the token",
	} {
		l := newBearerLogin(SASL{Token: fixed(token)})
		if _, _, err := l.mechanism(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if got := l.principal(); got != want {
			t.Errorf("principal = %q, want %q", got, want)
		}
	}
}

// issuer is an authorization server.
type issuer struct {
	*httptest.Server
	calls atomic.Int64
	reply atomic.Value // func(http.ResponseWriter, *http.Request, int64)
}

func newIssuer(t *testing.T) *issuer {
	i := new(issuer)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := i.calls.Add(1)
		if reply, ok := i.reply.Load().(func(http.ResponseWriter, *http.Request, int64)); ok {
			reply(w, r, n)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, n)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) client() Client {
	return Client{TokenURL: i.URL + "/token", ID: "my client", Secret: fixed("p%ss hush"), Scope: "kafka write"}
}

func TestClientCredentials(t *testing.T) {
	i := newIssuer(t)
	i.reply.Store(func(w http.ResponseWriter, r *http.Request, n int64) {
		id, secret, _ := r.BasicAuth()
		if r.Method != http.MethodPost || id != "my+client" || secret != "p%25ss+hush" ||
			r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka write" || r.URL.RawQuery != "" {
			t.Errorf("request %s %s as %q, %q: %v", r.Method, r.URL, id, secret, r.Form)
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":"3600"}`, n)
	})
	g := &grants{client: i.client()}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if token, err := g.token(t.Context()); err != nil || token != "token-1" {
				t.Errorf("token = %q, %v", token, err)
			}
		})
	}
	group.Wait()
	if n := i.calls.Load(); n != 1 {
		t.Errorf("%d calls for 20 connections at once", n)
	}
	g.forget()
	if token, _ := g.token(t.Context()); token != "token-2" {
		t.Errorf("after a refusal: %q", token)
	}
	g.mu.Lock()
	if left := time.Until(g.until); left > 45*time.Minute || left < 44*time.Minute {
		t.Errorf("kept for %v of an hour", left)
	}
	g.until = time.Now()
	g.mu.Unlock()
	if token, _ := g.token(t.Context()); token != "token-3" {
		t.Errorf("after its time: %q", token)
	}
}

func TestClientCredentialsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		final  bool
		want   string
	}{
		"wrong secret": {401, `{"error":"invalid_client","error_description":"p%ss hush is wrong"}`, true, "HTTP 401, invalid_client [secret] is wrong"},
		"no json":      {502, "<html>", false, "HTTP 502"},
		"busy":         {429, `{}`, false, "HTTP 429"},
		"empty":        {200, `{}`, true, "no access_token"},
		"elsewhere":    {302, ``, false, "HTTP 302"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.reply.Store(func(w http.ResponseWriter, r *http.Request, _ int64) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			g := &grants{client: i.client()}
			_, err := g.token(t.Context())
			if err == nil || Refused(err) != c.final || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("error = %v, refused: %v", err, Refused(err))
			}
			if n := i.calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A connection that gives up does not waste the token request for the next one.
func TestTokenThatTakesLong(t *testing.T) {
	i := newIssuer(t)
	release := make(chan struct{})
	i.reply.Store(func(w http.ResponseWriter, r *http.Request, n int64) {
		<-release
		fmt.Fprint(w, `{"access_token":"late"}`)
	})
	g := &grants{client: i.client()}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	close(release)
	if token, err := g.token(t.Context()); token != "late" || err != nil || i.calls.Load() != 1 {
		t.Errorf("token = %q, %v after %d calls", token, err, i.calls.Load())
	}
}

func TestIssuerAway(t *testing.T) {
	g := &grants{client: Client{TokenURL: "http://127.0.0.1:1/token", ID: "c", Secret: fixed("hush")}}
	if _, err := g.token(t.Context()); err == nil || Refused(err) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "hush") {
		t.Errorf("error = %v", err)
	}
}
