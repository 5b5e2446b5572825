package wechat

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// number is a whole number of an answer, which may come as text; null and ""
// are 0.
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

// life is the number as a token's, within what is plausible.
func (n number) life() time.Duration {
	return time.Duration(min(max(int64(n), shortestLife), longestLife)) * time.Second
}

// plainly is an error of encoding/json that quotes nothing of the document.
func plainly(err error) error {
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
