package wechat

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Every code of the vendor's tables and of the clients we read, with the class that a
// shop owner would want.
var wantClasses = map[Class][]int{
	Retry:      {-1, 100003, 300000, 990010, 10020198},
	Token:      {40001, 40014, 42001},
	Shrink:     {31042},
	KeyRefused: {606006},
	Throttled:  {45011},
	Quota:      {45009},
	Wait: {40164, 45035, 61004, 48001, 50001, 50002, 50004, 61003, 61005, 61006, 61007, 61009, 61010, 61016, 61017, 61023, 40243, 89501, 89503, 89506, 89507,
		10080000, 10080001, 10080002},
	Stop: {40097, 47001, 41001, 40002, 40013, 40125, 41002, 41004, 40066, 43002, 43003, 44002, 45002, 48004, 48006,
		61011, 61014, 61015, 61024, 76003, 76021, 76022, 100002, 10020003, 10020004, 10070004, 10070006, 10024000, 10024001, 10024003,
		9401001, 9401020, 9401025},
}

// wantLookAgain are the codes that the vendor gives a time for, and some that it does
// not.
var wantLookAgain = map[int]time.Duration{89507: time.Hour, 89506: 24 * time.Hour, 89503: 0, 89501: 0, 40243: 0}

func TestEveryKnownCodeHasAClass(t *testing.T) {
	listed := 0
	for class, numbers := range wantClasses {
		for _, n := range numbers {
			e, known := lookup(n)
			if !known || e.class != class {
				t.Errorf("errcode %d: class %v, known %v, want %v", n, e.class, known, class)
			}
			if class != Retry && e.hint == "" {
				t.Errorf("errcode %d has no hint", n)
			}
			if _, inTable := codes[n]; inTable {
				listed++
			}
		}
	}
	equal(t, "codes in the table and not in the test", len(codes)-listed, 0)
	for _, n := range []int{1, 9401000, 9401026, 10020050} {
		if _, known := lookup(n); known {
			t.Errorf("errcode %d is known", n)
		}
	}
}

func TestStatusWithoutACode(t *testing.T) {
	for status, want := range map[int]struct {
		class  Class
		result string
	}{
		200: {Retry, "bad_body"}, 204: {Retry, "bad_body"}, 301: {Retry, "http_301"}, 404: {Retry, "http_404"},
		403: {Wait, "http_403"}, 412: {Stop, "http_412"}, 429: {Retry, "http_429"}, 500: {Retry, "http_500"},
		599: {Retry, "http_599"}, 999: {Retry, "http_other"},
	} {
		v := badAnswer(ListOp, status, "x")
		equal(t, "class of "+v.Error(), v.Class, want.class)
		equal(t, "result of "+v.Error(), v.result, want.result)
	}
}

func TestCodeUnderAStatus(t *testing.T) {
	for _, test := range []struct {
		status, code int
		class        Class
		unknown      bool
	}{
		{http.StatusForbidden, 40164, Wait, false},
		{http.StatusForbidden, 40001, Token, false},
		{http.StatusForbidden, 12345, Wait, false},
		{http.StatusBadGateway, 12345, Retry, false},
		{http.StatusBadGateway, 45009, Quota, false},
		{http.StatusTooManyRequests, 429, Retry, false},
		{http.StatusRequestTimeout, 408, Retry, false},
		{http.StatusTooManyRequests, 45009, Quota, false},
		{http.StatusBadRequest, 12345, Stop, true},
		{http.StatusOK, 12345, Stop, true},
	} {
		v := errcodeError(ListOp, test.status, test.code, "", "")
		equal(t, "class of "+v.Error(), v.Class, test.class)
		equal(t, "unknown of "+v.Error(), v.unknown, test.unknown)
	}
}

func TestErrorText(t *testing.T) {
	for want, v := range map[string]*Error{
		"list orders: errcode 48001 HTTP 403 not open (rid 1-2); ask": {Op: ListOp, Code: 48001, HTTPStatus: 403, Message: "not open", RID: "1-2", Hint: "ask"},
		"list orders: errcode -1":                                     {Op: ListOp, Code: -1, HTTPStatus: 200},
		"get access token: connection refused":                        {Op: tokenOp, Message: "connection refused"},
		"list orders: HTTP 502 the answer is odd":                     {Op: ListOp, HTTPStatus: 502, Message: "the answer is odd"},
	} {
		equal(t, "text", v.Error(), want)
	}
	for class, want := range map[Class]string{Retry: "retry", Token: "token", Shrink: "shrink", KeyRefused: "key_refused",
		Throttled: "throttled", Quota: "quota", Wait: "wait", Stop: "stop", 42: "class 42"} {
		equal(t, "name", class.String(), want)
	}
}

// The error carries the time, and so does the wait of the shop (TestARefusalWithATime…
// in connector).
func TestRefusalsAreLookedAtAgainLater(t *testing.T) {
	for n, want := range wantLookAgain {
		inBubble(t, &api{tokens: []reply{code(n)}}, Config{}, func(t *testing.T, w *fixture) {
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, Wait, n)
			var v *Error
			if !errors.As(err, &v) || v.RetryAfter != want || strings.Contains(v.Hint, "not documented") {
				t.Errorf("%+v, want a look after %v", v, want)
			}
		})
	}
}
