package wechat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func BenchmarkListResponse(b *testing.B) {
	body := fullPage(100)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := parseListResponse(body, 100); err != nil || len(r.ids) != 100 {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkReference decodes the same page with encoding/json.
func BenchmarkReference(b *testing.B) {
	body := fullPage(100)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := referenceListResponse(body); err != nil || len(r.ids) != 100 {
			b.Fatal(r, err)
		}
	}
}

// canned answers without a network: what is left is the client's own work.
type canned string

func (c canned) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Date": {"Mon, 23 Nov 2026 10:00:00 GMT"}},
		Body: io.NopCloser(strings.NewReader(string(c)))}, nil
}

func BenchmarkListAlone(b *testing.B) {
	c := New(Config{Auth: AuthStatic, Token: func() (string, error) { return "T", nil }, RateLimit: 1e9,
		Host: &Host{Transport: canned(fullPage(100))}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.List(b.Context(), anyQuery); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkList(b *testing.B, callers int) {
	page := []byte(fullPage(100))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(page)
	}))
	defer server.Close()
	host := &Host{URL: server.URL}
	defer host.Close()
	c := New(Config{Host: host, Auth: AuthStatic, Token: func() (string, error) { return "T", nil }, RateLimit: 1e9})
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range (b.N + i) / callers {
				if _, err := c.List(b.Context(), anyQuery); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}

func BenchmarkListOneCaller(b *testing.B)    { benchmarkList(b, 1) }
func BenchmarkListEightCallers(b *testing.B) { benchmarkList(b, 8) }
