package control

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"orderwalk/internal/loglevel"
)

// The callers that have no certificate, as the log names them.
const (
	byToken = "token"
	byLocal = "local"
)

// entry is the answer to a call that changes state, and what the log says of it.
type entry struct {
	http.ResponseWriter
	status   int
	who      string  // who made the call, if it was allowed
	denied   *denial // why it was refused, if it was
	shop     string  // that the body names; empty = none
	finished bool    // the call has returned
}

// WriteHeader notes the status.
func (e *entry) WriteHeader(status int) {
	if e.status == 0 && status >= http.StatusOK {
		e.status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write notes the status that net/http sends with the first bytes.
func (e *entry) Write(p []byte) (int, error) {
	if e.status == 0 {
		e.status = http.StatusOK
	}
	return e.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what the connection can do.
func (e *entry) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// noteShop has the log name the shop that the body of a call is about.
func noteShop(w http.ResponseWriter, name string) {
	if e, ok := w.(*entry); ok {
		e.shop = name
	}
}

// refusals limits the log lines of refused calls, which anybody can cause.
type refusals struct {
	mu      sync.Mutex
	limit   *rate.Limiter
	skipped int // since the last line
}

// next reports whether the next refusal is logged, and how many before it were not.
func (r *refusals) next() (skipped int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit == nil {
		r.limit = rate.NewLimiter(0.1, 10) // ten lines at once, then six a minute
	}
	if !r.limit.Allow() {
		r.skipped++
		return 0, false
	}
	skipped, r.skipped = r.skipped, 0
	return skipped, true
}

// audit writes a line for each call that changes state: who made it, from where, what it
// was and how it ended. It has neither the body nor any header but the addresses of
// X-Forwarded-For; of the query only what this server knows. Refused calls are logged too,
// as far as their number allows. No level of the log hides these lines: who may set levels
// must not be able to hide what they do.
func (s *Server) audit(e *entry, r *http.Request) {
	log := loglevel.Always(s.log())
	attrs := []any{"from", r.RemoteAddr, "method", r.Method, "path", shortened(r.URL.EscapedPath())}
	if through := forwardedFor(r.Header); through != "" {
		attrs = append(attrs, "forwarded_for", through)
	}
	if shop := cmp.Or(shopOf(r), e.shop); shop != "" {
		attrs = append(attrs, "shop", shortened(shop))
	}
	if query := knownQuery(r.URL.RawQuery); query != "" {
		attrs = append(attrs, "query", query)
	}
	if e.denied == nil {
		switch {
		case !e.finished: // it panics; net/http logs that
			e.status = http.StatusInternalServerError
		case e.status == 0:
			e.status = http.StatusOK
		}
		log.Info("call that changes state", append([]any{"who", e.who, "status", e.status}, attrs...)...)
		return
	}
	skipped, ok := s.refusals.next()
	if !ok {
		return
	}
	err, level := e.denied.err, slog.LevelWarn
	if e.denied.detail != nil {
		err, level = fmt.Errorf("%w: %w", err, e.denied.detail), slog.LevelError
	}
	attrs = append(attrs, "status", e.denied.status, "error", err)
	if skipped > 0 {
		attrs = append(attrs, "refused_before_unlogged", skipped)
	}
	log.Log(r.Context(), level, "refused a call that changes state", attrs...)
}

// shopOf returns the shop that a call is about, by the names of the path's variables.
func shopOf(r *http.Request) string {
	for _, name := range []string{"shop", "connector", "name"} {
		if shop := r.PathValue(name); shop != "" {
			return shop
		}
	}
	return ""
}

// knownQuery returns what the log shows of a query: the parameters of this server's
// calls, with values that are words.
func knownQuery(query string) string {
	given, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	known := url.Values{}
	for _, name := range []string{"dry_run", "forward", "includeTasks", "onlyFailed", "scope"} {
		if value := given.Get(name); value != "" && len(value) <= 10 && !strings.ContainsFunc(value, notLetter) {
			known.Set(name, value)
		}
	}
	return known.Encode()
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// forwardedFor returns the addresses that proxies name as their clients; empty if the
// header is anything else. A client can write any address into it.
func forwardedFor(header http.Header) string {
	const most = 5
	list := strings.Split(strings.Join(header.Values("X-Forwarded-For"), ","), ",")
	if len(list) > most {
		list = list[len(list)-most:] // the proxies nearest to us write the last ones
	}
	for i, text := range list {
		address, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return ""
		}
		list[i] = address.WithZone("").String()
	}
	return strings.Join(list, ",")
}

// subjectOf names the owner of a certificate: its subject, or its first other name.
func subjectOf(cert *x509.Certificate) string {
	names := []string{cert.Subject.String()}
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	names = append(append(names, cert.DNSNames...), cert.EmailAddresses...)
	names = append(names, "serial "+cert.SerialNumber.String())
	return shortened(names[slices.IndexFunc(names, func(name string) bool { return name != "" })])
}

// shortened bounds a text that a caller has chosen.
func shortened(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
