package wechat

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Class is what an answer asks of its caller. List deals with Retry, Token,
// Throttled and Quota by itself, so its errors are of the other four; State
// shows all of them.
type Class int

const (
	// Retry passes by itself: the same call again, later.
	Retry Class = iota
	// Token was refused or has expired: another token, then the same call.
	Token
	// Shrink means too many orders in the range (31042): ask for less time.
	Shrink
	// KeyRefused means that next_key does not fit the request (606006), also
	// after two more tries: start the window again without one.
	KeyRefused
	// Throttled is the limit per minute (45011): slower, after the minute.
	Throttled
	// Quota is the daily limit (45009): after midnight in Shanghai.
	Quota
	// Wait needs an operator at the vendor's side or a new token or secret:
	// look again after 1 to 10 minutes.
	Wait
	// Stop cannot succeed: wrong configuration, or a bug.
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

// Error is an answer that is no page, or a call without an answer. It never
// holds a token or a secret.
type Error struct {
	// Op is the call that failed, such as "list orders" or "get access token".
	Op string
	// Code is the API's errcode, 0 when there was none.
	Code int
	// Message is the API's errmsg without its rid, or what went wrong instead.
	Message string
	// RID names the call to the vendor's support; empty when there was none.
	RID string
	// HTTPStatus is 0 when there was no answer.
	HTTPStatus int
	Class      Class
	// Hint tells an operator what to try; empty for what passes by itself.
	Hint string
	// Until is when the calls of the day come back, for Quota: 00:00
	// Asia/Shanghai by the API's clock. Zero otherwise.
	Until time.Time
	// RetryAfter is how long the vendor asks callers to wait before the next
	// try; 0 = it does not.
	RetryAfter time.Duration
	// Err is the cause, where Message has one with a name.
	Err error

	// result is the label of the call for metrics, from a bounded set.
	result string
	// unknown marks an errcode that is in no table: a few tries before Stop.
	unknown bool
	// silence marks a success that leaves something out.
	silence silence
	// unfit marks an answer that can be no record: a few tries before Stop.
	unfit bool
	// final ends a call whatever the class; await, if set, is the wait for the
	// next try, which is no trouble to speak of.
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

// at dates a verdict: the API's clock tells when its day ends.
func (e *Error) at(theirs time.Time) *Error {
	if e.Class == Quota {
		e.Until = theirs.Add(untilMidnight(theirs)).Round(time.Second)
	}
	return e
}

// Interrupted is the error of a call whose context ended while it waited.
type Interrupted struct {
	Op string
	// Err is the context's.
	Err error
	// Last is what the call was waiting out; nil if nothing had failed.
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
