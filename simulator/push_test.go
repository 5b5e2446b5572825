package simulator_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// A shop's order events are pushed as they happen, as JSON, and a platform's as XML,
// with the vendor's event for each change.
func TestPushesOfOrders(t *testing.T) {
	for kind, change := range map[string]func(*simulator.PushConfig){"shop": nil, "platform": toPlatform} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shop(hundred, simulator.Live{}, simulator.Faults{})
				in, _, stop := pushing(t, s, change)
				time.Sleep(time.Second)
				const id = "3705115058471208929"
				if err := s.Add(appID, simulator.Order{ID: id, OpenID: `o"<&`}); err != nil {
					t.Fatal(err)
				}
				for _, status := range []int{20, 21, 30, 100, 250, 190, 200, 12} {
					time.Sleep(time.Second)
					if err := s.Update(appID, id, 0, status); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Second)
				stop()
				var got []string
				for _, m := range in.came() {
					if m.InfoType != "" {
						continue
					}
					wantURL, wantAppID := shopURL, appID
					if kind == "platform" {
						wantURL, wantAppID = authURL+"/"+appID, platformID
					}
					if !m.signed || m.appID != wantAppID || m.url != wantURL || strings.Trim(string(m.Info.ID), `"`) != id {
						t.Errorf("%+v", m)
					}
					if late := m.at.Unix() - m.CreateTime; late < 0 || late > 1 {
						t.Errorf("%s came %d s late", m.Event, late)
					}
					got = append(got, strings.TrimPrefix(m.Event, "channels_ec_order_"))
				}
				slices.Sort(got)
				want := []string{"new", "pay", "wait_shipping", "deliver", "deliver", "confirm", "settle", "cancel", "cancel", "cancel", "ext_info_update"}
				slices.Sort(want)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// Every change of a live order is pushed, without a gap.
func TestPushesOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{}, simulator.Live{Rate: 0.01, Changes: 1, Until: epoch + 86400}, simulator.Faults{})
		in, _, stop := pushing(t, s, nil)
		time.Sleep(48 * time.Hour)
		stop()
		told := map[string]map[int64]bool{}
		for _, m := range in.came() {
			id := strings.Trim(string(m.Info.ID), `"`)
			if told[id] == nil {
				told[id] = map[int64]bool{}
			}
			told[id][m.CreateTime] = true
		}
		changes := s.Changes(appID, timeless, timeless)
		for _, c := range changes {
			if !told[c.ID][c.At] {
				t.Fatalf("no push of %+v", c)
			}
		}
		if len(changes) < 1000 || len(in.told) != len(in.came()) {
			t.Errorf("%d changes, %d pushes", len(changes), len(in.told))
		}
	})
}

// The vendor makes ten attempts in 3.6 hours, as its documents say, and stops on an
// HTTP success.
func TestTriesOfAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		in, _, stop := pushing(t, s, nil)
		in.status = func(mail) int { return []int{500, 0, 404, 302}[len(in.mails)%4] }
		if err := s.Add(appID, simulator.Order{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		mails := in.came()
		var waits []time.Duration
		for i := range mails[1:] {
			waits = append(waits, mails[i+1].at.Sub(mails[i].at))
			if mails[i+1].query.Get("nonce") == mails[0].query.Get("nonce") || mails[i+1].random == mails[0].random || mails[i+1].message != mails[0].message {
				t.Errorf("try %d is like the first, or of something else", i+2)
			}
		}
		const m, h = time.Minute, time.Hour
		if want := []time.Duration{0, 0, 10 * time.Second, m, 5 * m, 30 * m, h, h, h}; !slices.Equal(waits, want) {
			t.Errorf("waits: %v", waits)
		}

		// An attempt without an answer is repeated after 5 s.
		in.mails, in.status = nil, func(m mail) int { return -1 + 201*min(len(in.mails)-1, 1) }
		if err := s.Add(appID, simulator.Order{ID: "2"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stop()
		if mails := in.came(); len(mails) != 2 || mails[1].at.Sub(mails[0].at) != 5*time.Second {
			t.Errorf("%d tries", len(mails))
		}
		if last := in.told[len(in.told)-1]; !last.Arrived() || last.Try != 2 || last.OrderID != "2" || last.Event != "channels_ec_order_new" {
			t.Errorf("%+v", last)
		}
	})
}

// Tickets come every ten minutes, authorisations when a shop gives them. From then on
// the platform gets the shop's events, until the shop withdraws the authorisation.
func TestPushesOfAPlatform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		in, p, stop := pushing(t, s, func(cfg *simulator.PushConfig) {
			toPlatform(cfg)
			cfg.Platforms[0].Shops = nil
		})
		add := func(id string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			if err := s.Add(appID, simulator.Order{ID: id}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		tell := func(infoType, code string) {
			t.Helper()
			a := simulator.Authorization{AppID: appID, Platform: platformID, InfoType: infoType, Code: code, Expires: time.Now().Add(time.Hour), At: time.Now()}
			if err := p.Announce(a); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if last := in.came()[len(in.came())-1]; last.InfoType != infoType || last.Code != code || last.Shop != appID || last.at != time.Now() || last.url != authURL {
				t.Errorf("%+v", last)
			}
		}
		add("1")
		tell("authorized", "queryauthcode@@@1")
		add("2")
		tell("updateauthorized", "queryauthcode@@@2")
		add("3")
		tell("unauthorized", "")
		add("4")
		for _, a := range []simulator.Authorization{
			{AppID: appID, Platform: "wx9", InfoType: "authorized"}, {AppID: "wx9", Platform: platformID, InfoType: "authorized"},
			{AppID: appID, Platform: platformID, InfoType: "component_verify_ticket"},
		} {
			if p.Announce(a) == nil {
				t.Error("something impossible was done")
			}
		}
		time.Sleep(time.Hour)
		stop()
		var ids []string
		tickets := map[string]bool{}
		for _, m := range in.came() {
			if len(m.Info.ID) > 0 {
				ids = append(ids, string(m.Info.ID))
			}
			if m.InfoType == "component_verify_ticket" {
				tickets[m.Ticket] = true
				if m.Ticket != s.VerifyTicket(m.at) {
					t.Errorf("%q is not the ticket of then", m.Ticket)
				}
				if m.at != time.Unix(epoch, 0) && m.at.Unix()%600 != 0 || m.appID != platformID || m.url != authURL {
					t.Errorf("%+v", m)
				}
			}
		}
		if !slices.Equal(ids, []string{"2", "3"}) || len(tickets) != 7 {
			t.Errorf("orders %v, %d tickets", ids, len(tickets))
		}
	})
}

func TestPushersThatAreNone(t *testing.T) {
	s := shop(hundred, simulator.Live{}, simulator.Faults{})
	for name, c := range map[string]simulator.PushConfig{
		"no server": {},
		"no shop":   {Server: s, Shops: []simulator.PushShop{{AppID: "wx9", Token: "t", AESKey: pushAES}}},
		"no token":  {Server: s, Shops: []simulator.PushShop{{AppID: appID, AESKey: pushAES}}},
		"no key":    {Server: s, Platforms: []simulator.PushPlatform{{AppID: "wx1", Token: "t", AESKey: "short"}}},
		"no shops":  {Server: s, Platforms: []simulator.PushPlatform{{AppID: "wx1", Token: "t", AESKey: pushAES, Shops: []string{"wx9"}}}},
	} {
		if _, err := simulator.NewPusher(c); err == nil {
			t.Errorf("%s: NewPusher succeeded", name)
		}
	}
}
