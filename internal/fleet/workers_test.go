package fleet

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"orderwalk/internal/group"
)

// A member of the group that is no worker cannot make this one call anything else than
// the reports at a host and port: not by its URL, and not by a redirect.
func TestAForgedWorkerChoosesNoCall(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	var asked []string
	forged := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI)
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("the call has %v", r.Header)
		}
		http.Redirect(w, r, other.URL+"/shops", http.StatusTemporaryRedirect)
	}))
	defer forged.Close()
	f := &Fleet{cfg: Config{Client: http.DefaultClient}}
	ask := func(url string) string {
		err := f.ask(t.Context(), group.Worker{ID: "forged", URL: url}, "a shop", func(Shop) { t.Errorf("%s: a report", url) })
		if err == nil {
			t.Errorf("%s: no error", url)
			return ""
		}
		return err.Error()
	}
	if said := ask(forged.URL + "/"); !strings.Contains(said, "it answered 307") {
		t.Errorf("a redirect: %s", said)
	}
	host := strings.TrimPrefix(forged.URL, "http://")
	for _, url := range []string{
		forged.URL + "/connectors", forged.URL + "?a=", forged.URL + "/?", forged.URL + "#", "http://user:password@" + host, "file:///etc/passwd", "http://127.0.0.1",
		host, "//" + host, "http:" + host, "gopher://" + host, "http://" + host + "/..", "http://" + host + "\r\nX: y", "http:// " + host, "HTTP://" + host + "/a",
	} {
		if said := ask(url); !strings.Contains(said, errNoPage.Error()) {
			t.Errorf("%q: %s", url, said)
		}
	}
	if got := strings.Join(asked, ", "); got != "GET /shops?scope=worker&shop=a+shop" || elsewhere.Load() != 0 {
		t.Errorf("asked %s, and %d calls elsewhere", got, elsewhere.Load())
	}
}
