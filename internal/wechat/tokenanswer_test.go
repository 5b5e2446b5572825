package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJSONPointers(t *testing.T) {
	// The examples of RFC 6901, section 5.
	const text = `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"~1":9}`
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]any{
		"/foo/0": "bar", "/foo/1": "baz", "/": 0.0, "/a~1b": 1.0, "/c%d": 2.0, "/e^f": 3.0, "/g|h": 4.0, "/i\\j": 5.0,
		"/k\"l": 6.0, "/ ": 7.0, "/m~0n": 8.0, "/~01": 9.0,
	} {
		if got, found := pointed(document, pointer); !found || got != want {
			t.Errorf("%s = %v, %v", pointer, got, found)
		}
	}
	for _, pointer := range []string{"/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/-1", "/foo/bar", "/foo/0/bar", "/a~1b/x", "/foo/0x0"} {
		if got, found := pointed(document, pointer); found {
			t.Errorf("%s = %v", pointer, got)
		}
	}
}

func TestExpiries(t *testing.T) {
	now := time.Unix(1_800_000_000, 500_000_000)
	for text, want := range map[string]int64{
		"7200": 7200, `"7200"`: 7200, "59.9": 59, "0": 0, "-5": -1, "999999999": 2 * longestLife,
		"1800000600": 599, `" 1800000600 "`: 599, "1.8000006e9": 599, "1799999999": -1, "1000000000": -1,
		"1800000600000": 599, "1800000000400": 0, "1000000000000": -1, "1e300": 2 * longestLife,
	} {
		if got, err := expiresIn(decoded(t, text), now); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{`"soon"`, `""`, "true", "null", "[]", "{}", `"NaN"`, `"inf"`, `"2026-11-01T00:00:00Z"`} {
		if got, err := expiresIn(decoded(t, text), now); err == nil {
			t.Errorf("%s = %d", text, got)
		}
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Every answer without a token has its message and its hint, and shows no secret:
// neither of the request nor of the answer.
func TestAnswersOfAServer(t *testing.T) {
	const hush = `,"note":"hush-in-the-answer"`
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://elsewhere.test/?"+r.URL.RawQuery)
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"access_token":"hush-in-the-answer","auth":%q,"url":%q}`, r.Header.Get("Authorization"), r.URL)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, out, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = out.WriteString(text)
			_ = errors.Join(out.Flush(), conn.Close())
		}
	}
	pointers := TokenServer{Token: "/data/token", Expiry: "/data/until"}
	for name, c := range map[string]struct {
		server  TokenServer
		answer  http.HandlerFunc
		class   Class
		message string
		hint    string
	}{
		"wrong credentials": {answer: status(401), class: Wait, message: "HTTP 401 the server refuses the credentials", hint: "check the user name and the secret"},
		"no right":          {answer: status(403), class: Wait, message: "HTTP 403 the server refuses the credentials", hint: "check the user name and the secret"},
		"no credentials": {server: TokenServer{User: "nobody"}, answer: status(401), class: Wait,
			message: "requires credentials", hint: "give the secret"},
		"not found":  {answer: status(404), class: Wait, message: "HTTP 404", hint: "check the path"},
		"redirect":   {answer: status(302), class: Wait, message: "HTTP 302 the server redirects", hint: "give the address it redirects to"},
		"method":     {answer: status(405), class: Wait, message: "HTTP 405", hint: "check the access token URL"},
		"odd":        {answer: status(999), class: Wait, message: "HTTP 999", hint: "must answer with JSON"},
		"down":       {answer: status(503), class: Retry, message: "HTTP 503 the server cannot answer now", hint: "see the token server's log"},
		"busy":       {answer: status(429), class: Retry, message: "HTTP 429", hint: "see the token server's log"},
		"empty":      {answer: body(""), class: Wait, message: "the answer is empty", hint: "must answer with JSON"},
		"page":       {answer: body("<html>hush-in-the-answer"), class: Wait, message: "not JSON (24 bytes)", hint: "must answer with JSON"},
		"two values": {answer: body(`{"access_token":"hush-in-the-answer"} {}`), class: Wait, message: "not JSON", hint: "must answer with JSON"},
		"cut off":    {answer: body(`{"access_token":"hush-in-the-ans`), class: Wait, message: "not JSON", hint: "must answer with JSON"},
		"too large":  {answer: body(`"` + strings.Repeat("x", maxServerAnswer)), class: Wait, message: "too large", hint: "must answer with JSON"},
		"no token":   {answer: body(`{"token":"hush-in-the-answer"}`), class: Wait, message: "the answer has no /access_token", hint: "check the JSON pointer to the token"},
		"vendor":     {answer: body(`{"errcode":40164,"errmsg":"x"}`), class: Wait, message: "no /access_token, but an errcode: 40164", hint: "check the JSON pointer to the token"},
		"a list":     {answer: body(`["hush-in-the-answer"]`), class: Wait, message: "the answer has no /access_token", hint: "check the JSON pointer"},
		"a number":   {answer: body(`{"access_token":123456789012` + hush + `}`), class: Wait, message: "/access_token is not a text", hint: "check the JSON pointer"},
		"blank":      {answer: body(`{"access_token":" "` + hush + `}`), class: Wait, message: "the token at /access_token is empty", hint: "has a token of this app ID"},
		"control":    {answer: body(`{"access_token":"hush-in\nthe-answer\u0000"` + hush + `}`), class: Wait, message: "the text at /access_token is no access token (19 bytes)", hint: "check the JSON pointer"},
		"a sentence": {answer: body(`{"access_token":"hush-in-the-answer is not here"}`), class: Wait, message: "is no access token (30 bytes)", hint: "check the JSON pointer"},
		"a long one": {answer: body(`{"access_token":"` + strings.Repeat("x", 4097) + `"}`), class: Wait, message: "is no access token (4097 bytes)", hint: "check the JSON pointer"},
		"no expiry": {server: pointers, answer: body(`{"data":{"token":"hush-in-the-answer"}}`), class: Wait,
			message: "the answer has no /data/until", hint: "check the JSON pointer to the expiry"},
		"not a time": {server: pointers, answer: body(`{"data":{"token":"hush-in-the-answer","until":"hush-in-the-answer"}}`), class: Wait,
			message: "the value at /data/until is neither a number of seconds nor a Unix time", hint: "check the JSON pointer to the expiry"},
		"past": {server: pointers, answer: body(`{"data":{"token":"hush-in-the-answer","until":-1}}`), class: Wait,
			message: "expired already, by /data/until", hint: "the clocks of both machines"},
		"hangs":    {answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, class: Retry, message: "no answer in time", hint: "check that the token server runs"},
		"hangs up": {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, class: Retry, message: "EOF", hint: "check the access token URL and any proxy"},
		"not HTTP": {answer: raw("hush-in-the-answer\r\n\r\n"), class: Retry, message: "malformed HTTP response", hint: "any proxy"},
		"headers":  {answer: raw("HTTP/1.1 200 OK\r\nhush-in-the-answer\r\n\r\n"), class: Retry, message: "malformed MIME header", hint: "any proxy"},
		"encoding": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "hush-in-the-answer")
			fmt.Fprint(w, "x")
		}, class: Wait, message: "unsupported Content-Encoding", hint: "must answer with JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lender{value: tokenName(1), life: 7200}
			withLender(t, &api{}, l, c.server, func(t *testing.T, w *fixture) {
				w.leaks.Hide("a secret of an answer", "hush-in-the-answer")
				l.plan(slices.Repeat([]http.HandlerFunc{c.answer}, 40)...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := w.List(ctx, anyQuery)
				var v *Error
				var waited *Interrupted
				if errors.As(err, &waited) {
					v = waited.Last
				} else {
					errors.As(err, &v)
				}
				if v == nil || v.Class != c.class || !OfTokenServer(err) || (c.class == Retry) != (waited != nil) {
					t.Fatalf("error %v", err)
				}
				if v.Op != "get access token from tokens.test" || !strings.Contains(v.Error(), c.message) || !strings.Contains(v.Hint, c.hint) {
					t.Errorf("error %v", v)
				}
				w.leaks.Check(t, "the error", fmt.Sprintf("%v %+v %#v", err, err, v))
				w.leaks.Check(t, "the results", strings.Join(w.renewed, " "))
				equal(t, "list calls", w.api.count(listPath), 0)
				// It does not last.
				l.plan()
				w.page(t)
			})
		})
	}
}
