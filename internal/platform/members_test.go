package platform

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/wechat"
	"orderwalk/simulator"
)

const listPath = "/cgi-bin/component/api_get_authorizer_list"

// following tells a story in which the keepers store which shops have authorised the
// platform.
func following(t *testing.T, tell func(w *fixture)) {
	story(t, simulator.Faults{}, func(w *fixture) {
		w.follows = true
		tell(w)
	})
}

// has checks that a worker's list of authorised shops is this.
func (k *worker) has(when string, want ...string) {
	k.Helper()
	if got, _ := k.Members(); !slices.Equal(got, want) {
		k.Errorf("%s: %q have authorised the platform, want %q\n%s", when, got, want, k.log.String())
	}
}

// change makes a shop authorise the platform, or withdraw that, and returns the event.
func (w *fixture) change(shop string, in bool) simulator.Authorization {
	w.Helper()
	if in {
		a, err := w.api.Authorize(shop)
		if err != nil {
			w.Fatal(err)
		}
		return a
	}
	if err := w.api.Revoke(shop); err != nil {
		w.Fatal(err)
	}
	return simulator.Authorization{AppID: shop, InfoType: "unauthorized", At: time.Now()}
}

// hears delivers an event to a worker.
func (k *worker) hears(a simulator.Authorization) {
	k.Helper()
	if err := k.Authorization(k.Context(), a.AppID, a.InfoType, a.Code, a.Expires, a.At); err != nil {
		k.Fatal(err)
	}
}

// TestShopsComeAndGoWithTheirEvents: all workers have the same list a moment after an
// event, whichever of them it was pushed to, and one that starts later has it too.
func TestShopsComeAndGoWithTheirEvents(t *testing.T) {
	following(t, func(w *fixture) {
		keeper, other := w.start("a", true), w.start("b", false)
		both := func(when string, want ...string) {
			w.Helper()
			time.Sleep(time.Second)
			keeper.has(when, want...)
			other.has(when, want...)
		}
		both("before a ticket")
		other.ticket()
		time.Sleep(lookEvery)
		both("after the list", "wx1")
		_, news := other.Members()
		other.hears(w.change("wx2", true))
		<-news
		both("authorised", "wx1", "wx2")
		time.Sleep(time.Minute)
		other.hears(w.change("wx1", false))
		both("withdrawn", "wx2")
		again := w.change("wx1", true)
		other.hears(again)
		both("authorised again", "wx2", "wx1")
		other.hears(w.change("wx2", true)) // other permissions: it keeps its place
		both("changed", "wx2", "wx1")
		time.Sleep(time.Minute)
		keeper.hears(w.change("wx1", false))
		other.hears(again)
		both("an event is repeated late", "wx2")
		keeper.stop()
		later := w.start("c", true)
		time.Sleep(time.Second)
		later.has("at a new worker", "wx2")
		later.works("wx2")
		later.stop()
		other.stop()
	})
}

// TestTheListFindsWhatNoEventSaid: events are lost. The list brings a shop and takes one
// away, within an hour and with few calls.
func TestTheListFindsWhatNoEventSaid(t *testing.T) {
	following(t, func(w *fixture) {
		w.given = map[string]string{"wx1": ""} // the list is also asked for the tokens of shops
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.has("at the start", "wx1")
		w.change("wx2", true)
		w.change("wx1", false)
		time.Sleep(passEvery + passSoon + time.Minute)
		k.has("after an hour", "wx2")
		w.change("wx2", false)
		w.change("wx1", true)
		k.ticket()
		time.Sleep(passEvery + passSoon + time.Minute)
		k.has("after another", "wx1")
		had := w.api.Stats().Calls[listPath]["0"]
		for range 24 {
			k.ticket()
			time.Sleep(time.Hour)
		}
		k.has("after a day", "wx1")
		if n := w.api.Stats().Calls[listPath]["0"] - had; n < 20 || n > 26 {
			t.Errorf("%d calls for the list in a day", n)
		}
		k.stop()
	})
}

// TestAListThatLacksAShopRemovesNone: an answer that leaves a shop out, and one that fails,
// change nothing.
func TestAListThatLacksAShopRemovesNone(t *testing.T) {
	following(t, func(w *fixture) {
		k := w.start("a", true)
		k.ticket()
		time.Sleep(time.Minute)
		k.hears(w.change("wx2", true))
		time.Sleep(listLag)
		for range 5 {
			k.ticket()
			had := w.api.Stats().Faults["authorizers_short_rate"]
			w.api.SetFaults(simulator.Faults{WayFaults: simulator.WayFaults{AuthorizersShortRate: 1}})
			for range 70 {
				if time.Sleep(time.Minute); w.api.Stats().Faults["authorizers_short_rate"] > had {
					break
				}
			}
			w.api.SetFaults(simulator.Faults{})
			if w.api.Stats().Faults["authorizers_short_rate"] == had {
				t.Fatal("no list left a shop out")
			}
			k.has("after a short list", "wx1", "wx2")
			time.Sleep(2 * passSoon)
			k.has("after the next list", "wx1", "wx2")
		}
		w.api.SetFaults(simulator.Faults{WayFaults: simulator.WayFaults{PlatformError: 61004}})
		time.Sleep(3 * time.Hour)
		w.api.SetFaults(simulator.Faults{})
		k.has("after lists that failed", "wx1", "wx2")
		k.ticket()
		time.Sleep(time.Hour)
		k.has("after one that did not", "wx1", "wx2")
		k.stop()
	})
}

// TestEventsInAnyOrder: shops authorise the platform and withdraw that, the events come
// late, in another order, several times or never, to any worker, and keepers change. All
// workers have the same list all the time, and in the end the vendor's.
func TestEventsInAnyOrder(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			following(t, func(w *fixture) {
				dice := rand.New(rand.NewPCG(seed, 13))
				reader := w.start("reader", false)
				reader.ticket()
				keeper := w.start("desk", true)
				var pending []simulator.Authorization
				in := map[string]bool{"wx1": true}
				for range 40 {
					if shop := fmt.Sprint("wx", 1+dice.IntN(2)); dice.IntN(2) == 0 {
						in[shop] = !in[shop]
						if a := w.change(shop, in[shop]); dice.IntN(8) > 0 {
							pending = append(pending, a)
						}
					}
					if n := len(pending); n > 0 && dice.IntN(2) == 0 {
						i := dice.IntN(n)
						[]*worker{reader, keeper}[dice.IntN(2)].hears(pending[i])
						if dice.IntN(4) > 0 {
							pending = slices.Delete(pending, i, i+1)
						}
					}
					if dice.IntN(10) == 0 {
						keeper.stop()
						keeper = w.start("desk", true)
					}
					time.Sleep(time.Duration(dice.IntN(4)) * 30 * time.Second)
					if dice.IntN(3) == 0 {
						time.Sleep(time.Second)
						mine, _ := reader.Members()
						if theirs, _ := keeper.Members(); !slices.Equal(mine, theirs) {
							t.Errorf("one worker has %q, the other %q", mine, theirs)
						}
					}
				}
				for _, a := range pending {
					reader.hears(a)
				}
				for range 3 {
					reader.ticket()
					time.Sleep(passEvery)
				}
				var want []string
				for _, a := range w.api.Authorizers() {
					want = append(want, a.AppID)
				}
				for _, k := range []*worker{reader, keeper} {
					got, _ := k.Members()
					if got = slices.Sorted(slices.Values(got)); !slices.Equal(got, want) {
						t.Errorf("%q have authorised the platform, the vendor says %q", got, want)
					}
				}
				keeper.stop()
				reader.stop()
			})
		})
	}
}

// TestListed: what a list says of one shop.
func TestListed(t *testing.T) {
	const now = 1_000_000
	began := time.Unix(now, 0)
	in := membership{in: true, since: 5, at: 5}
	pushed := func(change string, at int64, m membership) authorizedShop {
		s := authorizedShop{member: m}
		s.applyChange(value{At: at, Change: change}, "")
		if m.told == "covered" {
			s.member.told = s.told
		}
		return s
	}
	covered := membership{told: "covered"}
	for _, c := range []struct {
		what         string
		shop         authorizedShop
		since        bool // an event came while the list was read
		listedAt     int64
		short, again bool
		in, changed  bool
	}{
		{what: "it is new", listedAt: now - 50, in: true, changed: true},
		{what: "it is known", shop: authorizedShop{member: in}, listedAt: 5, in: true},
		{what: "it is missing", shop: authorizedShop{member: in}, in: true},
		{what: "it is missing again", shop: authorizedShop{member: in}, again: true, changed: true},
		{what: "it is missing again in a list that may lack shops", shop: authorizedShop{member: in}, again: true, short: true, in: true},
		{what: "it is missing again, and an event came meanwhile", shop: authorizedShop{member: in}, since: true, again: true, in: true},
		{what: "it is missing again, and has just authorised", shop: pushed(authorized, now-60, in), again: true, in: true},
		{what: "it is missing again, and authorised an hour ago", shop: pushed(authorized, now-3600, in), again: true, changed: true},
		{what: "it is listed, and has just withdrawn", shop: pushed(unauthorized, now-60, covered), listedAt: now - 9999},
		{what: "it is listed, and withdrew an hour ago", shop: pushed(unauthorized, now-3600, covered), listedAt: now - 9999, in: true, changed: true},
		{what: "it has authorised after it had just withdrawn", shop: pushed(unauthorized, now-60, covered), listedAt: now - 30, in: true, changed: true},
		{what: "it is listed, and an event came meanwhile", since: true, listedAt: now - 30},
	} {
		s := state{shops: map[string]authorizedShop{"wx1": c.shop, "wx2": {member: in}}}
		p := pass{began: began, told: map[string]string{"wx1": c.shop.told}, shops: map[string]wechat.Authorizer{"wx2": {AppID: "wx2"}}, whole: !c.short}
		if c.since {
			p.told["wx1"] = "another"
		}
		if c.listedAt > 0 {
			p.shops["wx1"] = wechat.Authorizer{AppID: "wx1", AuthorizedAt: time.Unix(c.listedAt, 0)}
		}
		changed, _, _ := s.listed(p, map[string]bool{"wx1": c.again})
		m, differs := changed["wx1"]
		if !differs {
			m = c.shop.member
		}
		if m.in != c.in || differs != c.changed {
			t.Errorf("%s: %+v, changed %v", c.what, m, differs)
		}
	}
}

// TestAMemberRecordOfANewerProgram: a program that cannot read it keeps the shop.
func TestAMemberRecordOfANewerProgram(t *testing.T) {
	n := grouplog.Name{Component: "wxc", Shop: "wx1", Kind: kindMember}
	st := newStore("g", nil, slog.New(slog.DiscardHandler), nil)
	for _, v := range []string{`{"v":1,"at":5,"since":5,"change":"authorized"}`, `{"v":2,"at":9,"change":"unknown"}`, `{`} {
		st.add(grouplog.Record{Name: n, Key: n.Bytes("g"), Value: []byte(v)})
		if got, _ := st.membersNow(); !slices.Equal(got, []string{"wx1"}) {
			t.Errorf("after %s: %q", v, got)
		}
	}
}

// TestPushed: what an event says of one shop.
func TestPushed(t *testing.T) {
	for _, c := range []struct {
		what    string
		had     membership
		changes []value
		want    membership
	}{
		{"it authorises", membership{}, []value{{At: 7, Change: authorized}}, membership{in: true, since: 7, at: 7}},
		{"it changes its permissions", membership{in: true, since: 5, at: 5}, []value{{At: 7, Change: "updateauthorized"}}, membership{in: true, since: 5, at: 7}},
		{"it withdraws", membership{in: true, since: 5, at: 5}, []value{{At: 7, Change: unauthorized}}, membership{since: 5, at: 5}},
		{"a withdrawal from before it authorised again", membership{in: true, since: 5, at: 9}, []value{{At: 7, Change: unauthorized}}, membership{in: true, since: 5, at: 9}},
		{"both in one second", membership{}, []value{{At: 7, Change: unauthorized}, {At: 7, Change: authorized}}, membership{in: true, since: 7, at: 7}},
		{"both in one second, the other way", membership{}, []value{{At: 7, Change: authorized}, {At: 7, Change: unauthorized}}, membership{in: true, since: 7, at: 7}},
		{"a withdrawal that was posted after a later authorisation", membership{in: true, since: 5, at: 5}, []value{{At: 9, Change: authorized}, {At: 7, Change: unauthorized}}, membership{in: true, since: 5, at: 9}},
		{"it authorised before the list removed it, and the code cannot be read any more", membership{since: 7, at: 7, told: "with its code"}, []value{{At: 7, Change: authorized}}, membership{since: 7, at: 7}},
		{"a record that cannot be read", membership{since: 5, at: 5, told: "x"}, []value{{}}, membership{since: 5, at: 5}},
	} {
		s := authorizedShop{member: c.had}
		for _, v := range c.changes {
			s.applyChange(v, "")
		}
		got, differs := s.pushed()
		if readable := c.changes[0].Change != ""; differs != readable || readable && got.told != s.told {
			t.Errorf("%s: changed %v, %+v", c.what, differs, got)
		}
		if got.told = ""; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}
