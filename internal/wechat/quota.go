package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"orderwalk/internal/backoff"
)

const (
	quotaOp   = "get quota"
	quotaPath = "/cgi-bin/openapi/quota/get"
	// quotaTries bounds the attempts of a quota call: callers repeat it every hour,
	// and wait for it when they start.
	quotaTries = 3
)

// ErrNoQuota is the error of Quota if the auth is a cloud call, for which the vendor's
// quota call does not work.
var ErrNoQuota = errors.New("get quota: not available for cloud calls")

// Allowance is how many list calls the app ID has in a day of Asia/Shanghai, by the
// vendor's count, which at times is off by a percent. Calls of a third-party platform
// use up the shop's allowance.
type Allowance struct {
	// All three are 0 if the answer does not say how many calls remain.
	Limit, Used, Remain int64
	// Rate is the allowed call rate, PlatformRate that of a third-party platform; zero
	// = not stated.
	Rate, PlatformRate Rate
	// At is when the API answered, by its clock.
	At time.Time
}

// Left returns the time from At to the end of the day, when the quota resets.
func (a Allowance) Left() time.Duration { return untilMidnight(a.At) }

// Rate is a number of calls within a duration.
type Rate struct {
	Calls  int64
	Within time.Duration
}

// Quota asks how many of the day's list calls remain. It makes a few attempts and does
// not wait for the next minute or day. The error is ErrNoQuota, ctx's or an *Error.
func (c *Client) Quota(ctx context.Context) (Allowance, error) {
	if c.refused != nil {
		return Allowance{}, c.refused
	}
	if c.auth == AuthCloudFile || c.auth == AuthCloudOpen {
		return Allowance{}, ErrNoQuota
	}
	delays := backoff.New(time.Second, 10*time.Second)
	for try := 1; ; try++ {
		used, err := c.tokens.get(ctx)
		if err != nil {
			return Allowance{}, err
		}
		quota, v := c.quota(ctx, used)
		switch {
		case v == nil:
			c.tokens.accepted(used)
			return quota, nil
		case ctx.Err() != nil:
			return Allowance{}, interrupted(quotaOp, ctx.Err(), v)
		case try == quotaTries:
			return Allowance{}, v
		case v.Class == Token:
			err = c.tokens.renew(ctx, used, v)
		case v.Class == Retry:
			err = backoff.Sleep(ctx, max(delays.Next(), v.RetryAfter))
		default:
			return Allowance{}, v
		}
		if err != nil {
			return Allowance{}, err
		}
	}
}

// quota makes one quota call.
func (c *Client) quota(ctx context.Context, used token) (Allowance, *Error) {
	a, err := c.host.send(ctx, outgoing{path: quotaPath, query: used.query(), body: []byte(`{"cgi_path":"` + listPath + `"}`)})
	if err != nil {
		return Allowance{}, noAnswer(quotaOp, err, &c.redact)
	}
	type rate struct {
		Calls   number `json:"call_count"`
		Seconds number `json:"refresh_second"`
	}
	var answer struct {
		Code    number `json:"errcode"`
		Message string `json:"errmsg"`
		Quota   *struct {
			Limit number `json:"daily_limit"`
			Used  number `json:"used"`
			// Null is not 0: the client would pause for the rest of the day.
			Remain *number `json:"remain"`
		} `json:"quota"`
		Rate     rate `json:"rate_limit"`
		Platform rate `json:"component_rate_limit"`
	}
	err = withoutQuote(json.Unmarshal([]byte(a.body), &answer))
	switch {
	case answer.Code != 0:
		message, rid := c.redact.message(answer.Message)
		return Allowance{}, errcodeError(quotaOp, a.status, int(answer.Code), message, rid).forAuth(c.auth).datedBy(c.host.APINow()).withRetryAfter(a)
	case err != nil:
		return Allowance{}, badAnswer(quotaOp, a.status, unreadable(a, err)).withRetryAfter(a)
	case a.status < 200 || a.status > 299:
		return Allowance{}, badAnswer(quotaOp, a.status, "a quota under an error's status").withRetryAfter(a)
	case answer.Quota == nil:
		return Allowance{}, badAnswer(quotaOp, a.status, unreadable(a, errors.New("neither an errcode nor a quota"))).withRetryAfter(a)
	}
	toRate := func(r rate) Rate { return Rate{int64(r.Calls), time.Duration(r.Seconds) * time.Second} }
	told := Allowance{Rate: toRate(answer.Rate), PlatformRate: toRate(answer.Platform), At: c.host.APINow()}
	if q := answer.Quota; q.Remain != nil {
		told.Limit, told.Used, told.Remain = int64(q.Limit), int64(q.Used), int64(*q.Remain)
	}
	return told, nil
}
