package control_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderwalk/internal/control"
	"orderwalk/test/leaktest"
)

const (
	aTicket = "ticket@@@of-the-platform-and-long-enough"
	aToken  = "token-for-calls-that-change-something"
)

// asked is a ticket call, from the worker's own machine unless changed.
func asked(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPut, "http://localhost:8083/components/wxc/verify-ticket", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

func ticketJSON(ticket string) string { return `{"component_verify_ticket":"` + ticket + `"}` }

// A ticket is stored or refused with a reason; no answer or log quotes it.
func TestTicket(t *testing.T) {
	away := errors.New("kafka is away")
	for _, c := range []struct {
		what, body string
		change     func(*http.Request, *control.Server)
		keeps      error
		want       int
		says       string
	}{
		{what: "a ticket", want: 204},
		{what: "with more beside it", body: `{"appid":"wxc","component_verify_ticket":"` + aTicket + `"}`, want: 204},
		{what: "by IPv6", change: func(r *http.Request, _ *control.Server) { r.RemoteAddr, r.Host = "[::1]:40000", "[::1]:8083" }, want: 204},
		{what: "with the token", change: withToken("Bearer " + aToken), want: 204},
		{what: "with the token, in small letters", change: withToken("bearer  " + aToken), want: 204},

		{what: "Kafka is away", keeps: away, want: 503, says: "cannot store the ticket: kafka is away"},
		{what: "of another platform", change: func(r *http.Request, s *control.Server) { s.Component = "wxother" }, want: 404, says: control.ErrOtherPlatform.Error() + "; hint"},
		{what: "there is no platform", change: func(r *http.Request, s *control.Server) { s.Component, s.Ticket = "", nil }, want: 404, says: "not found"},
		{what: "no JSON", body: aTicket, want: 400, says: "not the JSON object"},
		{what: "an array", body: `["` + aTicket + `"]`, want: 400, says: "not the JSON object"},
		{what: "half of it", body: `{"component_verify_ticket":"` + aTicket, want: 400, says: "not the JSON object"},
		{what: "a bracket after it", body: ticketJSON(aTicket) + "}", want: 400, says: "more than one"},
		{what: "two of them", body: ticketJSON(aTicket) + ticketJSON(aTicket), want: 400, says: "more than one"},
		{what: "another field", body: `{"ticket":"` + aTicket + `"}`, want: 400, says: "component_verify_ticket is missing"},
		{what: "a line end within", body: ticketJSON(aTicket + `\n` + aTicket), want: 400, says: "characters"},
		{what: "far too long", body: ticketJSON(strings.Repeat(aTicket, 50)), want: 400, says: "bytes"},
		{what: "a flood", body: ticketJSON(strings.Repeat(aTicket, 5000)), want: 413, says: "65536 bytes"},
		{what: "a form", change: func(r *http.Request, _ *control.Server) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, want: 415, says: "application/json"},

		{what: "from elsewhere", change: func(r *http.Request, _ *control.Server) { r.RemoteAddr = "10.1.2.3:40000" }, want: 403, says: "the worker's own machine"},
		{what: "by another name of this machine", change: func(r *http.Request, _ *control.Server) { r.Host = "rebound.example:8083" }, want: 403, says: "the worker's own machine"},
		{what: "passed on, Forwarded", change: withHeader("Forwarded", "for=192.0.2.1"), want: 403, says: "the worker's own machine"},
		{what: "passed on, X-Forwarded-For", change: withHeader("X-Forwarded-For", ""), want: 403, says: "the worker's own machine"},
		{what: "passed on, X-Forwarded-Host", change: withHeader("x-forwarded-host", "a"), want: 403, says: "the worker's own machine"},
		{what: "passed on, with underscores", change: withHeader("X_Forwarded_For", "192.0.2.1"), want: 403, says: "the worker's own machine"},
		{what: "passed on, a CDN's header", change: withHeader("Fastly-Client-IP", "192.0.2.1"), want: 403, says: "the worker's own machine"},
		{what: "passed on, a cloud's header", change: withHeader("X-Azure-ClientIP", "192.0.2.1"), want: 403, says: "the worker's own machine"},
		{what: "passed on, X-Real-IP", change: withHeader("X-Real-IP", "192.0.2.1"), want: 403, says: "the worker's own machine"},
		{what: "passed on, Via", change: withHeader("Via", "1.1 gate"), want: 403, says: "the worker's own machine"},
		{what: "passed on, with the token", change: func(r *http.Request, s *control.Server) {
			withToken("Bearer "+aToken)(r, s)
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
		}, want: 204},
		{what: "from another site's page", change: func(r *http.Request, _ *control.Server) { r.Header.Set("Origin", "http://evil.example") }, want: 403, says: "cross-origin"},
		{what: "without the token, from this machine", change: withToken(""), want: 401, says: "Authorization: Bearer"},
		{what: "with another token", change: withToken("Bearer " + aToken + "s"), want: 401},
		{what: "with the token as a password", change: withToken("Basic " + aToken), want: 401},
		{what: "the token cannot be read", change: func(r *http.Request, s *control.Server) {
			s.Token = func() (string, error) { return "", errors.New("read secret: no such file") }
		}, want: 503, says: control.ErrTokenUnread.Error()},
	} {
		t.Run(c.what, func(t *testing.T) {
			var log bytes.Buffer
			var kept string
			s := newServer()
			s.Hint = func(error) string { return "hint" }
			s.Log, s.Component = slog.New(slog.NewTextHandler(&log, nil)), "wxc"
			s.Ticket = func(_ context.Context, ticket string) error {
				kept = ticket
				return c.keeps
			}
			if c.body == "" {
				c.body = ticketJSON(aTicket)
			}
			r := asked(c.body)
			if c.change != nil {
				c.change(r, s)
			}
			w := httptest.NewRecorder()
			watched(t, s).ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) || (c.want == 204) != (w.Body.Len() == 0) {
				t.Errorf("%d %s, want %d %q", w.Code, w.Body, c.want, c.says)
			}
			if (kept == aTicket) != (c.want == 204 || c.keeps != nil) {
				t.Errorf("kept %q", kept)
			}
			if (w.Header().Get("WWW-Authenticate") != "") != (c.want == 401) {
				t.Errorf("WWW-Authenticate: %q", w.Header().Get("WWW-Authenticate"))
			}
			var leaks leaktest.Search
			leaks.Hide("a verify ticket", aTicket)
			leaks.Hide("the token", aToken)
			leaks.Check(t, "the answer", w.Body.String())
			leaks.Check(t, "the log", log.String())
		})
	}
}

func withToken(header string) func(*http.Request, *control.Server) {
	return func(r *http.Request, s *control.Server) {
		s.Token = func() (string, error) { return aToken, nil }
		r.Header.Set("Authorization", header)
	}
}

// A caller that hangs up has set its ticket all the same.
func TestATicketOutlivesItsCall(t *testing.T) {
	s := newServer()
	s.Component = "wxc"
	s.Ticket = func(ctx context.Context, _ string) error { return ctx.Err() }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, asked(ticketJSON(aTicket)).WithContext(ctx))
	if w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func withHeader(name, value string) func(*http.Request, *control.Server) {
	return func(r *http.Request, _ *control.Server) { r.Header.Set(name, value) }
}
