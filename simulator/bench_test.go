package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"orderwalk/simulator"
)

var million = simulator.Backlog{Orders: 1_000_000, From: epoch - 604800, To: epoch - 1}

// BenchmarkPage lists pages of 100 out of a million orders, all in one range.
func BenchmarkPage(b *testing.B) {
	s := shop(million, simulator.Live{}, simulator.Faults{})
	target, key := listPath+"?access_token="+token, ""
	b.ReportAllocs()
	for b.Loop() {
		body := created(million.From, million.To, 100, key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
		_, rest, _ := strings.Cut(w.Body.String(), `"next_key":"`)
		key, _, _ = strings.Cut(rest, `"`)
	}
}

// BenchmarkNew creates a million orders and reports the memory of one.
func BenchmarkNew(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var s *simulator.Server
	for b.Loop() {
		s = shop(million, simulator.Live{}, simulator.Faults{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB")
	runtime.KeepAlive(s)
}
