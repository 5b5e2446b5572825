package openapitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
)

// Watch passes requests on to a handler and fails the test for each exchange that a
// document does not describe. Seen remembers them.
type Watch struct {
	Document *Document
	Handler  http.Handler

	t    testing.TB
	mu   sync.Mutex
	seen map[string]int
}

// NewWatch returns a watch. Its handler may panic with http.ErrAbortHandler: such an
// exchange has no answer.
func NewWatch(t testing.TB, document *Document, handler http.Handler) *Watch {
	return &Watch{Document: document, Handler: handler, t: t, seen: map[string]int{}}
}

// Seen returns how often an operation was answered with a status: "GET /health 200", and
// how often a parameter was given in the query: "GET /connectors?expand".
func (w *Watch) Seen() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]int, len(w.seen))
	for what, n := range w.seen {
		all[what] = n
	}
	return all
}

// ServeHTTP implements http.Handler.
func (w *Watch) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	answer := &answer{ResponseWriter: to}
	w.Handler.ServeHTTP(answer, r)
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	exchange := Exchange{Method: r.Method, URL: r.URL, Request: sent, Status: answer.status, Header: to.Header(), Answer: answer.body.Bytes()}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.Document.Check(exchange); err != nil {
		w.t.Errorf("the document does not describe %s %s: %v\n%.500s\n%d %v\n%.1000s", r.Method, r.URL, err, sent, answer.status, to.Header(), &answer.body)
	}
	path, _ := w.Document.Find(r.URL.EscapedPath())
	w.seen[fmt.Sprint(r.Method, " ", path, " ", answer.status)]++
	for name := range r.URL.Query() {
		w.seen[r.Method+" "+path+"?"+name]++
	}
}

// answer keeps what a handler answers.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what the connection can do.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
