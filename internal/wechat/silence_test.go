package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
			var q struct {
				Range struct {
					Start int64 `json:"start_time"`
					End   int64 `json:"end_time"`
				} `json:"create_time_range"`
			}
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

// A full page that does not say whether it is the last is listed again with other page
// sizes.
func TestAFullPageWithoutAnEndIsCountedAgain(t *testing.T) {
	full, three := `{"errcode":0,"order_id_list":["1","2"]}`, `{"errcode":0,"order_id_list":["1","2","3"]}`
	inBubble(t, &api{lists: []reply{{body: full}, {body: three}, {body: three}}}, Config{}, func(t *testing.T, w *fixture) {
		q := anyQuery
		q.PageSize = 2
		page, err := w.List(t.Context(), q)
		if err != nil || len(page.IDs) != 3 || page.More {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// An API that says whether there are more fails for a few seconds. The call goes on soon
// after that.
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
		began = time.Now()
		if _, err := w.List(t.Context(), anyQuery); err != nil {
			t.Error(err)
		}
		time.Sleep(6 * time.Second)
		if page, err := w.List(t.Context(), anyQuery); err != nil || len(page.IDs) != 1 || time.Since(began) > 25*time.Second {
			t.Errorf("%+v, %v after %v", page, err, time.Since(began))
		}
	})
}

// A page that is not full may have lost its has_more on the way, and orders with it: the
// range is listed again. What the API has said once counts until it says nothing for
// long.
func TestAShortPageWithoutAnEndIsCountedAgain(t *testing.T) {
	short, whole := `{"errcode":0,"order_id_list":["1"]}`, `{"errcode":0,"order_id_list":["1","2","3"],"next_key":"","has_more":false}`
	for name, lists := range map[string][]reply{
		"the next list says":     {{body: short}, {body: whole}},
		"one list is not enough": {{body: short}, {body: `{"errcode":0,"order_id_list":["1","2"]}`}, {body: whole}},
		"null":                   {{body: `{"errcode":0,"order_id_list":["1"],"next_key":null,"has_more":null}`}, {body: whole}},
		"after a page token":     {{body: `{"errcode":0,"order_id_list":["2"],"next_key":"K","has_more":true}`}, {body: short}, {body: whole}},
		"it said so before":      {{body: whole}, {body: short}, {body: short}, {body: short}, {body: short}, {body: whole}},
		"it said so, longer":     {{body: whole}, {body: short}, {body: short}, {body: short}, {body: short}, {body: short}, {body: short}, {body: whole}},
	} {
		inBubble(t, &api{lists: lists}, Config{}, func(t *testing.T, w *fixture) {
			q := anyQuery
			page, err := w.List(t.Context(), q)
			if len(page.IDs) == 3 && len(lists) > 3 {
				page, err = w.List(t.Context(), q)
			}
			if page.More {
				q.Key = page.Next
				page, err = w.List(t.Context(), q)
			}
			if err != nil || len(page.IDs) != 3 || page.More {
				t.Errorf("%s: %+v, %v", name, page, err)
			}
		})
	}
	terse := make([]reply, 100)
	for i := range terse {
		terse[i].body = short
	}
	inBubble(t, &api{lists: append([]reply{{body: whole}}, terse...)}, Config{}, func(t *testing.T, w *fixture) {
		for _, most := range []time.Duration{time.Second, 5 * time.Minute} {
			began := time.Now()
			if _, err := w.List(t.Context(), anyQuery); err != nil || time.Since(began) > most {
				t.Errorf("a list took %v: %v", time.Since(began), err)
			}
		}
	})
}

// book is an API that leaves out a false has_more. It lists the orders 1 to n of any range.
type book struct {
	n       int
	repeats bool // a page begins with the last order of the page before it
}

func (b book) page(size, after int) string {
	first := after + 1
	if b.repeats && after > 0 {
		first--
	}
	last := min(b.n, first+size-1)
	ids := make([]string, 0, size)
	for id := first; id <= last; id++ {
		ids = append(ids, strconv.Itoa(id))
	}
	list, _ := json.Marshal(ids)
	if last == b.n {
		return fmt.Sprintf(`{"errcode":0,"order_id_list":%s}`, list)
	}
	return fmt.Sprintf(`{"errcode":0,"order_id_list":%s,"next_key":"%d","has_more":true}`, list, last)
}

func (b book) answer(body string) string {
	var q struct {
		Size int    `json:"page_size"`
		Key  string `json:"next_key"`
	}
	if err := json.Unmarshal([]byte(body), &q); err != nil {
		panic(err)
	}
	after, _ := strconv.Atoi(q.Key)
	return b.page(q.Size, after)
}

// lastPage is the query for the last page of the book.
func (b book) lastPage() Query {
	q := anyQuery
	q.PageSize, q.Key = 100, strconv.Itoa(b.n-9)
	return q
}

// An order that two pages list is one order: lists with different page sizes repeat
// different numbers of them.
func TestListsWithRepeatsAreEqual(t *testing.T) {
	b := book{n: 10_050, repeats: true}
	inBubble(t, &api{answer: b.answer}, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if page, err := w.List(ctx, b.lastPage()); err != nil || len(set(page.IDs)) != b.n {
			t.Errorf("%d IDs, %v", len(set(page.IDs)), err)
		}
	})
}

// The API allows fewer calls a minute than the range has pages, or refuses one page token
// in five: the lists go on where they were.
func TestALongRecountOutlastsLimits(t *testing.T) {
	b := book{n: 10_050}
	minute, calls := time.Time{}, 0
	for name, answer := range map[string]func(body string) string{
		"60 calls a minute": func(body string) string {
			if now := time.Now().Truncate(time.Minute); !now.Equal(minute) {
				minute, calls = now, 0
			}
			if calls++; calls > 60 {
				return `{"errcode":45011}`
			}
			return b.answer(body)
		},
		"tokens are refused": func(body string) string {
			if calls++; calls%5 == 0 && strings.Contains(body, "next_key") {
				return `{"errcode":606006}`
			}
			return b.answer(body)
		},
	} {
		calls = 0
		a := &api{answer: answer}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			page, err := w.List(ctx, b.lastPage())
			if n := a.count(listPath); err != nil || len(page.IDs) != b.n || n > 300 {
				t.Errorf("%s: %d IDs, %v, %d calls", name, len(page.IDs), err, n)
			}
		})
	}
}

// An API that leaves out what is empty fails every second call. The lists of one check
// are requested again where they fail; a check that begins again at each failure would
// never end.
func TestACheckOfSilenceOutlastsFailures(t *testing.T) {
	for _, failure := range []string{`{"errcode":-1,"errmsg":"system error"}`, `{"errcode":987654,"errmsg":"unknown"}`, `<html>`, `{"errcode":0,"has_more":true,"next_key":"K"}`} {
		a, calls := &api{}, 0
		a.answer = func(body string) string {
			var q struct {
				Range struct {
					Start int64 `json:"start_time"`
				} `json:"create_time_range"`
			}
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
