package wechat

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Class says what a caller should do about an error. List handles Retry, Token,
// Throttled and Quota itself, so its errors are of the other four classes; State shows
// all of them.
type Class int

const (
	// Retry: it passes by itself; repeat the same call later.
	Retry Class = iota
	// Token: the API refused the token, or it has expired; repeat the call with
	// another.
	Token
	// Shrink: the range holds too many orders (31042); ask for a shorter one.
	Shrink
	// KeyRefused: next_key does not match the request (606006), also after two more
	// attempts; restart the window without one.
	KeyRefused
	// Throttled: the limit per minute is used up (45011); continue after the minute,
	// at a lower rate.
	Throttled
	// Quota: the daily limit is used up (45009); continue after midnight in Shanghai.
	Quota
	// Wait: an operator must act at the vendor's side, or provide a new token or
	// secret; try again after 1 to 10 minutes.
	Wait
	// Stop: it cannot succeed; the configuration is wrong, or there is a bug.
	Stop
)

func (c Class) String() string {
	switch c {
	case Retry:
		return "retry"
	case Token:
		return "token"
	case Shrink:
		return "shrink"
	case KeyRefused:
		return "key_refused"
	case Throttled:
		return "throttled"
	case Quota:
		return "quota"
	case Wait:
		return "wait"
	case Stop:
		return "stop"
	}
	return "class " + strconv.Itoa(int(c))
}

// Error is an answer that is no page, or a call without an answer. It never contains a
// token or a secret.
type Error struct {
	// Op is the call that failed, such as "list orders" or "get access token".
	Op string
	// Code is the API's errcode; 0 = the answer had none.
	Code int
	// Message is the API's errmsg without its rid, or a description of what failed.
	Message string
	// RID identifies the call to the vendor's support; may be empty.
	RID string
	// HTTPStatus is the status of the answer; 0 = no answer.
	HTTPStatus int
	Class      Class
	// Hint tells the operator what to do; empty if it passes by itself.
	Hint string
	// Until is when the daily quota resets, for class Quota: 00:00 Asia/Shanghai by
	// the API's clock or the local one, whichever gets there first. Zero otherwise.
	Until time.Time
	// RetryAfter is how long the vendor asks callers to wait before the next attempt;
	// 0 = not stated.
	RetryAfter time.Duration
	// Err is the cause, where Message has one with a name.
	Err error

	// result is the call's metrics label, from a bounded set.
	result string
	// unknown marks an undocumented errcode, or an answer of a token server that may
	// pass: a few attempts before the call ends with Class.
	unknown bool
	// elsewhere marks an error of a token server, not of the API.
	elsewhere bool
	// silence is what a success leaves out.
	silence silence
	// unfit marks an answer that cannot become a record: a few attempts before Stop.
	unfit bool
	// final ends the call, whatever the class. await, if set, waits for the next
	// attempt; such a wait is not logged as a failure.
	final bool
	await func(context.Context) error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	if e.Code != 0 {
		b.WriteString("errcode ")
		b.WriteString(strconv.Itoa(e.Code))
		b.WriteString(" ")
	}
	if e.HTTPStatus != 0 && e.HTTPStatus != 200 {
		b.WriteString("HTTP ")
		b.WriteString(strconv.Itoa(e.HTTPStatus))
		b.WriteString(" ")
	}
	b.WriteString(e.Message)
	if e.RID != "" {
		b.WriteString(" (rid ")
		b.WriteString(e.RID)
		b.WriteString(")")
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	if !e.Until.IsZero() {
		b.WriteString(": until ")
		b.WriteString(e.Until.In(Zone).Format("2006-01-02 15:04"))
		b.WriteString(" Asia/Shanghai")
	}
	return strings.TrimRight(b.String(), " ")
}

func (e *Error) Unwrap() error { return e.Err }

// OfTokenServer reports whether an error is about a token server (see TokenServer), or
// the last failure of a call that waited is.
func OfTokenServer(err error) bool {
	var v *Error
	var waited *Interrupted
	if errors.As(err, &waited) {
		v = waited.Last
	} else {
		errors.As(err, &v)
	}
	return v != nil && v.elsewhere
}

// Result labels the outcome of a call for metrics, from the bounded set that
// Config.OnCall has: "ok" for no error, "error" for one of another package.
func Result(err error) string {
	var v *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &v) && v.result != "":
		return v.result
	}
	return "error"
}

// datedBy sets Until of a Quota error by the API's clock and the local one.
func (e *Error) datedBy(theirs time.Time) *Error {
	if e.Class == Quota {
		if ours := time.Now(); untilMidnight(ours) < untilMidnight(theirs) {
			theirs = ours
		}
		e.Until = theirs.Add(untilMidnight(theirs)).Round(time.Second)
	}
	return e
}

// Interrupted is the error of a call whose context ended while the call waited.
type Interrupted struct {
	Op string
	// Err is the context's error.
	Err error
	// Last is the failure after which the call was waiting; nil = none.
	Last *Error
}

func (e *Interrupted) Error() string {
	if e.Last == nil {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error() + " (last failure: " + e.Last.Error() + ")"
}

func (e *Interrupted) Unwrap() error { return e.Err }

func interrupted(op string, err error, last *Error) error { return &Interrupted{op, err, last} }
