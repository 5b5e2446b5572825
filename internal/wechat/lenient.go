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

// tokenLife returns the number as a token's lifetime, clamped to plausible values.
func (n number) tokenLife() time.Duration {
	return time.Duration(min(max(int64(n), shortestLife), longestLife)) * time.Second
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
