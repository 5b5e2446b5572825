package wechat

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	maxBody = 8 << 20
	// Bounds of an order list: 100 IDs and a page token, all escaped, and room for the
	// other fields.
	maxID, maxKey = 128, 64 << 10
	maxPage       = 100*(6*maxID+4) + 6*maxKey + 8<<10
	// A pooled buffer holds a full page of 100 IDs many times over. Buffers that grew
	// beyond this are not pooled.
	maxPooled = 64 << 10
)

var errTooLarge = errors.New("the answer is too large")

// outgoing is one HTTP call to the API.
type outgoing struct {
	path     string
	query    string // escaped; may contain a token or a secret
	body     []byte // nil = GET
	plain    bool   // use http, also if the host's URL says https
	maxBytes int    // most bytes of the answer to read; 0 = maxBody
}

// answer is one HTTP answer with its whole body.
type answer struct {
	status  int
	body    string
	readAt  time.Time
	relayed bool // the hosting environment's relay has marked it
	// retryAfter is the wait that the Retry-After header asks for; 0 = none.
	retryAfter time.Duration
}

// send makes one round trip to the API. It returns an answer for every HTTP status; an
// error means that no complete answer arrived.
func (h *Host) send(ctx context.Context, out outgoing) (answer, error) {
	u := *h.base
	u.Path += out.path
	u.RawQuery = out.query
	if out.plain {
		u.Scheme = "http"
	}
	request := &http.Request{
		Method:     http.MethodGet,
		URL:        &u,
		Host:       u.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     h.header,
	}
	if body := out.body; body != nil {
		// The gateway answers 412 to chunked bodies, so Content-Length must be set.
		request.Method = http.MethodPost
		request.Header = h.jsonHeader
		request.Body = io.NopCloser(bytes.NewReader(body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.ContentLength = int64(len(body))
	}
	sent := time.Now()
	return h.exchange(ctx, request, h.calls, exchangeLimits{orDefault(h.Timeout, defaultTimeout), orDefault(out.maxBytes, maxBody)},
		func(header http.Header) { h.noteAnswer(header, sent) })
}

// exchangeLimits bound a round trip.
type exchangeLimits struct {
	timeout time.Duration // of the whole, the answer's body included
	size    int           // of the answer's body, in bytes
}

// exchange makes one round trip, one of those that the semaphore allows at a time.
// heard, if set, is called when the header has arrived.
func (h *Host) exchange(ctx context.Context, request *http.Request, semaphore chan struct{}, most exchangeLimits, heard func(http.Header)) (answer, error) {
	select {
	case semaphore <- struct{}{}:
		defer func() { <-semaphore }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, most.timeout)
	defer cancel()
	response, err := h.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if heard != nil {
		heard(response.Header)
	}
	decoded, err := decode(response.Header.Get("Content-Encoding"), response.Body)
	if err != nil {
		return answer{}, err
	}
	text, err := h.read(decoded, most.size)
	if err != nil {
		return answer{}, err
	}
	// Some gateways put a byte order mark in front, which is not part of JSON.
	text = strings.TrimPrefix(text, "\ufeff")
	return answer{status: response.StatusCode, body: text, readAt: time.Now(), relayed: response.Header.Get("X-Openapi-Seqid") != "",
		retryAfter: retryAfter(response.Header.Get("Retry-After"), h.APINow())}, nil
}

func (h *Host) read(body io.Reader, most int) (string, error) {
	buffer, ok := h.buffers.Get().(*bytes.Buffer)
	if !ok {
		buffer = new(bytes.Buffer)
	}
	buffer.Reset()
	_, err := buffer.ReadFrom(io.LimitReader(body, int64(most)+1))
	text := buffer.String()
	if buffer.Cap() <= maxPooled {
		h.buffers.Put(buffer)
	}
	if len(text) > most {
		return "", fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	}
	return text, err
}

// noAnswer returns the error of a call that got no answer.
func noAnswer(op string, err error, clean *redactor) *Error {
	return &Error{Op: op, Class: Retry, Message: clean.text(bare(err).Error()), result: noAnswerLabel(err)}
}

// noAnswerLabel returns the metrics label for a call without an answer, from a bounded
// set.
func noAnswerLabel(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "server closed idle connection"):
		return "reset"
	case errors.As(err, &record), errors.As(err, &certificate), errors.As(err, &alert):
		return "tls"
	case errors.Is(err, errTooLarge), corrupt(err):
		return "bad_body"
	}
	return "network"
}

// bare removes the URL from an error, because it contains the access token.
func bare(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
