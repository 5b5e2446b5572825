package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// changing protects a call that changes state. With a Token the caller must send it as a
// bearer token. Without one only callers on this machine are allowed, who have the pod's
// or the host's rights anyway. Pages in a browser on this machine are not among them:
// cross-origin browser requests are refused, and the Host must be this machine's too, so
// that a foreign DNS name that points to 127.0.0.1 does not pass. A request that a proxy
// on this machine forwards comes from the proxy's client, which may be anywhere.
func (s *Server) changing(call http.HandlerFunc) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "cross-origin request refused")
	}))
	return sameSite.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token == nil {
			if !local(r.RemoteAddr) || !local(r.Host) || forwarded(r.Header) {
				writeError(w, http.StatusForbidden, "this call changes state: set ORDERWALK_REST_TOKEN_FILE and send its token, or call from the worker's own machine (kubectl port-forward counts as that)")
				return
			}
			call(w, r)
			return
		}
		token, err := s.Token()
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, "cannot read the token of ORDERWALK_REST_TOKEN_FILE; see the log")
			s.log().Error("cannot read the bearer token for calls that change state", "variable", "ORDERWALK_REST_TOKEN_FILE", "error", err)
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="orderwalk"`)
			writeError(w, http.StatusUnauthorized, "this call needs Authorization: Bearer with the token of ORDERWALK_REST_TOKEN_FILE")
			return
		}
		call(w, r)
	}))
}

// forwarded reports whether a proxy has passed a request on.
func forwarded(header http.Header) bool {
	for name := range header {
		// Servers behind a proxy write underscores for dashes, and so do some proxies.
		switch lower := strings.ReplaceAll(strings.ToLower(name), "_", "-"); {
		case lower == "via", lower == "cdn-loop", lower == "cf-connecting-ip", lower == "max-forwards",
			strings.Contains(lower, "forwarded"), strings.Contains(lower, "client-ip"), strings.Contains(lower, "clientip"),
			strings.HasPrefix(lower, "x-real-"), strings.HasPrefix(lower, "x-original-"), strings.HasPrefix(lower, "x-envoy-"),
			strings.HasPrefix(lower, "x-proxy"), strings.HasPrefix(lower, "proxy-"):
			return true
		}
	}
	return false
}

// local reports whether an address, with or without a port, is this machine's own.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return ip.IsLoopback() || strings.EqualFold(host, "localhost")
}
