package wechat

import (
	"net/http"
	"testing"
	"time"
)

func dated(at time.Time) http.Header {
	return http.Header{"Date": {at.UTC().Format(http.TimeFormat)}}
}

func TestClockIsTheEarlierOne(t *testing.T) {
	a := &api{}
	static := Config{Auth: AuthStatic, Token: func() (string, error) { return "T", nil }}
	inBubble(t, a, static, func(t *testing.T, w *fixture) {
		now, heard := w.host.Now()
		if heard || !now.Equal(time.Now()) || !w.host.LastHeard().IsZero() {
			t.Errorf("before any answer: %v, %v", now, heard)
		}
		answer := func(header http.Header) {
			t.Helper()
			a.lists = []reply{{status: 200, body: okPage, header: header}}
			w.page(t)
			equal(t, "last heard", w.host.LastHeard(), time.Now())
		}
		dates := false
		offset := func() time.Duration {
			t.Helper()
			now, heard := w.host.Now()
			equal(t, "heard", heard, dates)
			return now.Sub(time.Now().Truncate(time.Second)).Truncate(time.Second)
		}
		answer(http.Header{"Date": nil})
		equal(t, "without a Date", offset(), 0)
		answer(http.Header{"Date": {"yesterday"}})
		equal(t, "with a Date that is none", offset(), 0)
		dates = true
		answer(dated(time.Now().Add(time.Hour)))
		equal(t, "API ahead", offset(), 0)
		answer(dated(time.Now().Add(-time.Hour)))
		equal(t, "API behind", offset(), -time.Hour)
		time.Sleep(90 * time.Minute)
		equal(t, "later", offset(), -time.Hour)
		answer(http.Header{"Date": nil})
		equal(t, "the latest Date stays", offset(), -time.Hour)
		answer(dated(time.Now().Add(-time.Minute)))
		equal(t, "the latest Date counts", offset(), -time.Minute)
	})
}

func TestErrorsAndTokensTellTheTimeToo(t *testing.T) {
	early := dated(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, a := range map[string]*api{
		"error of the list":  {lists: []reply{{body: `{"errcode":40097}`, header: early}}},
		"error of a gateway": {lists: []reply{{status: 403, header: early}}},
		"error of the token": {tokens: []reply{{body: `{"errcode":40125}`, header: early}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
				if _, err := w.List(t.Context(), anyQuery); err == nil {
					t.Fatal("no error")
				}
				now, heard := w.host.Now()
				equal(t, "heard", heard, true)
				equal(t, "year", now.Year(), 1999)
			})
		})
	}
}

func TestPathOfTheURLIsKept(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "https://api.weixin.qq.com",
		"http://127.0.0.1:1/":    "http://127.0.0.1:1",
		"https://gw.test/wechat": "https://gw.test/wechat",
	} {
		u, err := parseBase(text)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, text, u.String(), want)
	}
}

// Skew is the least difference that the times of call and answer allow, in two of the
// latest answers.
func TestSkewIsWhatTwoAnswersShow(t *testing.T) {
	second := time.Now().Truncate(time.Second)
	answered := func(took time.Duration, offsets ...time.Duration) (time.Duration, int) {
		h := &Host{}
		for _, offset := range offsets {
			h.noteSkew(second.Add(offset).Truncate(time.Second), second.Add(-took), second)
		}
		return h.Skew()
	}
	for name, c := range map[string]struct {
		took    time.Duration
		offsets []time.Duration
		want    time.Duration
		answers int
	}{
		"nothing heard":               {want: 0},
		"one answer, ahead":           {offsets: []time.Duration{time.Minute}, want: time.Minute, answers: 1},
		"one answer, behind":          {offsets: []time.Duration{-time.Minute}, want: 1*time.Second - time.Minute, answers: 1},
		"Date is cut":                 {offsets: []time.Duration{-time.Second, -900 * time.Millisecond}, want: 0, answers: 2},
		"a slow answer":               {took: 15 * time.Second, offsets: []time.Duration{-15 * time.Second, -8 * time.Second}, want: 0, answers: 2},
		"one odd Date":                {offsets: []time.Duration{0, 0, -time.Hour, 0}, want: 0, answers: 4},
		"one gateway of three is off": {offsets: []time.Duration{0, 0, time.Hour, 0, 0, time.Hour}, want: time.Hour, answers: 6},
		"behind more often":           {offsets: []time.Duration{-time.Hour, -time.Hour, time.Minute, time.Minute}, want: time.Second - time.Hour, answers: 4},
		"repaired":                    {offsets: append(make([]time.Duration, 0, 16), time.Hour, time.Hour, 0, 0, 0, 0, 0, 0, 0, 0), want: 0, answers: 8},
	} {
		if got, n := answered(c.took, c.offsets...); got != c.want || n != c.answers {
			t.Errorf("%s: %v of %d answers, want %v of %d", name, got, n, c.want, c.answers)
		}
	}
}
