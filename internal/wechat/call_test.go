package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestLostCallsAreNamed(t *testing.T) {
	for want, errs := range map[string][]error{
		"canceled": {context.Canceled},
		"timeout":  {context.DeadlineExceeded, os.ErrDeadlineExceeded, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}},
		"dns":      {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}, &net.DNSError{IsTimeout: true}},
		"refused":  {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}},
		"reset":    {syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, errors.New("http: server closed idle connection")},
		"network":  {errors.New("no route")},
		"bad_body": {errTooLarge},
	} {
		for _, err := range errs {
			equal(t, err.Error(), noAnswerLabel(fmt.Errorf("wrapped: %w", err)), want)
		}
	}
}

// post makes one call with the transport that real calls use.
func post(t *testing.T, address string) (answer, *Error) {
	t.Helper()
	h := &Host{URL: address}
	defer h.Close()
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	a, err := h.send(t.Context(), outgoing{path: listPath, query: "access_token=T", body: []byte("{}")})
	if err != nil {
		return a, noAnswer(ListOp, err, new(redactor))
	}
	return a, nil
}

func TestRealConnections(t *testing.T) {
	quiet := slog.NewLogLogger(slog.DiscardHandler, 0)
	var size int
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", size))
	})
	server := httptest.NewServer(handler)
	size = maxBody
	a, v := post(t, server.URL)
	equal(t, "largest body", v == nil && len(a.body) == maxBody, true)
	size++
	_, v = post(t, server.URL)
	equal(t, "larger body", v != nil && v.result == "bad_body", true)
	server.Close()
	_, v = post(t, server.URL)
	equal(t, "closed port", v != nil && v.result == "refused", true)

	secure := httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	_, v = post(t, secure.URL)
	equal(t, "unknown authority", v != nil && v.result == "tls", true)
	_, v = post(t, strings.Replace(secure.URL, "https", "http", 1))
	equal(t, "http to a https port", v == nil, true)
}

// Calls beyond maxCalls wait for a slot, and stop waiting when their context ends.
func TestCallsUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most int
		h := &Host{Timeout: time.Minute, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})}
		if err := h.open(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var group sync.WaitGroup
		for range 2 * maxCalls {
			group.Go(func() {
				if _, err := h.send(t.Context(), outgoing{path: listPath}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := h.send(impatient, outgoing{path: listPath}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up while it waits for a place: %v", err)
		}
		group.Wait()
		equal(t, "most at once", most, maxCalls)
		equal(t, "time that it takes", time.Since(began), 2*time.Second)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
