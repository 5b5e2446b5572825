package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Reasons for which a call is refused.
var (
	// ErrLocalOnly is a call from elsewhere where no token is configured.
	ErrLocalOnly = errors.New("this call changes state and is allowed only from the worker's own machine (kubectl port-forward counts)")
	// ErrNoToken is a call without the token, or with another.
	ErrNoToken = errors.New("this call needs Authorization: Bearer with the worker's token")
	// ErrTokenUnread is a token that the worker cannot read.
	ErrTokenUnread = errors.New("the worker cannot read the token for such calls; see its log")
	// ErrOtherPlatform is a call for a third-party platform that is not the worker's.
	ErrOtherPlatform = errors.New("not this worker's third-party platform")
)

// refuse answers with an error and what can be done about it.
func (s *Server) refuse(w http.ResponseWriter, status int, err error) {
	text := err.Error()
	if s.Hint != nil {
		if hint := s.Hint(err); hint != "" {
			text += "; " + hint
		}
	}
	writeError(w, status, text)
}

// changing wraps a call that changes state. If a Token is set, the call requires it
// as a bearer token. Otherwise only callers on this machine are allowed, who have
// the rights of the pod or the host anyway. It rejects requests that a browser
// sends for a page, requests to a host name that is not this machine's (DNS
// rebinding: a foreign name that resolves to 127.0.0.1), and requests that a proxy
// on this machine forwards, since their client may be anywhere.
func (s *Server) changing(call http.HandlerFunc) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "cross-origin request refused")
	}))
	return sameSite.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token == nil {
			if !local(r.RemoteAddr) || !local(r.Host) || forwarded(r.Header) {
				s.refuse(w, http.StatusForbidden, ErrLocalOnly)
				return
			}
			call(w, r)
			return
		}
		token, err := s.Token()
		if err != nil {
			s.refuse(w, http.StatusServiceUnavailable, ErrTokenUnread)
			s.log().Error("cannot answer calls that change state", "error", fmt.Errorf("%w: %w", ErrTokenUnread, err))
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="orderwalk"`)
			s.refuse(w, http.StatusUnauthorized, ErrNoToken)
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
