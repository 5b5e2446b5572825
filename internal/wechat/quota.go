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
	// quotaTries is how often a quota call is made: who asks asks again in an
	// hour, and waits for the answer at his start.
	quotaTries = 3
)

// ErrNoQuota is the error of Quota where nobody can tell: the vendor's quota
// call does not work by cloud call.
var ErrNoQuota = errors.New("get quota: not possible by cloud call")

// Allowance is how many list calls the app ID has in a day of Asia/Shanghai, by the
// vendor's count, which is a percent off at times. A third-party platform uses
// up the shop's own.
type Allowance struct {
	// All three are 0 where the answer does not say what remains.
	Limit, Used, Remain int64
	// Rate is how many calls are allowed in how much time; zero where the API
	// does not say. PlatformRate is the same of a third-party platform's calls.
	Rate, PlatformRate Rate
	// At is when this was true, by the API's clock.
	At time.Time
}

// Left is the time from At to the end of the day, when the calls come back.
func (a Allowance) Left() time.Duration { return untilMidnight(a.At) }

// Rate is a number of calls within a time.
type Rate struct {
	Calls  int64
	Within time.Duration
}

// Quota asks what is left of the day's list calls. It tries a few times and
// waits neither for the minute nor for the day; an error is ErrNoQuota, ctx's
// or an *Error.
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
		return Allowance{}, lost(quotaOp, err, &c.redact)
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
			// Null is not 0: a day without calls would be waited out.
			Remain *number `json:"remain"`
		} `json:"quota"`
		Rate     rate `json:"rate_limit"`
		Platform rate `json:"component_rate_limit"`
	}
	err = plainly(json.Unmarshal([]byte(a.body), &answer))
	switch {
	case answer.Code != 0:
		message, rid := c.redact.message(answer.Message)
		return Allowance{}, refusal(quotaOp, a.status, int(answer.Code), message, rid).by(c.auth).at(c.host.theirs()).after(a)
	case err != nil:
		return Allowance{}, noVerdict(quotaOp, a.status, unreadable(a, err)).after(a)
	case a.status < 200 || a.status > 299:
		return Allowance{}, noVerdict(quotaOp, a.status, "a quota under an error's status").after(a)
	case answer.Quota == nil:
		return Allowance{}, noVerdict(quotaOp, a.status, unreadable(a, errors.New("neither an errcode nor a quota"))).after(a)
	}
	toRate := func(r rate) Rate { return Rate{int64(r.Calls), time.Duration(r.Seconds) * time.Second} }
	told := Allowance{Rate: toRate(answer.Rate), PlatformRate: toRate(answer.Platform), At: c.host.theirs()}
	if q := answer.Quota; q.Remain != nil {
		told.Limit, told.Used, told.Remain = int64(q.Limit), int64(q.Used), int64(*q.Remain)
	}
	return told, nil
}
