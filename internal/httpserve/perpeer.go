package httpserve

import (
	"net/http"
	"sync"
)

// PerPeer bounds the concurrent requests of each peer; further ones get a 503.
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
			http.Error(w, "too many concurrent requests from this address", http.StatusServiceUnavailable)
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
