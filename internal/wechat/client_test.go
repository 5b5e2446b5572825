package wechat

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRequestAtTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		query Query
		body  string
	}{
		"first page by creation": {
			Query{Range: CreateTime, Start: 1, End: 2, PageSize: 100},
			`{"create_time_range":{"start_time":1,"end_time":2},"page_size":100}`},
		"next page by update, all filters": {
			Query{Range: UpdateTime, Start: 1, End: 2, Status: 20, OpenID: "o-1", PageSize: 7, Key: "k\"+/="},
			`{"update_time_range":{"start_time":1,"end_time":2},"status":20,"openid":"o-1","page_size":7,"next_key":"k\"+/="}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &api{}, Config{}, func(t *testing.T, w *fixture) {
				page, err := w.List(t.Context(), test.query)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "read at", page.ReadAt.Equal(time.Now()), true)
				calls := w.api.seen()
				if len(calls) != 2 {
					t.Fatalf("%d calls, want one for the token and one for the list", len(calls))
				}
				equal(t, "token body", calls[0].body, `{"grant_type":"client_credential","appid":"wx0123456789abcdef","secret":"s3cret+of/the=shop","force_refresh":false}`)
				equal(t, "token in the token call's query", calls[0].token, "")
				equal(t, "path", calls[1].path, "/channels/ec/order/list/get")
				equal(t, "token", calls[1].token, tokenName(1))
				equal(t, "body", calls[1].body, test.body)
				for _, c := range calls {
					equal(t, "content length", c.length, int64(len(c.body)))
					equal(t, "content type", c.header.Get("Content-Type"), "application/json")
					equal(t, "accepted encoding", c.header.Get("Accept-Encoding"), "")
				}
			})
		})
	}
}

func TestBadAnswersAreRetried(t *testing.T) {
	for name, test := range map[string]struct {
		bad    reply
		result string
	}{
		"html":                    {reply{body: "<html>busy</html>"}, "bad_body"},
		"half a document":         {reply{body: okPage[:60]}, "bad_body"},
		"two documents":           {reply{body: okPage + okPage}, "bad_body"},
		"empty":                   {reply{status: 200}, "bad_body"},
		"no errcode, no list":     {reply{body: `{}`}, "bad_body"},
		"null errcode, no list":   {reply{body: `{"errcode":null,"errmsg":"ok"}`}, "bad_body"},
		"empty ID":                {reply{body: `{"errcode":0,"order_id_list":["1",""]}`}, "bad_body"},
		"502 html":                {reply{status: 502, body: "<html>"}, "http_502"},
		"500 with a page":         {reply{status: 500, body: okPage}, "http_500"},
		"429":                     {reply{status: 429}, "http_429"},
		"404":                     {reply{status: 404, body: "404 page not found"}, "http_404"},
		"redirect":                {reply{status: 302, header: http.Header{"Location": {"http://elsewhere.test/"}}}, "http_302"},
		"500 with unknown code":   {reply{status: 500, body: `{"errcode":987654}`}, "other_errcode"},
		"503 with -1":             {reply{status: 503, body: `{"errcode":-1,"errmsg":"system error"}`}, "-1"},
		"errcode as text":         {reply{body: `{"errcode":"-1"}`}, "-1"},
		"reset":                   {reply{reset: true}, "reset"},
		"no answer":               {reply{hang: true}, "timeout"},
		"shorter than its length": {reply{body: okPage, header: http.Header{"Content-Length": {"999"}}}, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{lists: []reply{test.bad, test.bad, test.bad}}
			inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
				w.page(t)
				want := []string{test.result, test.result, test.result, "ok"}
				equal(t, "calls counted", w.Calls(), int64(len(want)))
				if !slices.Equal(w.results, want) {
					t.Errorf("results %q, want %q", w.results, want)
				}
				equal(t, "warnings", w.lines("level=WARN"), 1)
				equal(t, "recoveries", w.lines("calls succeed again"), 1)
				state, _, last := w.State()
				if state != "" || last != nil {
					t.Errorf("state after all %q, %v", state, last)
				}
			})
		})
	}
}

func TestOutageIsOneWarningWhateverTheCallers(t *testing.T) {
	a := &api{}
	for range 40 {
		a.lists = append(a.lists, reply{status: 502})
	}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		go func() {
			time.Sleep(300 * time.Millisecond)
			state, _, last := w.State()
			equal(t, "state", state, StateRetrying)
			var v *Error
			if !errors.As(last, &v) || v.HTTPStatus != 502 {
				t.Errorf("last error %v", last)
			}
		}()
		w.pages(t, 8)
		equal(t, "calls", w.api.count(listPath), 48)
		equal(t, "warnings", w.lines("level=WARN"), 1)
		equal(t, "recoveries", w.lines("calls succeed again"), 1)
	})
}

func TestOutageSoonAfterAWarningIsToldToo(t *testing.T) {
	a := &api{lists: []reply{{status: 502}}}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		for range 12 {
			a.lists = append(a.lists, reply{status: 502})
		}
		w.page(t)
		equal(t, "warnings", w.lines("call failed; retrying"), 2)
		equal(t, "recoveries", w.lines("calls succeed again"), 2)
		time.Sleep(2 * time.Minute)
		for range 20 {
			a.lists = []reply{{status: 502}}
			w.page(t)
		}
		equal(t, "warnings of a flapping API", w.lines("call failed; retrying"), 2+1)
	})
}

func TestRetriesSlowDownAndEndWithTheContext(t *testing.T) {
	a := &api{}
	for range 1000 {
		a.lists = append(a.lists, reply{status: 502})
	}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := w.List(ctx, anyQuery)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "HTTP 502") {
			t.Errorf("error %v", err)
		}
		// 30 s apart, give or take the jitter, after a quick start.
		if n := w.api.count(listPath); n < 3600/45 || n > 3600/15+15 {
			t.Errorf("%d calls in an hour", n)
		}
		state, _, _ := w.State()
		equal(t, "state", state, "")
		equal(t, "recoveries", w.lines("calls succeed again"), 0)
	})
}

func TestCancelledCall(t *testing.T) {
	inBubble(t, &api{lists: []reply{{hang: true}}}, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.List(ctx, anyQuery)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		equal(t, "warnings", w.lines("level=WARN"), 0)
	})
}

func TestRefusedKeyIsTriedThrice(t *testing.T) {
	inBubble(t, &api{lists: []reply{code(606006), code(606006)}}, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		w.api.lists = []reply{code(606006), code(606006), code(606006)}
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, KeyRefused, 606006)
		equal(t, "calls", w.api.count(listPath), 6)
	})
}

func TestUnknownCodeIsTriedFiveTimes(t *testing.T) {
	bad := reply{body: `{"errcode":10020050,"errmsg":"new rid: 6566bde8-1-2"}`}
	inBubble(t, &api{lists: []reply{bad, bad, bad, bad}}, Config{}, func(t *testing.T, w *fixture) {
		w.page(t)
		at := w.api.times(listPath)
		if patience := at[4].Sub(at[0]); patience < 7*time.Second {
			t.Errorf("gives up after %v", patience)
		}
		w.api.lists = []reply{bad, bad, bad, bad, bad}
		_, err := w.List(t.Context(), anyQuery)
		wantClass(t, err, Stop, 10020050)
		var v *Error
		errors.As(err, &v)
		equal(t, "rid", v.RID, "6566bde8-1-2")
		equal(t, "message", v.Message, "new")
		equal(t, "calls", w.api.count(listPath), 10)
	})
}

func TestWhatTheCallerMustActOnComesAtOnce(t *testing.T) {
	for status, class := range map[int]Class{403: Wait, 412: Stop} {
		inBubble(t, &api{lists: []reply{{status: status}}}, Config{}, func(t *testing.T, w *fixture) {
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, class, 0)
			equal(t, "calls", w.api.count(listPath), 1)
		})
	}
	for n, e := range codes {
		switch e.class {
		case Shrink, Wait, Stop:
		default:
			continue
		}
		inBubble(t, &api{lists: []reply{code(n)}}, Config{}, func(t *testing.T, w *fixture) {
			_, err := w.List(t.Context(), anyQuery)
			wantClass(t, err, e.class, n)
			equal(t, "calls", w.api.count(listPath), 1)
		})
	}
}

func TestCodesThatPassAreRetried(t *testing.T) {
	for n, e := range codes {
		if e.class != Retry {
			continue
		}
		inBubble(t, &api{lists: []reply{code(n), code(n), code(n), code(n), code(n), code(n)}}, Config{}, func(t *testing.T, w *fixture) {
			w.page(t)
			equal(t, "calls", w.api.count(listPath), 7)
		})
	}
}

func TestConfigurationThatCannotWork(t *testing.T) {
	secret := func() (string, error) { return testSecret, nil }
	for name, cfg := range map[string]Config{
		"no secret":                    {AppID: "wx1"},
		"no app ID":                    {Secret: secret},
		"no token":                     {Auth: AuthStatic},
		"no secret for the older call": {Auth: AuthToken, AppID: "wx1"},
		"no cloud token":               {Auth: AuthCloudFile},
		"no relay there":               {Auth: AuthCloudOpen, Host: &Host{URL: "http://gateway.test"}},
		"no token keeper":              {Auth: AuthComponent, AppID: "wx1"},
		"unknown auth":                 {AppID: "wx1", Secret: secret, Auth: "magic"},
		"no scheme":                    {AppID: "wx1", Secret: secret, Host: &Host{URL: "api.weixin.qq.com"}},
		"with a query":                 {AppID: "wx1", Secret: secret, Host: &Host{URL: "http://h/?access_token=SECRET"}},
		"bad port":                     {AppID: "wx1", Secret: secret, Host: &Host{URL: "http://SECRET:x"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(cfg)
			_, err := c.List(t.Context(), anyQuery)
			wantClass(t, err, Stop, 0)
			wantClass(t, c.Hear(t.Context()), Stop, 0)
		})
	}
	_, err := New(Config{AppID: "wx1", Secret: secret}).List(t.Context(), Query{Range: "pay_time"})
	wantClass(t, err, Stop, 0)
}

func TestHear(t *testing.T) {
	inBubble(t, &api{}, Config{}, func(t *testing.T, w *fixture) {
		for range 3 {
			if err := w.Hear(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "token calls", w.api.count(stableTokenPath), 1)
		equal(t, "list calls", w.api.count(listPath), 0)
	})
	static := Config{Auth: AuthStatic, Token: func() (string, error) { return "T", nil }}
	inBubble(t, &api{lists: []reply{{reset: true}, code(31042)}}, static, func(t *testing.T, w *fixture) {
		for range 3 {
			if err := w.Hear(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		calls := w.api.seen()
		equal(t, "calls", len(calls), 2)
		equal(t, "body", calls[1].body, `{"create_time_range":{"start_time":946684739,"end_time":946684740},"page_size":1}`)
		if err := w.HearAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "calls after hearing again", w.api.count(listPath), 3)
	})
	inBubble(t, &api{lists: []reply{code(606006), code(606006), code(606006)}}, static, func(t *testing.T, w *fixture) {
		if err := w.Hear(t.Context()); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, &api{lists: []reply{code(48001)}}, static, func(t *testing.T, w *fixture) {
		wantClass(t, w.Hear(t.Context()), Wait, 48001)
		if _, heard := w.host.Now(); !heard {
			t.Error("an error is an answer too")
		}
	})
}

func wantClass(t *testing.T, err error, class Class, n int) {
	t.Helper()
	var v *Error
	if !errors.As(err, &v) {
		t.Fatalf("error %v, want one of class %v", err, class)
	}
	if v.Class != class || v.Code != n {
		t.Errorf("class %v of errcode %d, want %v of %d: %v", v.Class, v.Code, class, n, v)
	}
	if n > 0 && n != 10020050 {
		equal(t, "rid", v.RID, "6566bde8-1cb6f4b9-2a1f0000")
	}
	if class == Wait || class == Stop {
		equal(t, "has a hint", v.Hint != "", true)
	}
	wantOneLine(t, err)
}

// wantOneLine wants a message that fits a log line.
func wantOneLine(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); len(text) > 600 || strings.ContainsAny(text, "\n\r") {
		t.Errorf("error text %q", text)
	}
}
