package control

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// everyPath adds to a mux what all paths of Kafka Connect's REST have in common: a slash
// at the end changes nothing, OPTIONS lists the methods, a client that takes no JSON is told
// so before anything is changed, and errors of the mux itself,
// unknown path and wrong method, have the body of every other error. No path redirects to
// another one, which clients do not follow for a call that changes state.
func everyPath(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = plainPath(r)
		at := r.URL.EscapedPath()
		if path.Clean(at) != at || at != "/" && strings.Trim(r.URL.Path, "/") == "" { // the mux would redirect, or take it for /
			notThere(w)
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			if strings.Contains(pattern, " /connector") && !takesJSON(r) {
				writeError(w, http.StatusNotAcceptable, "HTTP 406 Not Acceptable")
				return
			}
			mux.ServeHTTP(w, r)
			return
		}
		refusal := refusal{header: http.Header{}, status: http.StatusOK}
		mux.ServeHTTP(&refusal, r)
		if allow := refusal.header.Get("Allow"); allow != "" {
			methods := append(strings.Split(allow, ", "), http.MethodOptions)
			slices.Sort(methods)
			w.Header().Set("Allow", strings.Join(methods, ", "))
			if r.Method == http.MethodOptions {
				return
			}
		}
		writeError(w, refusal.status, fmt.Sprintf("HTTP %d %s", refusal.status, http.StatusText(refusal.status)))
	})
}

// takesJSON reports whether a client accepts JSON, or does not say what it accepts.
func takesJSON(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	for kind := range strings.SplitSeq(accept, ",") {
		kind, _, _ = strings.Cut(kind, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json", "application/*", "*/*":
			return true
		}
	}
	return strings.TrimSpace(accept) == ""
}

// plainPath removes a slash at the end of a path, which some clients of Connect add.
func plainPath(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	if len(path) < 2 || !strings.HasSuffix(path, "/") || strings.HasSuffix(path, "//") {
		return r
	}
	plain := r.Clone(r.Context())
	plain.URL.Path = strings.TrimSuffix(plain.URL.Path, "/")
	plain.URL.RawPath = strings.TrimSuffix(plain.URL.RawPath, "/")
	return plain
}

// refusal keeps the status and the headers of an answer and drops its body.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }

// notThere answers as for an unknown path.
func notThere(w http.ResponseWriter) { writeError(w, http.StatusNotFound, "HTTP 404 Not Found") }
