package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// From these values on an expiry is a Unix time, in seconds or in milliseconds: no
	// token lives for thirty years.
	firstUnix, firstMillis = 1e9, 1e12
	// longestToken is the most bytes of a token, which goes into the URL of each call. The
	// vendor's have up to 512.
	longestToken = 4096
	// unknownLife is how long a token is kept whose lifetime the answer does not state.
	unknownLife = 5 * time.Minute
)

// parse reads the token and its expiry from an answer. Errors quote nothing of it.
func (t *serverCalls) parse(a answer) (tokenResponse, *Error) {
	bad := func(message, hint string) *Error {
		return t.error(Error{HTTPStatus: a.status, Class: Wait, Message: message, Hint: hint, result: "bad_body"})
	}
	var document any
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil || decoder.More() {
		if strings.TrimSpace(a.body) == "" {
			return tokenResponse{}, bad("the answer is empty", hintServerAnswer)
		}
		return tokenResponse{}, bad(fmt.Sprintf("the answer is not JSON (%d bytes)", len(a.body)), hintServerAnswer)
	}
	value, found := pointed(document, t.server.Token)
	token, isText := value.(string)
	const hint = "check the JSON pointer to the token, and what the token server answers"
	switch token = strings.TrimSpace(token); {
	case !found:
		return tokenResponse{}, bad("the answer has no "+t.server.Token+vendorCode(document), hint)
	case !isText:
		return tokenResponse{}, bad("the value at "+t.server.Token+" is not a text", hint)
	case token == "":
		return tokenResponse{}, bad("the token at "+t.server.Token+" is empty", "check that the token server has a token of this app ID")
	case len(token) > longestToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return tokenResponse{}, bad(fmt.Sprintf("the text at %s is no access token (%d bytes)", t.server.Token, len(token)), hint)
	}
	value, found = pointed(document, t.server.Expiry)
	if value == nil && t.mayLack { // missing, or null
		return tokenResponse{token: token, seconds: int64(unknownLife / time.Second)}, nil
	}
	const hintExpiry = "check the JSON pointer to the expiry, and what the token server answers"
	if !found {
		return tokenResponse{}, bad("the answer has no "+t.server.Expiry, hintExpiry)
	}
	seconds, err := expiresIn(value, time.Now())
	if err != nil {
		return tokenResponse{}, bad("the value at "+t.server.Expiry+" is "+err.Error(), hintExpiry)
	}
	if seconds <= 0 {
		v := bad("the token has expired already, by "+t.server.Expiry, "check that the token server renews its tokens, and the clocks of both machines")
		v.unknown = true // the server may be about to renew it
		return tokenResponse{}, v
	}
	return tokenResponse{token: token, seconds: seconds}, nil
}

// expiresIn reads an expiry. A number below 1,000,000,000 is in seconds from now; one
// from there on is a Unix time in seconds, and from 1,000,000,000,000 on in
// milliseconds, compared with this machine's clock.
func expiresIn(value any, now time.Time) (seconds int64, err error) {
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errors.New("neither a number of seconds nor a Unix time")
	}
	switch {
	case n >= firstMillis:
		n = n/1000 - float64(now.UnixMilli())/1000
	case n >= firstUnix:
		n -= float64(now.UnixMilli()) / 1000
	}
	return int64(min(max(n, -1), 2*longestLife)), nil
}

// pointed returns the value in a document that a JSON pointer (RFC 6901) names.
func pointed(document any, pointer string) (value any, found bool) {
	value = document
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch inside := value.(type) {
		case map[string]any:
			if value, found = inside[name]; !found {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(inside) || strconv.Itoa(i) != name {
				return nil, false
			}
			value = inside[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// vendorCode returns the errcode of an answer of the vendor that the server has passed
// on, for an error.
func vendorCode(document any) string {
	value, _ := pointed(document, "/errcode")
	number, _ := value.(json.Number)
	if code, err := strconv.Atoi(number.String()); err == nil && code != 0 {
		return fmt.Sprintf(", but an errcode: %d", code)
	}
	return ""
}
