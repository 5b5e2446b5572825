package control_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// Bodies that do not say which shops, or what is wanted of them, change nothing.
func TestCallsForManyShopsAreChecked(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"PUT", "/shops/target", `{"target":"PAUSED"}`, 400, `give either`},
		{"PUT", "/shops/target", `{"target":"PAUSED","shops":[]}`, 400, `give either`},
		{"PUT", "/shops/target", `{"target":"PAUSED","shops":["a"],"all":true}`, 400, `give either`},
		{"PUT", "/shops/target", `{"target":"paused","all":true}`, 400, `RUNNING, PAUSED or STOPPED`},
		{"PUT", "/shops/target", `{"all":true}`, 400, `RUNNING, PAUSED or STOPPED`},
		{"PUT", "/shops/target", `{"target":"PAUSED","all":true} {}`, 400, `more than one`},
		{"PUT", "/shops/target", `{"target":"PAUSED","shops":["` + strings.Repeat("x", 5<<20) + `"]}`, 413, `more than 4194304 bytes`},
		{"POST", "/shops/restart", `{"onlyFailed":true,"all":true}`, 400, `field that this call does not know`},
		{"POST", "/shops/restart", ``, 400, `empty or cut off`},
		{"DELETE", "/shops/target", ``, 405, `HTTP 405`},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1:8083"
		w := httptest.NewRecorder()
		watched(t, newServer()).ServeHTTP(w, r)
		if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s %.60s = %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}
