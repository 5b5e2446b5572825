package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/test/logtest"
)

// leaky is an API and a network that print what they receive wherever they can: the
// secrets they know, and the request.
type leaky struct {
	secrets []string
	token   string
	tokens  int // token calls so far
	others  int
	most    int // number of leaks to try
}

func (l *leaky) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		body, _ = io.ReadAll(request.Body)
		request.Body.Close()
	}
	if request.URL.Path == stableTokenPath || request.URL.Path == plainTokenPath {
		if l.tokens++; l.tokens > len(leaks) {
			return answering(200, fmt.Sprintf(`{"access_token":%q,"expires_in":300}`, l.token))
		}
		return leaks[l.tokens-1](request, l.words(request, body))
	}
	l.others++
	return leaks[min(l.others, l.most)-1](request, l.words(request, body))
}

func (l *leaky) words(request *http.Request, body []byte) string {
	text := fmt.Sprintf("%s %s %s", request.URL, request.URL.RawQuery, body)
	known := l.secrets
	if request.URL.Path == listPath || request.URL.Path == quotaPath {
		known = append(slices.Clone(known), l.token) // before a token call there is no token
	}
	for _, secret := range known {
		text += " " + secret + " " + url.QueryEscape(secret)
	}
	return text
}

func answering(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// leaks are the ways in which an answer, or a lost call, can reveal too much. All but
// the last are retried.
var leaks = []func(request *http.Request, words string) (*http.Response, error){
	func(request *http.Request, words string) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: request.URL.String(), Err: errors.New("given was " + words)}
	},
	func(request *http.Request, words string) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: request.URL.String(), Err: &net.OpError{Op: "dial", Err: errors.New(words)}}
	},
	func(_ *http.Request, words string) (*http.Response, error) { return answering(200, "<html>"+words) },
	func(_ *http.Request, words string) (*http.Response, error) { return answering(502, words) },
	func(_ *http.Request, words string) (*http.Response, error) {
		return answering(200, fmt.Sprintf(`{"errcode":-1,"errmsg":%q}`, strings.Repeat("x", 250)+words+" rid: "+words))
	},
	func(_ *http.Request, words string) (*http.Response, error) {
		return answering(200, fmt.Sprintf(`{"errcode":45011,"errmsg":%q}`, words))
	},
	func(_ *http.Request, words string) (*http.Response, error) {
		return answering(200, fmt.Sprintf(`{"errcode":0,"order_id_list":[%q,{}],"access_token":{%q:1}}`, words, words))
	},
	func(_ *http.Request, words string) (*http.Response, error) {
		return answering(503, fmt.Sprintf(`{"errcode":%q}`, words))
	},
	func(_ *http.Request, words string) (*http.Response, error) {
		return answering(200, fmt.Sprintf(`{"errcode":40097,"errmsg":%q}`, words+" rid: "+words))
	},
}

// told reports every secret that appears in the logs and errors.
func told(t *testing.T, said string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), secret[:8], strings.ReplaceAll(secret, "+", " ")} {
			if at := strings.Index(said, form); at >= 0 {
				t.Errorf("%q was revealed: …%s…", form, said[max(0, at-200):min(len(said), at+200)])
			}
		}
	}
}

func TestNoSecretInErrorsLogsAndStates(t *testing.T) {
	const token = "TOKEN+with/odd=characters"
	given := func() (string, error) { return token, nil }
	for _, cfg := range []Config{
		{Auth: AuthStableToken}, {Auth: AuthToken}, {Auth: AuthStatic, Token: given}, {Auth: AuthCloudFile, Token: given},
		{Auth: AuthComponent, Tokens: func(context.Context, string) (string, error) { return token, nil }},
	} {
		t.Run(cfg.Auth, func(t *testing.T) {
			l := &leaky{token: token, most: len(leaks)}
			if cfg.Auth == AuthStableToken || cfg.Auth == AuthToken {
				l.secrets = []string{"very+secret/secret="}
				cfg.Secret = func() (string, error) { return l.secrets[0], nil }
			}
			synctest.Test(t, func(t *testing.T) { noSecretInErrorsLogsAndStates(t, l, cfg) })
		})
	}
}

func noSecretInErrorsLogsAndStates(t *testing.T, l *leaky, cfg Config) {
	var log logtest.Buffer
	var said strings.Builder
	cfg.AppID = "wx1"
	cfg.Host = &Host{URL: "http://api.test", Transport: l}
	cfg.RateLimit = 1e6
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := New(cfg)
	watch := func() {
		_, _, last := c.State()
		fmt.Fprintf(&said, "%v %+v %#v\n", last, last, last)
	}
	c.onCall = func(Range, string, time.Duration) { watch() }
	c.onTokenRefresh = func(string) { watch() }
	try := func(ask func() error) {
		t.Helper()
		err := ask()
		var v *Error
		if !errors.As(err, &v) || v.Code != 40097 {
			t.Errorf("error %v", err)
		}
		fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
	}
	list := func() error { _, err := c.List(t.Context(), anyQuery); return err }
	if l.secrets != nil {
		try(list) // ends with the last leak of the token call
	}
	try(list)
	equal(t, "list calls", l.others, len(leaks))
	for i := range leaks {
		l.others, l.most = i, i+1 // each leak three times, unless it ends the call
		_, err := c.Quota(t.Context())
		fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
	}
	said.WriteString(log.String())
	told(t, said.String(), append(l.secrets, l.token)...)
	if !strings.Contains(said.String(), "[redacted]") || len(log.String()) == 0 {
		t.Errorf("no log and no error at all:\n%s", said.String())
	}
}

// The platform's calls carry more kinds of secrets than the others.
func TestNoSecretInErrorsOfPlatformCalls(t *testing.T) {
	for name, c := range platformCalls {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			redacted := 0
			for i := range leaks {
				l := &leaky{others: i, most: i + 1}
				p := &Platform{Host: &Host{URL: "http://api.test", Transport: l}, AppID: "wxplatform",
					Secret: func() (string, error) { return platformSecret, nil }}
				err := c.call(t, p)
				var v *Error
				if !errors.As(err, &v) {
					if name == "tickets" && i == 6 {
						continue // an errcode of 0 is this call's whole answer
					}
					t.Fatalf("leak %d: %v", i, err)
				}
				redacted += strings.Count(err.Error(), "[redacted]")
				fmt.Fprintf(&said, "%v %+v %#v\n", err, err, v)
			}
			told(t, said.String(), platformSecret, ticket, authCode, refreshToken, platformToken)
			if redacted == 0 {
				t.Errorf("no log and no error at all:\n%s", said.String())
			}
		})
	}
}

func TestRedactor(t *testing.T) {
	var r redactor
	r.hide("")
	r.hide("abc")
	r.hide("abcdef")
	r.hide("a+b")
	for text, want := range map[string]string{
		"x abcdef y":    "x [redacted] y",
		"abc\nabcd":     "[redacted] [redacted]d",
		"a+b a%2Bb":     "[redacted] [redacted]",
		"\xff\x00 fine": "?  fine",
		" ":             "",
	} {
		equal(t, text, r.text(text), want)
	}
	equal(t, "length", len(r.text(strings.Repeat("数", 1000))) <= maxMessage+len("…"), true)
	for i := range 100 {
		r.hide("abc") // in use all the time
		r.hide(fmt.Sprintf("token-%03d", i))
	}
	equal(t, "the latest", r.text("abc token-099 token-095"), "[redacted] [redacted] [redacted]")

	message, rid := r.message(strings.Repeat("x", 1000) + " rid: 6566bde8-1cb6f4b9-2a1f0000")
	equal(t, "rid", rid, "6566bde8-1cb6f4b9-2a1f0000")
	equal(t, "message", message, strings.Repeat("x", maxMessage)+"…")
	message, rid = r.message(", next_key参数不正确")
	equal(t, "message without rid", message+rid, ", next_key参数不正确")
}

func TestUnreadableSecretsAreNotQuoted(t *testing.T) {
	c := New(Config{Auth: AuthStatic, Token: func() (string, error) {
		return "", &url.Error{Op: "Get", URL: "http://vault.test/?key=HUSH", Err: fs.ErrNotExist}
	}})
	_, err := c.List(t.Context(), anyQuery)
	wantClass(t, err, Wait, 0)
	if strings.Contains(err.Error(), "HUSH") {
		t.Error(err)
	}
}
