package wechat

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func packed(t *testing.T, body string, to func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := to(&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func toGzip(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func toZlib(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func toFlate(w io.Writer) io.WriteCloser {
	f, _ := flate.NewWriter(w, 9)
	return f
}

func encoded(coding, body string) reply {
	return reply{body: body, header: http.Header{"Content-Encoding": {coding}}}
}

func TestCompressedAnswersAreRead(t *testing.T) {
	for name, r := range map[string]reply{
		"gzip":         encoded("gzip", packed(t, okPage, toGzip)),
		"GZIP":         encoded(" GZip ", packed(t, okPage, toGzip)),
		"x-gzip":       encoded("x-gzip", packed(t, okPage, toGzip)),
		"deflate":      encoded("deflate", packed(t, okPage, toZlib)),
		"bare deflate": encoded("deflate", packed(t, okPage, toFlate)),
		"identity":     encoded("identity", okPage),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &api{lists: []reply{r}}, Config{}, func(t *testing.T, w *fixture) {
				w.page(t)
				equal(t, "calls", w.api.count(listPath), 1)
			})
		})
	}
	token := encoded("gzip", packed(t, `{"access_token":"`+tokenName(1)+`","expires_in":7200}`, toGzip))
	inBubble(t, &api{tokens: []reply{token}}, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		equal(t, "calls for a token", w.api.count(stableTokenPath), 1)
	})
}

// An answer that cannot be decoded is retried, logged with the reason, and takes
// bounded memory.
func TestAnswersThatCannotBeDecoded(t *testing.T) {
	for name, c := range map[string]struct {
		bad  reply
		want string
	}{
		"br":        {encoded("br", "\x8b\x00"), `unsupported Content-Encoding "br"`},
		"two":       {encoded("gzip, gzip", "x"), `unsupported Content-Encoding "gzip, gzip"`},
		"no gzip":   {encoded("gzip", okPage), "gzip"},
		"half gzip": {encoded("gzip", packed(t, okPage, toGzip)[:30]), "unexpected EOF"},
		"bad flate": {encoded("deflate", "\xff\xff\xff\xff"), "flate"},
		"empty":     {reply{status: 200, header: http.Header{"Content-Encoding": {"gzip"}}}, "the answer is empty"},
		"a bomb":    {encoded("gzip", packed(t, `{"errcode":0,"errmsg":"`+strings.Repeat("x", 64<<20)+`"}`, toGzip)), "the answer is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &api{lists: []reply{c.bad, c.bad}}, Config{}, func(t *testing.T, w *fixture) {
				w.page(t)
				equal(t, "calls", w.api.count(listPath), 3)
				if log := w.log.String(); !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), c.want) {
					t.Errorf("log does not say %q: %s", c.want, log)
				}
				for _, result := range w.results[:2] {
					if result != "bad_body" && result != "reset" {
						t.Errorf("result %q", result)
					}
				}
			})
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	after := func(status int, text string) reply {
		return reply{status: status, body: "slow down", header: http.Header{"Retry-After": {text}}}
	}
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble
	for name, c := range map[string]struct {
		bad         reply
		least, most time.Duration
	}{
		"seconds":     {after(503, "90"), 90 * time.Second, 95 * time.Second},
		"429":         {after(429, " 7 "), 7 * time.Second, 9 * time.Second},
		"a date":      {after(503, began.Add(2*time.Minute).Format(http.TimeFormat)), 2*time.Minute - time.Second, 2*time.Minute + 5*time.Second},
		"a past date": {after(503, began.Add(-time.Hour).Format(http.TimeFormat)), 0, time.Second},
		"a day":       {after(503, "86400"), mostRetryAfter, mostRetryAfter + 5*time.Second},
		"no time":     {after(503, "soon"), 0, time.Second},
		"below 0":     {after(503, "-5"), 0, time.Second},
		"endless":     {after(503, "99999999999999999999"), mostRetryAfter, mostRetryAfter + 5*time.Second},
		"with -1":     {reply{body: `{"errcode":-1}`, header: http.Header{"Retry-After": {"30"}}}, 30 * time.Second, 32 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &api{lists: []reply{c.bad}}, Config{}, func(t *testing.T, w *fixture) {
				w.pages(t, 3) // the others wait as well
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("went on after %v, want %v to %v", took, c.least, c.most)
				}
				equal(t, "calls", w.api.count(listPath) <= 6, true)
			})
			inBubble(t, &api{tokens: []reply{c.bad}}, Config{}, func(t *testing.T, w *fixture) {
				w.page(t)
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("token: went on after %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}
