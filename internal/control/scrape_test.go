package control_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestScrape: the series of shops follow the others, as one text that Prometheus reads,
// compressed for a client that asks for it.
func TestScrape(t *testing.T) {
	for _, c := range []struct {
		accepts string
		zipped  bool
	}{{"", false}, {"gzip", true}, {"deflate, GZIP;q=0.5", true}, {"gzip;q=0", false}, {"gzip;q=0.0", false}, {"br", false}} {
		s := newServer()
		s.ShopMetrics = func(w io.Writer) error {
			_, err := io.WriteString(w, "# TYPE orderwalk_shops_own gauge\norderwalk_shops_own{shop=\"a\"} 1\n")
			return err
		}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept-Encoding", c.accepts)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if zipped := w.Header().Get("Content-Encoding") == "gzip"; w.Code != http.StatusOK || zipped != c.zipped {
			t.Fatalf("%q: %d, zipped %v", c.accepts, w.Code, zipped)
		}
		if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
			t.Errorf("%q: %s", c.accepts, kind)
		}
		var body io.Reader = w.Body
		if c.zipped {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(body)
		if err != nil || families["orderwalk_test_total"] == nil || families["orderwalk_shops_own"] == nil {
			t.Errorf("%q: %v (%v)", c.accepts, families, err)
		}
	}
}

// TestTooManyScrapes: beyond the limit a scrape is refused, and later ones are answered.
func TestTooManyScrapes(t *testing.T) {
	s := newServer()
	under, end := make(chan struct{}), make(chan struct{})
	s.ShopMetrics = func(io.Writer) error {
		under <- struct{}{}
		<-end
		return nil
	}
	handler := s.Handler()
	scrape := func(from string) int {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	const most = 8
	done := make(chan int, most)
	for i := range most {
		go func() { done <- scrape("10.0.0." + string(rune('1'+i)) + ":40000") }()
		<-under
	}
	if code := scrape("10.0.1.1:40000"); code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
	close(end)
	for range most {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a scrape within the limit: %d", code)
		}
	}
	go func() { <-under }()
	if code := scrape("10.0.1.1:40000"); code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
}
