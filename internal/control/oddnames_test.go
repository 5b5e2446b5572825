package control_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A shop may have a name that only looks like a path, also one of dots that an earlier version
// has created; it is reached by it, escaped, so that it can be deleted again.
func TestNamesThatLookLikePaths(t *testing.T) {
	h := newServer().Handler()
	for name, path := range map[string]string{"..": "%2E%2E", ".": "%2E", "a/": "a%2F", "a//b": "a%2F%2Fb", "/a": "%2Fa"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/connectors/"+path, nil))
		if w.Code != 403 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
