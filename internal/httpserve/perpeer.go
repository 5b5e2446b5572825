package httpserve

import (
	"net/http"
	"sync"
)

// PerPeer bounds the concurrent requests of each peer; full answers further ones.
func PerPeer(most int, next http.Handler, full http.HandlerFunc) http.Handler {
	var mu sync.Mutex
	under := map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := PeerOf(r.RemoteAddr)
		mu.Lock()
		is := under[peer] >= most
		if !is {
			under[peer]++
		}
		mu.Unlock()
		if is {
			full(w, r)
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
