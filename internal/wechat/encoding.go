package wechat

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mostRetryAfter bounds what a Retry-After may ask for.
const mostRetryAfter = 10 * time.Minute

var errEncoding = errors.New("the answer's Content-Encoding is not understood")

// decode undoes a Content-Encoding. None is asked for, but a request without
// Accept-Encoding takes any, and gateways compress of their own accord. The
// reader of the result bounds it.
func decode(encoding string, body io.Reader) (io.Reader, error) {
	switch coding := strings.ToLower(strings.TrimSpace(encoding)); coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		// An answer without a body is no gzip, whatever its headers say.
		b := bufio.NewReader(body)
		if _, err := b.Peek(1); errors.Is(err, io.EOF) {
			return b, nil
		}
		r, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("read gzip answer: %w", err)
		}
		return r, nil
	case "deflate":
		// A zlib stream by RFC 9110; some send the bare one.
		b := bufio.NewReader(body)
		head, err := b.Peek(2)
		switch {
		case errors.Is(err, io.EOF) && len(head) == 0:
			return b, nil
		case len(head) == 2 && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0:
			return zlib.NewReader(b)
		}
		return flate.NewReader(b), nil
	default:
		return nil, fmt.Errorf("%w: %.40q; have proxies before the API leave it out", errEncoding, coding)
	}
}

// corrupt reports whether an answer is not what its Content-Encoding says.
func corrupt(err error) bool {
	var flawed flate.CorruptInputError
	for _, known := range []error{errEncoding, gzip.ErrHeader, gzip.ErrChecksum, zlib.ErrHeader, zlib.ErrChecksum, zlib.ErrDictionary} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &flawed)
}

// retryAfter is the time that a Retry-After asks for, in seconds or as a date of
// the API's clock; 0 for none.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	// What is out of range is the greatest number to ParseUint.
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(seconds)*time.Second, mostRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), mostRetryAfter)
	}
	return 0
}

// after puts what the answer asks for into its verdict.
func (e *Error) after(a answer) *Error {
	if e.RetryAfter == 0 {
		e.RetryAfter = a.retryAfter
	}
	return e
}

// unfitting marks the verdict on an answer that can be no record.
func (e *Error) unfitting(err error) *Error {
	if errors.Is(err, errUnfit) || errors.Is(err, errTooLarge) {
		e.unfit, e.Hint = true, fmt.Sprintf("an order ID has at most %d bytes and no control characters, a page token at most %d bytes, an answer at most %d: see what answers at the API URL", maxID, maxKey, maxPage)
	}
	return e
}
