package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// changing wraps a call that changes something. With a Token it is for whoever
// brings that as a bearer token. Without, it is for callers on this machine
// alone, as one who has the pod's or the host's rights anyway; a page in a
// browser there is not one of them, so requests that a browser sends for a page
// are refused, and the name that was called must be this machine's too, which it
// is not where somebody's DNS points a name of theirs at 127.0.0.1. A request that a
// proxy on this machine passes on is its client's, which may be anywhere.
func (s *Server) changing(call http.HandlerFunc) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "this call is not for pages of other sites")
	}))
	return sameSite.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token == nil {
			if !local(r.RemoteAddr) || !local(r.Host) || forwarded(r.Header) {
				writeError(w, http.StatusForbidden, "this call changes something: set ORDERWALK_REST_TOKEN_FILE and send its token, or call from the worker's own machine (kubectl port-forward does)")
				return
			}
			call(w, r)
			return
		}
		token, err := s.Token()
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, "the token of ORDERWALK_REST_TOKEN_FILE cannot be read: see the log")
			s.log().Error("cannot read the token for changing calls", "variable", "ORDERWALK_REST_TOKEN_FILE", "error", err)
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
		// Servers behind a proxy write underscores for dashes, and some proxies too.
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

// local tells whether an address, with or without a port, is this machine's own.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return ip.IsLoopback() || strings.EqualFold(host, "localhost")
}
