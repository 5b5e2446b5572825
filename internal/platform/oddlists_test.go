package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderwalk/simulator"
)

// lists is an answer to a call for a list of these shops.
func lists(total int, shops ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var sent struct{ Offset, Count int }
		_ = json.NewDecoder(r.Body).Decode(&sent)
		page := []map[string]any{}
		for _, shop := range shops[min(sent.Offset, len(shops)):min(sent.Offset+sent.Count, len(shops))] {
			page = append(page, map[string]any{"authorizer_appid": shop, "refresh_token": "refreshtoken@@@of-" + shop, "auth_time": 1})
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"total_count": total, "list": page})
	}
}

// TestListsWithoutMostShopsStopNoFleet: the list is empty, or lacks most shops, for hours. No
// shop goes whose tokens the vendor still renews.
func TestListsWithoutMostShopsStopNoFleet(t *testing.T) {
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("wxmany%02d", i))
	}
	for what, answer := range map[string]http.HandlerFunc{"an empty list": lists(0), "a list of a few": lists(3, many[:3]...)} {
		t.Run(what, func(t *testing.T) {
			following(t, func(w *fixture) {
				w.answersLists(lists(len(many), many...))
				k := w.start("a", true)
				k.ticket()
				time.Sleep(time.Minute)
				k.has("at the start", many...)
				w.answersLists(answer)
				for range 3 {
					k.ticket()
					time.Sleep(time.Hour)
				}
				k.has("hours later", many...)
				if !strings.Contains(w.log.String(), "lacks most") {
					t.Errorf("the log says nothing:\n%s", w.log.String())
				}
				// A list that lacks a few is believed again.
				w.answersLists(lists(len(many)-2, many[2:]...))
				k.ticket()
				time.Sleep(passEvery + 2*passSoon)
				k.has("after a list that lacks two", many[2:]...)
				k.stop()
			})
		})
	}
}

// TestAListThatMovesRemovesNone: each time the list is read, one shop leaves and another joins
// between two pages, so that its total stays and the same shop moves from the second page to
// the first unseen. It never withdrew, and stays.
func TestAListThatMovesRemovesNone(t *testing.T) {
	following(t, func(w *fixture) {
		var all []string
		for i := range 600 {
			all = append(all, fmt.Sprintf("wxmany%03d", i))
		}
		const between = "wxmany499"
		moves, joined, passes := false, 0, 0
		w.answersLists(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			first := bytes.Contains(body, []byte(`"offset":0`))
			at := len(all)
			if first {
				at = 0
			}
			if moves {
				all = slices.Insert(all, at, fmt.Sprintf("wxjoined%03d", joined))
				joined++
				if !first {
					all = all[1:]
					passes++
				}
			}
			lists(len(all), all...)(rw, r)
		})
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		moves = true
		for range 5 {
			k.ticket()
			time.Sleep(time.Hour)
			if now, _ := k.Members(); !slices.Contains(now, between) {
				t.Errorf("it has gone, after %d lists", passes)
				break
			}
		}
		if passes < 4 {
			t.Errorf("%d lists were read", passes)
		}
		k.stop()
	})
}

// TestAFirstListThatLacksShopsIsSoonReadAgain: the first list of a group is empty, or lacks a
// shop. Those that authorised the platform before the start come some minutes later, and few
// calls are made for a platform without shops.
func TestAFirstListThatLacksShopsIsSoonReadAgain(t *testing.T) {
	for what, first := range map[string][]string{"an empty list": nil, "a list of one": {"wx1"}} {
		t.Run(what, func(t *testing.T) {
			following(t, func(w *fixture) {
				w.given = nil // no call for tokens that are not there
				var calls atomic.Int64
				answer := func(shops ...string) {
					w.answersLists(func(rw http.ResponseWriter, r *http.Request) {
						calls.Add(1)
						lists(len(shops), shops...)(rw, r)
					})
				}
				answer(first...)
				k := w.start("a", true)
				k.ticket()
				time.Sleep(5 * time.Minute)
				k.has("after the first list", first...)
				answer("wx1", "wx2")
				time.Sleep(5 * time.Minute)
				k.has("ten minutes after the start", "wx1", "wx2")
				for range 23 {
					k.ticket()
					time.Sleep(time.Hour)
				}
				if n := calls.Load(); n > 36 {
					t.Errorf("%d calls in a day", n)
				}
				k.stop()
			})
		})
	}
}

// TestTheLastShopsThatWithdrawGo: the list is empty because every shop has withdrawn its
// authorisation and no event has said so. The vendor refuses their tokens, so they go.
func TestTheLastShopsThatWithdrawGo(t *testing.T) {
	following(t, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.hears(w.change("wx2", true))
		time.Sleep(time.Minute)
		k.has("both", "wx1", "wx2")
		w.change("wx1", false)
		w.change("wx2", false)
		for range 8 {
			k.ticket()
			time.Sleep(time.Hour)
		}
		k.has("hours later")
		k.stop()
	})
}

// TestListsThatFailAreNotAskedForAllTheTime: whatever the answer to the second page of the list
// is, three hours have few calls for it, also with many shops that have no tokens. The shops
// of the first page come.
func TestListsThatFailAreNotAskedForAllTheTime(t *testing.T) {
	for what, second := range map[string]string{
		"busy": `{"errcode":-1,"errmsg":"system error"}`, "quota": `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, "another platform": `{"errcode":61011,"errmsg":"invalid component"}`,
		"bare": `{"errcode":0,"errmsg":"ok"}`, "refused token": `{"errcode":40001,"errmsg":"invalid credential"}`, "no token": `{"total_count":3,"list":[{"authorizer_appid":"wx4"}]}`,
	} {
		t.Run(what, func(t *testing.T) {
			following(t, func(w *fixture) {
				for i := range 9 {
					w.given[fmt.Sprintf("wxlost%02d", i)] = ""
				}
				var calls atomic.Int64
				w.answersLists(func(rw http.ResponseWriter, _ *http.Request) {
					if calls.Add(1)%2 == 0 {
						fmt.Fprint(rw, second)
						return
					}
					fmt.Fprint(rw, `{"total_count":3,"list":[{"authorizer_appid":"wx1","refresh_token":"refreshtoken@@@1"},{"authorizer_appid":"wx2","refresh_token":"refreshtoken@@@2"}]}`)
				})
				k := w.start("a", true)
				for range 3 {
					k.ticket()
					time.Sleep(time.Hour)
				}
				k.has("hours later", "wx1", "wx2")
				if n := calls.Load(); n < 10 || n > 130 {
					t.Errorf("%d calls in three hours", n)
				}
				w.answersLists(lists(2, "wx1", "wxnew"))
				k.ticket()
				time.Sleep(passEvery)
				k.has("after a good one", "wxnew", "wx1") // in the order of their authorisation
				k.stop()
			})
		})
	}
}

// TestATotalThatIsTooHighHidesNoShop: the vendor counts shops that it never lists. Those it
// lists come, one that authorises later too, and none goes that a list lacks.
func TestATotalThatIsTooHighHidesNoShop(t *testing.T) {
	following(t, func(w *fixture) {
		w.answersLists(lists(9, "wx1", "wx2"))
		k := w.start("a", true)
		k.ticket()
		time.Sleep(passSoon)
		k.has("with a wrong total", "wx1", "wx2")
		w.answersLists(lists(9, "wx2", "wx3"))
		for range 3 {
			k.ticket()
			time.Sleep(passEvery)
		}
		k.has("hours later", "wx1", "wx2", "wx3")
		k.stop()
	})
}

// TestOddAppIDsAreIgnored: an entry of the list that is none neither stops the keeper nor
// becomes a shop.
func TestOddAppIDsAreIgnored(t *testing.T) {
	following(t, func(w *fixture) {
		odd := []string{"wx1", "wx/..", "wx 1", "wx\n2", "微信", "wx" + strings.Repeat("a", 2<<20), "wx2"}
		w.answersLists(lists(len(odd), odd...))
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.has("after the list", "wx1", "wx2")
		k.works("wx1")
		k.stop()
	})
}

// TestAnEntryWithoutATokenIsLeftOut: the shops around it come, and none goes by such a list.
func TestAnEntryWithoutATokenIsLeftOut(t *testing.T) {
	following(t, func(w *fixture) {
		w.answersLists(lists(2, "wx1", "wx2"))
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.has("at the start", "wx1", "wx2")
		w.answersLists(func(rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(rw, `{"total_count":3,"list":[{"authorizer_appid":"wx1","refresh_token":"refreshtoken@@@1"},{"authorizer_appid":"wx4"},{"authorizer_appid":"wx5","refresh_token":"refreshtoken@@@5"}]}`)
		})
		for range 3 {
			k.ticket()
			time.Sleep(time.Hour)
		}
		k.has("hours later", "wx1", "wx2", "wx5")
		k.stop()
	})
}

// TestAWorkerStartsWhileThePlatformFails: it has the shops that were known, and their tokens;
// what an event says is taken over meanwhile, too.
func TestAWorkerStartsWhileThePlatformFails(t *testing.T) {
	following(t, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.works("wx1")
		k.stop()
		w.api.SetFaults(simulator.Faults{WayFaults: simulator.WayFaults{PlatformError: -1}})
		k = w.start("b", true)
		time.Sleep(time.Second)
		k.has("after the start", "wx1")
		k.works("wx1")
		k.hears(w.change("wx2", true))
		time.Sleep(time.Second)
		k.has("after an event", "wx1", "wx2")
		time.Sleep(time.Minute)
		w.api.SetFaults(simulator.Faults{})
		time.Sleep(2 * time.Minute)
		k.works("wx2")
		k.stop()
	})
}
