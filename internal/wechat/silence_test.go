package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// listBody is what a list call asks for.
type listBody struct {
	Range struct {
		Start int64 `json:"start_time"`
		End   int64 `json:"end_time"`
	} `json:"create_time_range"`
	Size int    `json:"page_size"`
	Key  string `json:"next_key"`
}

// TestSilence: which answers are complete.
func TestSilence(t *testing.T) {
	for body, want := range map[string]silence{
		`{"errcode":0,"order_id_list":[],"has_more":false}`:                              complete,
		`{"errcode":0,"order_id_list":[],"has_more":true,"next_key":"K"}`:                complete,
		`{"errcode":0,"order_id_list":[],"next_key":"K"}`:                                complete,
		`{"errcode":0,"order_id_list":["1"]}`:                                            lacksEnd,
		`{"errcode":0,"order_id_list":["1","2"],"has_more":false}`:                       complete,
		`{"errcode":0,"order_id_list":["1","2"],"next_key":"K"}`:                         complete,
		`{"errcode":0,"order_id_list":["1","2"]}`:                                        lacksEnd,
		`{"errcode":0,"order_id_list":["1","2","3"],"has_more":null}`:                    lacksEnd,
		`{"errcode":0,"errmsg":"ok"}`:                                                    saysNothing,
		`{"errcode":0,"data":{}}`:                                                        saysNothing,
		`{"errcode":0,"order_id_list":[]}`:                                               saysNothing,
		`{"errcode":0,"order_id_list":[],"next_key":""}`:                                 saysNothing,
		`{"errcode":0,"order_id_list":[],"has_more":null}`:                               saysNothing,
		`{"errcode":0,"order_id_list":null,"has_more":false}`:                            saysNothing,
		`{"errcode":0,"order_id_list":{},"has_more":false}`:                              saysNothing,
		`{"errcode":0,"order_id_list":null,"next_key":"K","has_more":false}`:             saysNothing,
		`{"errcode":0,"has_more":false}`:                                                 saysNothing,
		`{"has_more":0}`:                                                                 saysNothing,
		`{"errcode":0,"errmsg":"ok","order_id_list":null,"next_key":"","has_more":null}`: saysNothing,
		`{"errcode":0,"has_more":true,"next_key":"K"}`:                                   lacksList,
		`{"errcode":0,"has_more":true}`:                                                  lacksList,
		`{"errcode":0,"next_key":"K"}`:                                                   lacksList,
		`{"errcode":0,"order_id_list":null,"next_key":"K"}`:                              lacksList,
	} {
		r, err := parseListResponse(body, 2)
		if got := r.silence(); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", body, got, err, want)
		}
	}
}

// After a page token no silent answer ends the list: the window must restart. Look
// still reports that calls succeed.
func TestASilentPageAfterATokenStartsTheWindowAgain(t *testing.T) {
	for _, body := range []string{`{"errcode":0,"errmsg":"ok"}`, `{"errcode":0,"order_id_list":null,"has_more":false}`, `{"errcode":0,"has_more":true,"next_key":"K"}`} {
		silent := make([]reply, 3*silentTries)
		for i := range silent {
			silent[i].body = body
		}
		inBubble(t, &api{lists: silent}, Config{}, func(t *testing.T, w *fixture) {
			q := anyQuery
			q.Key = "K1"
			_, err := w.List(t.Context(), q)
			wantClass(t, err, KeyRefused, 0)
			equal(t, "calls", w.api.count(listPath), silentTries)
			page, err := w.Look(t.Context(), q)
			if err != nil || !page.Silent {
				t.Errorf("%+v, %v", page, err)
			}
			began := time.Now()
			_, err = w.Probe(t.Context(), anyQuery)
			if err == nil && time.Since(began) > 10*time.Minute {
				t.Errorf("an estimate took %v", time.Since(began))
			}
		})
	}
}

// If a checkpoint knows of orders that the API does not list, its silence is not
// accepted although it refuses wrong requests; nor is the silence of an API that
// accepts a wrong request.
func TestSilenceAboutKnownOrdersIsNotBelieved(t *testing.T) {
	for _, c := range []struct{ known, careless bool }{{true, false}, {false, true}, {false, false}} {
		a := &api{}
		a.answer = func(body string) string {
			var q listBody
			switch err := json.Unmarshal([]byte(body), &q); {
			case err != nil || strings.Contains(body, "next_key"):
				return `{"errcode":606006}`
			case q.Range.Start > q.Range.End && !c.careless:
				return `{"errcode":40097}`
			}
			return `{"errcode":0,"errmsg":"ok"}`
		}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			if c.known {
				w.Remember(anyQuery)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Hour)
			defer cancel()
			page, err := w.List(ctx, anyQuery)
			if (c.known || c.careless) != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%+v: %+v, %v", c, page, err)
			}
		})
	}
}

// A gateway answers without orders if a range ends before some moment; about longer ones
// it lists them. The order that it lists then is one of the range in question, and no
// proof that the gateway speaks about that range.
func TestAnOrderOfTheRangeItselfIsNoneOfAnotherTime(t *testing.T) {
	a := &api{}
	moment := int64(0)
	a.answer = func(body string) string {
		var q listBody
		if err := json.Unmarshal([]byte(body), &q); err != nil || q.Range.End <= moment || q.Range.Start > moment-900 {
			return `{"errcode":0,"errmsg":"ok"}`
		}
		return `{"errcode":0,"order_id_list":["1"],"next_key":"","has_more":false}`
	}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		moment = time.Now().Unix()
		q, known := anyQuery, anyQuery
		q.Start, q.End = moment-1000, moment-500
		known.Start, known.End = moment-3600, moment+10
		w.Remember(known)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if page, err := w.List(ctx, q); err == nil && len(page.IDs) == 0 {
			t.Errorf("no orders after %s, and order 1 is in the range", time.Since(time.Unix(moment, 0)))
		}
	})
}

// A cache holds answers without orders to all requests about a range that were made in a
// few seconds, and repeats them. Its silence is not believed: requests that were not made
// then get the order.
func TestRepeatedAnswersWithoutOrdersAreNotBelieved(t *testing.T) {
	for _, size := range []int{100, 20} {
		a, held := &api{}, map[string]bool{}
		q := anyQuery
		q.PageSize = size
		began := time.Time{}
		a.answer = func(body string) string {
			var of listBody
			if err := json.Unmarshal([]byte(body), &of); err != nil {
				t.Error(err)
			}
			r := of.Range
			if began.IsZero() {
				began = time.Now()
			}
			about := q.Start <= r.Start && r.End <= q.End
			if about && time.Since(began) < 5*time.Second {
				held[body] = true
			}
			sale, order := q.Start-24*3600, q.Start+5
			switch {
			case r.Start <= sale && sale < r.End: // more orders in one second than a page has
				return `{"errcode":0,"order_id_list":["` + strings.Repeat(`2","`, of.Size-1) + `2"],"next_key":"K","has_more":true}`
			case r.Start <= order && order < r.End && !held[body]:
				return `{"errcode":0,"order_id_list":["1"],"next_key":"","has_more":false}`
			}
			return `{"errcode":0,"errmsg":"ok"}`
		}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			began = time.Time{}
			q.End = time.Now().Unix() - 60
			q.Start = q.End - 10
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if page, err := w.List(ctx, q); err == nil && len(page.IDs) == 0 {
				t.Errorf("pages of %d: no orders after %v, and order 1 is in the range", size, time.Since(began))
			}
		})
	}
}

// The answer about a range is silent for five minutes, as from a cache. Of the lists that
// contain it, every third shows its order and the others are silent too: that the API
// lists orders of other times in between does not make up for the order.
func TestAnOrderSeenOnceIsNotForgotten(t *testing.T) {
	q, began, around := anyQuery, time.Now(), 0
	a := &api{answer: func(body string) string {
		var l listBody
		_ = json.Unmarshal([]byte(body), &l)
		silent, orders := time.Since(began) < 5*time.Minute, `"1","2"`
		switch {
		case l.Range.Start >= q.Start && l.Range.End <= q.End && !silent:
			orders = `"9"`
		case l.Range.Start == q.Start && l.Range.End >= q.End && silent:
			return `{"errcode":0,"errmsg":"ok"}`
		case l.Range.Start < q.End && l.Range.End >= q.End:
			if around++; silent && around%3 != 0 {
				return `{"errcode":0,"errmsg":"ok"}`
			}
			orders += `,"9"`
		}
		return `{"errcode":0,"order_id_list":[` + orders + `],"next_key":"","has_more":false}`
	}}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		began = time.Now()
		before := q
		before.Start, before.End = q.Start-3600, q.Start
		if _, err := w.List(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if page, err := w.List(t.Context(), q); err != nil || !slices.Contains(page.IDs, "9") {
			t.Errorf("%v, %v after %v", page.IDs, err, time.Since(began))
		}
	})
}

// A poll of an idle shop waits for the examination that another call began. When that
// call finds its orders some other way, the poll examines its own range.
func TestAnExaminationWithoutACallIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := new(filterEvidence)
		poll := func() Query {
			now := time.Now().Unix()
			return Query{Range: CreateTime, Start: now - 20, End: now}
		}
		x.silentRangeOf(poll(), time.Now())
		time.Sleep(10 * time.Second)
		q := poll()
		if x.silentRangeOf(q, time.Now()).holds(q) {
			t.Error("the second poll does not wait")
		}
		for range 3 {
			time.Sleep(patience)
			x.silentRangeOf(q, time.Now())
		}
		if !x.silentRangeOf(q, time.Now()).holds(q) {
			t.Error("the second poll waits for an examination that no call makes")
		}
	})
}

// An API that says whether there are more fails for a few seconds. The call succeeds
// soon after that.
func TestAShortSilenceIsOverSoon(t *testing.T) {
	began := time.Now()
	a := &api{}
	a.answer = func(string) string {
		if d := time.Since(began); d > 5*time.Second && d < 13*time.Second {
			return `{"errcode":0,"errmsg":"ok"}`
		}
		return `{"errcode":0,"errmsg":"ok","order_id_list":["1"],"next_key":"","has_more":false}`
	}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		for range latestAnswers {
			began = time.Now()
			if _, err := w.List(t.Context(), anyQuery); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(6 * time.Second)
		if page, err := w.List(t.Context(), anyQuery); err != nil || len(page.IDs) != 1 || time.Since(began) > 25*time.Second {
			t.Errorf("%+v, %v after %v", page, err, time.Since(began))
		}
	})
}

// An API leaves out what is empty from some moment on, or nine of its ten gateways do. The
// polls of a shop without orders cost about as many calls as at an API that always does.
func TestAnAPIThatIsSilentNowAndThenIsAskedLittleMore(t *testing.T) {
	calls := map[string]int{}
	for name, says := range map[string]func(calls int) bool{
		"never":      func(int) bool { return false },
		"no longer":  func(calls int) bool { return calls < latestAnswers },
		"one in ten": func(calls int) bool { return calls%10 == 0 },
	} {
		made := 0
		a := &api{answer: func(body string) string {
			var q listBody
			made++
			switch err := json.Unmarshal([]byte(body), &q); {
			case err != nil || strings.Contains(body, "next_key"):
				return `{"errcode":606006}`
			case q.Range.Start > q.Range.End:
				return `{"errcode":40097}`
			case says(made):
				return `{"errcode":0,"order_id_list":[],"next_key":"","has_more":false}`
			}
			return `{"errcode":0,"errmsg":"ok"}`
		}}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			for began := time.Now(); time.Since(began) < 5*time.Hour; time.Sleep(10 * time.Second) {
				q := anyQuery
				q.End = time.Now().Unix()
				q.Start = q.End - 10
				if _, err := w.List(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			calls[name] = a.count(listPath)
		})
	}
	for name, n := range calls {
		if n > calls["never"]*5/4 {
			t.Errorf("%s: %d calls, of an API that never says it %d", name, n, calls["never"])
		}
	}
}

// An API that leaves out what is empty fails every second call. The lists of one check
// are requested again where they fail; a check that begins again at each failure would
// never end.
func TestACheckOfSilenceOutlastsFailures(t *testing.T) {
	for _, failure := range []string{`{"errcode":-1,"errmsg":"system error"}`, `{"errcode":987654,"errmsg":"unknown"}`, `<html>`, `{"errcode":0,"has_more":true,"next_key":"K"}`} {
		a, calls := &api{}, 0
		a.answer = func(body string) string {
			var q listBody
			if calls++; calls%2 == 0 {
				return failure
			}
			if err := json.Unmarshal([]byte(body), &q); err != nil || q.Range.Start >= anyQuery.Start {
				return `{"errcode":0,"errmsg":"ok"}`
			}
			return `{"errcode":0,"order_id_list":["1"]}`
		}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			before := anyQuery
			before.Start, before.End = anyQuery.Start-3600, anyQuery.Start
			for _, q := range []Query{before, anyQuery} {
				if page, err := w.List(ctx, q); err != nil || len(page.IDs) > 0 && q == anyQuery {
					t.Errorf("%s: %d–%d: %+v, %v", failure, q.Start, q.End, page, err)
				}
			}
		})
	}
}
