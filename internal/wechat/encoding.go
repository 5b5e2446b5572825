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

// mostRetryAfter caps the wait that a Retry-After header can ask for.
const mostRetryAfter = 10 * time.Minute

var errEncoding = errors.New("unsupported Content-Encoding")

// decode undoes a Content-Encoding. The client asks for none, but a request without
// Accept-Encoding accepts any, and some gateways compress unasked. The caller limits
// how much it reads.
func decode(encoding string, body io.Reader) (io.Reader, error) {
	switch coding := strings.ToLower(strings.TrimSpace(encoding)); coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		// An empty body is not gzip, whatever its headers say.
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
		// RFC 9110 defines deflate as a zlib stream; some servers send a raw deflate
		// stream.
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
		return nil, fmt.Errorf("%w %.40q; turn compression off in proxies before the API", errEncoding, coding)
	}
}

// corrupt reports whether the body does not match its Content-Encoding.
func corrupt(err error) bool {
	var flawed flate.CorruptInputError
	for _, known := range []error{errEncoding, gzip.ErrHeader, gzip.ErrChecksum, zlib.ErrHeader, zlib.ErrChecksum, zlib.ErrDictionary} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &flawed)
}

// retryAfter parses a Retry-After header: seconds, or a date of the API's clock; 0 =
// none.
func retryAfter(text string, now time.Time) time.Duration {
	if text = strings.TrimSpace(text); text == "" { // each failed parse makes an error
		return 0
	}
	// ParseUint returns the greatest number for values out of range.
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(seconds)*time.Second, mostRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), mostRetryAfter)
	}
	return 0
}

// withRetryAfter copies the answer's Retry-After into the error, unless it has one.
func (e *Error) withRetryAfter(a answer) *Error {
	if e.RetryAfter == 0 {
		e.RetryAfter = a.retryAfter
	}
	return e
}

// markUnfit marks the error of an answer that cannot become a record.
func (e *Error) markUnfit(err error) *Error {
	if errors.Is(err, errUnfit) || errors.Is(err, errTooLarge) {
		e.unfit, e.Hint = true, fmt.Sprintf("an order ID has at most %d bytes and no control characters, a page token at most %d bytes, an answer at most %d: check what answers at the API URL", maxID, maxKey, maxPage)
	}
	return e
}
