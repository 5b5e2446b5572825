package config

import (
	"errors"
	"strconv"
	"time"

	"orderwalk/internal/wechat"
)

// maxUnixSeconds is in the year 2286: a greater number is in milliseconds.
const maxUnixSeconds = 9_999_999_999

// ParseTime reads a time in the forms that the variables accept: unix seconds, RFC
// 3339, or a date, which means its 00:00 in Asia/Shanghai.
func ParseTime(text string) (int64, error) {
	const allowed = "give unix seconds, RFC 3339 such as 2026-11-01T00:00:00+08:00, or a date such as 2026-11-01 (its 00:00 in Asia/Shanghai)"
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		switch {
		case n < 1:
			return 0, &timeError{quoteNumber(text), allowed}
		case n > maxUnixSeconds:
			return 0, &timeError{shown(text) + " looks like milliseconds", allowed}
		}
		return n, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.ParseInLocation(time.DateOnly, text, wechat.Zone)
	}
	if err != nil || t.Unix() < 1 || t.Unix() > maxUnixSeconds {
		return 0, &timeError{quoteNumber(text), allowed}
	}
	return t.Unix(), nil
}

// timeError is the error of a text that is not a time.
type timeError struct{ problem, allowed string }

func (e *timeError) Error() string { return e.problem + "; " + e.allowed }

// timeAt reads a time; 0 = not given.
func (f *faults) timeAt(where, given string) int64 {
	if given == "" {
		return 0
	}
	at, err := ParseTime(given)
	var fault *timeError
	if errors.As(err, &fault) {
		f.add(where, fault.problem, fault.allowed)
	}
	return at
}
