package httpserve

import (
	"net/http"
	"sync"
)

// PerPeer lets each peer have so many requests under way at once; more are
// answered with 503.
func PerPeer(most int, next http.Handler) http.Handler {
	var mu sync.Mutex
	under := map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerOf(r.RemoteAddr)
		mu.Lock()
		full := under[peer] >= most
		if !full {
			under[peer]++
		}
		mu.Unlock()
		if full {
			http.Error(w, "too many of these requests at once from this address", http.StatusServiceUnavailable)
			return
		}
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			if under[peer]--; under[peer] == 0 {
				delete(under, peer)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
