package wechat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// leaky is an API and a network that print what they were given wherever they
// can.
type leaky struct {
	secret, token string
	attempt       int
}

func (l *leaky) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Body.Close()
	l.attempt++
	secrets := fmt.Sprintf("%s %s %s %s", l.secret, l.token, url.QueryEscape(l.token), request.URL)
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	if request.URL.Path == stableTokenPath && l.attempt != 1 {
		return answer(200, fmt.Sprintf(`{"access_token":%q,"expires_in":300}`, l.token))
	}
	switch l.attempt {
	case 1:
		return nil, &url.Error{Op: "Post", URL: request.URL.String(), Err: errors.New("secret was " + l.secret)}
	case 3:
		return nil, &url.Error{Op: "Post", URL: request.URL.String(), Err: &net.OpError{Op: "dial", Err: errors.New(secrets)}}
	case 4:
		return answer(200, "<html>"+secrets)
	case 5:
		return answer(502, secrets)
	case 6:
		return answer(200, fmt.Sprintf(`{"errcode":-1,"errmsg":%q}`, strings.Repeat("x", 290)+secrets+" rid: "+l.token))
	case 7:
		return answer(200, fmt.Sprintf(`{"errcode":45011,"errmsg":%q}`, secrets))
	case 8:
		return answer(200, fmt.Sprintf(`{"errcode":0,"order_id_list":[%q,{}]}`, secrets))
	case 9:
		return answer(200, fmt.Sprintf(`{"errcode":40001,"errmsg":%q}`, secrets))
	case 11:
		return answer(200, fmt.Sprintf(`{"errcode":40097,"errmsg":%q}`, secrets+" rid: "+secrets))
	}
	return nil, fmt.Errorf("attempt %d", l.attempt)
}

func TestNoSecretInErrorsLogsAndStates(t *testing.T) {
	synctest.Test(t, noSecretInErrorsLogsAndStates)
}

func noSecretInErrorsLogsAndStates(t *testing.T) {
	l := &leaky{secret: "very+secret/secret=", token: "TOKEN+with/odd=characters"}
	var log bytes.Buffer
	var said strings.Builder
	c := New(Config{
		AppID:     "wx1",
		Secret:    func() (string, error) { return l.secret, nil },
		Host:      &Host{URL: "http://api.test", Transport: l},
		RateLimit: 1e6,
		Log:       slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	watch := func() {
		_, _, last := c.State()
		fmt.Fprintf(&said, "%v %+v %#v\n", last, last, last)
	}
	c.onCall = func(string, time.Duration) { watch() }
	c.onTokenRefresh = func(string) { watch() }
	_, err := c.List(t.Context(), anyQuery)
	var v *Error
	if !errors.As(err, &v) || v.Code != 40097 {
		t.Errorf("error %v", err)
	}
	equal(t, "attempts", l.attempt, 11)
	fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
	said.WriteString(log.String())
	for _, secret := range []string{l.secret, l.token, url.QueryEscape(l.secret), url.QueryEscape(l.token), "TOKEN", "very"} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%q was told:\n%s", secret, said.String())
		}
	}
	if !strings.Contains(said.String(), "[redacted]") || log.Len() == 0 {
		t.Errorf("nothing was told at all:\n%s", said.String())
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
