package wechat

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// number is a whole number in an answer, as a JSON number or string; null and "" are
// 0.
type number int64

func (n *number) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "" || s == "null" {
		*n = 0
		return nil
	}
	value, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errors.New("neither a whole number nor the text of one")
	}
	*n = number(value)
	return nil
}

// lifetime is how long a token lives by an answer, in seconds; 0 = the answer does not say.
type lifetime int64

// UnmarshalJSON takes what is not a whole number for nothing said: the answer has a token,
// which may have ended the one before or replaced the refresh token.
func (l *lifetime) UnmarshalJSON(text []byte) error {
	var n number
	_ = n.UnmarshalJSON(text) // leaves 0
	*l = lifetime(n)
	return nil
}

// duration returns how long a token is kept that is said to live for so many seconds. One
// of an unknown lifetime is kept for a while, too: fetching one for every few calls would
// use up the day's token calls. If it ends earlier, the API refuses it, and that renews it.
func (l lifetime) duration() time.Duration {
	if l <= 0 {
		return unknownLife
	}
	return time.Duration(min(max(l, shortestLife), longestLife)) * time.Second
}

// withoutQuote replaces errors of encoding/json that quote the document.
func withoutQuote(err error) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return errors.New("a field has another type than it should")
	case errors.As(err, &syntax):
		return errors.New("not a JSON object")
	}
	return err
}
