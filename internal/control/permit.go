package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderwalk/internal/httpserve"
)

// Reasons for which a call is refused.
var (
	// ErrLocalOnly is a call from elsewhere where no token is configured.
	ErrLocalOnly = errors.New("this call changes state and is allowed only from the worker's own machine (kubectl port-forward counts)")
	// ErrNoToken is a call without the token, or with another.
	ErrNoToken = errors.New("this call needs Authorization: Bearer with the worker's token")
	// ErrNoCertificate is a call without a client certificate where no token is
	// configured.
	ErrNoCertificate = errors.New("this call needs a client certificate that the worker trusts")
	// ErrTooManyTokens is a call from an address that has sent too many wrong tokens.
	ErrTooManyTokens = errors.New("too many calls with a wrong token from this address; the token of this one was not looked at")
	// ErrTokenUnread is a token that the worker cannot read.
	ErrTokenUnread = errors.New("the worker cannot read the token for such calls; see its log")
	// ErrOtherPlatform is a call for a third-party platform that is not the worker's.
	ErrOtherPlatform = errors.New("not this worker's third-party platform")

	errCrossOrigin = errors.New("cross-origin request refused")
)

// largestBody bounds the body of every call that changes state: offsets can be the
// largest. Other calls have tighter bounds.
const largestBody = maxOffsets

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

// changing wraps a call that changes state. It may be made
//
//   - with a client certificate that the worker's authorities have signed, or
//   - with the bearer token, if a Token is set, or
//   - if there are neither authorities nor a token, from this machine, whose users have
//     the rights of the pod or the host anyway.
//
// From this machine means: not through a proxy on it, since its client may be anywhere,
// and not to a host name that is not this machine's (DNS rebinding: a foreign name that
// resolves to 127.0.0.1). Requests that a browser sends for a page of another site are
// always refused, and so are the types of body that it sends without asking. Wrong tokens are limited (see attempts), bodies too, and every call is
// logged (see audit).
func (s *Server) changing(call http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := &entry{ResponseWriter: w}
		defer s.audit(entry, r)
		who, no := s.permit(r)
		if no != nil {
			s.deny(entry, no)
			return
		}
		entry.who = who
		if isForm(r) {
			writeError(entry, http.StatusUnsupportedMediaType, notJSON)
			entry.finished = true
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, largestBody)
		call(entry, r)
		entry.finished = true
	})
}

// denial is why a call is refused.
type denial struct {
	status int
	err    error
	// detail is logged and not sent; may be nil.
	detail error
	// retry is when the caller may try again; 0 = it makes no difference.
	retry time.Duration
}

// permit returns who makes a call that changes state, or why that is refused.
func (s *Server) permit(r *http.Request) (who string, no *denial) {
	if http.NewCrossOriginProtection().Check(r) != nil {
		return "", &denial{status: http.StatusForbidden, err: errCrossOrigin}
	}
	if cert := s.TLS.Client(r.TLS); cert != nil {
		return subjectOf(cert), nil
	}
	switch {
	case s.Token != nil:
	case s.TLS.AsksClients():
		return "", &denial{status: http.StatusForbidden, err: ErrNoCertificate}
	case !local(r.RemoteAddr) || !local(r.Host) || forwarded(r):
		return "", &denial{status: http.StatusForbidden, err: ErrLocalOnly}
	default:
		return byLocal, nil
	}
	token, err := s.Token()
	if err == nil && token == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", &denial{status: http.StatusServiceUnavailable, err: ErrTokenUnread, detail: err}
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given = strings.TrimSpace(given)
	if !strings.EqualFold(scheme, "Bearer") || given == "" {
		return "", &denial{status: http.StatusUnauthorized, err: ErrNoToken}
	}
	ok, wait := s.attempts.try(httpserve.PeerOf(r.RemoteAddr), func() bool {
		want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(want[:], got[:]) == 1
	})
	switch {
	case wait > 0:
		return "", &denial{status: http.StatusTooManyRequests, err: ErrTooManyTokens, retry: wait}
	case !ok:
		return "", &denial{status: http.StatusUnauthorized, err: ErrNoToken}
	}
	return byToken, nil
}

// deny answers a call that is refused.
func (s *Server) deny(entry *entry, no *denial) {
	entry.denied = no
	if no.status == http.StatusUnauthorized {
		entry.Header().Set("WWW-Authenticate", `Bearer realm="orderwalk"`)
	}
	if no.retry > 0 {
		entry.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(no.retry.Seconds())), 10))
	}
	s.refuse(entry, no.status, no.err)
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
