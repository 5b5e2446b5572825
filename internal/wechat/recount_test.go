package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A full page that does not say whether it is the last is listed again with other page
// sizes.
func TestAFullPageWithoutAnEndIsCountedAgain(t *testing.T) {
	full, three := `{"errcode":0,"order_id_list":["1","2"]}`, `{"errcode":0,"order_id_list":["1","2","3"]}`
	one := `{"errcode":0,"order_id_list":["1"],"next_key":"K","has_more":true}`
	inBubble(t, &api{lists: []reply{{body: full}, {body: three}, {body: one}, {body: three}}}, Config{}, func(t *testing.T, w *fixture) {
		q := anyQuery
		q.PageSize = 2
		page, err := w.List(t.Context(), q)
		if err != nil || len(page.IDs) != 3 || page.More {
			t.Errorf("%+v, %v", page, err)
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
		"one list is not enough": {{body: short}, {body: `{"errcode":0,"order_id_list":["1","2"]}`}, {body: `{"errcode":0,"order_id_list":["1"],"next_key":"K","has_more":true}`}, {body: whole}},
		"null":                   {{body: `{"errcode":0,"order_id_list":["1"],"next_key":null,"has_more":null}`}, {body: whole}},
		"after a page token":     {{body: `{"errcode":0,"order_id_list":["2"],"next_key":"K","has_more":true}`}, {body: short}, {body: whole}},
		"it said so before":      {{body: whole}, {body: short}, {body: short}, {body: short}, {body: short}, {body: whole}},
		"it said so, longer":     {{body: whole}, {body: short}, {body: short}, {body: short}, {body: short}, {body: short}, {body: short}, {body: whole}},
	} {
		inBubble(t, &api{lists: lists}, Config{}, func(t *testing.T, w *fixture) {
			q := anyQuery
			page, err := w.List(t.Context(), q)
			if len(page.IDs) == 3 && len(lists) > 4 {
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
	most    int  // orders of a page, whatever page_size says; 0 = no limit
	ragged  bool // pages have up to three orders less than they may
	repeats bool // a page begins with the last order of the page before it
}

func (b book) page(size, after int) string {
	if b.most > 0 {
		size = min(size, b.most)
	}
	if b.ragged {
		size = max(1, size-after%4)
	}
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
	var q listBody
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

// After a restart eight long windows come to their ends at a time. Only as many are listed
// again as it takes to know that the API leaves out a false has_more.
func TestFewWindowsOfATerseAPIAreCountedAgain(t *testing.T) {
	b := book{n: 10_050}
	a := &api{answer: b.answer}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := w.List(t.Context(), b.lastPage()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := a.count(listPath); n > enoughUnsaid*210+8 {
			t.Errorf("%d calls", n)
		}
	})
}

// The API allows fewer calls a minute than the range has pages, or refuses one page token
// in five: the lists continue where they were.
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

// For minutes, from the first call or later, each list breaks off after seven orders and
// does not say whether there are more. The lists are equal, but an API that leaves out
// only a false has_more would announce more after three of them.
func TestListsThatBreakOffAtTheSamePlaceAreNotBelieved(t *testing.T) {
	for name, after := range map[string]time.Duration{"from the first call": 0, "later": time.Minute} {
		b, began := book{n: 40}, time.Now()
		a := &api{}
		a.answer = func(body string) string {
			if d := time.Since(began); d >= after && d < after+5*time.Minute {
				var q struct {
					Size int `json:"page_size"`
				}
				_ = json.Unmarshal([]byte(body), &q)
				list, _, _ := strings.Cut(book{n: min(7, q.Size)}.page(q.Size, 0), `,"next_key"`)
				return list
			}
			return strings.Replace(b.answer(body), "]}", `],"has_more":false}`, 1)
		}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			began = time.Now()
			for range 2 {
				if page, err := w.List(t.Context(), anyQuery); err != nil || len(page.IDs) != b.n {
					t.Errorf("%s: %d IDs, %v, after %v", name, len(page.IDs), err, time.Since(began))
				}
				time.Sleep(max(0, after-time.Since(began)))
			}
		})
	}
}

// An API that leaves out a false has_more and lists all orders of a range, whatever
// page_size says, is believed.
func TestATerseAPIOfLargePagesIsBelieved(t *testing.T) {
	a := &api{answer: func(string) string { return `{"errcode":0,"order_id_list":["1","2","3"]}` }}
	inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if page, err := w.List(ctx, anyQuery); err != nil || len(page.IDs) != 3 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// An API allows pages of 50, and a gateway loses has_more and next_key where more than 54
// are asked for: always for a while, or from the second page on. What lists 50 then is not
// whole, however often it does.
func TestAPageAsLongAsAllowedIsNotTheLast(t *testing.T) {
	for name, first := range map[string]bool{"from the first page": true, "from the second page": false} {
		b, began := book{n: 120, most: 50}, time.Now()
		a := &api{answer: func(body string) string {
			var q listBody
			_ = json.Unmarshal([]byte(body), &q)
			answer := b.answer(body)
			if q.Size > 54 && time.Since(began) < 5*time.Minute && (first || q.Key != "" || time.Since(began) > time.Second/2) {
				answer, _, _ = strings.Cut(answer, `,"next_key"`)
				answer = strings.TrimSuffix(answer, "}") + "}"
			}
			return answer
		}}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			began = time.Now()
			if ids := all(t, w); len(ids) != b.n {
				t.Errorf("%s: %d IDs after %v", name, len(ids), time.Since(began))
			}
		})
	}
}

// The end of a list is found where the API leaves out a false has_more and its pages are
// shorter than asked for: because it allows no longer ones, or now and then.
func TestTheEndOfShortPagesIsFound(t *testing.T) {
	for name, b := range map[string]book{"two full pages": {n: 100, most: 50}, "a short one": {n: 90, most: 50}, "of varying length": {n: 203, ragged: true}} {
		a := &api{answer: b.answer}
		inBubble(t, a, Config{}, func(t *testing.T, w *fixture) {
			if ids := all(t, w); len(ids) != b.n || a.count(listPath) > 20 {
				t.Errorf("%s: %d IDs, %d calls", name, len(ids), a.count(listPath))
			}
		})
	}
}

// all pages through the range of anyQuery.
func all(t *testing.T, w *fixture) map[string]bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ids := make(map[string]bool)
	for q := anyQuery; ; {
		page, err := w.List(ctx, q)
		for _, id := range page.IDs {
			ids[id] = true
		}
		if err != nil || !page.More {
			if err != nil {
				t.Error(err)
			}
			return ids
		}
		q.Key = page.Next
	}
}
