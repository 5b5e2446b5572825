package simulator_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

const (
	platformID = "wx00000000000000ff"
	pushToken  = "push-token"
	pushAES    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	shopURL    = "http://shop/push/" + appID
	authURL    = "http://shop/push/component/" + platformID
)

// inbox receives pushes as a program of somebody else's would: it knows the
// token and the key, and nothing of the simulator.
type inbox struct {
	t *testing.T

	mu    sync.Mutex
	mails []mail
	told  []simulator.Push
	// status decides about each push; 200 if nil. 0 breaks the connection.
	status func(mail) int
}

// mail is a push that has come.
type mail struct {
	at     time.Time
	url    string // without query
	query  url.Values
	body   string
	signed bool
	// What was in it, if it was signed and decrypts.
	message, appID, random string
	Event                  string `json:"Event" xml:"Event"`
	InfoType               string `json:"InfoType" xml:"InfoType"`
	CreateTime             int64  `json:"CreateTime" xml:"CreateTime"`
	Ticket                 string `xml:"ComponentVerifyTicket"`
	Shop                   string `xml:"AuthorizerAppid"`
	Code                   string `xml:"AuthorizationCode"`
	Info                   struct {
		ID json.RawMessage `json:"order_id" xml:"order_id"`
	} `json:"order_info" xml:"order_info"`
}

func (in *inbox) RoundTrip(r *http.Request) (*http.Response, error) {
	m := mail{at: time.Now(), query: r.URL.Query()}
	target := *r.URL
	target.RawQuery = ""
	m.url = target.String()
	if r.Method == http.MethodGet {
		echo := m.query.Get("echostr")
		if m.query.Has("msg_signature") && m.check(echo) {
			m.open(in.t, echo)
			echo = m.message
		}
		return answerOf(http.StatusOK, echo), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.body = string(body)
	m.read(in.t)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mails = append(in.mails, m)
	status := http.StatusOK
	if in.status != nil {
		status = in.status(m)
	}
	switch status {
	case 0:
		return nil, errors.New("connection reset")
	case -1: // no answer, for as long as somebody waits
		in.mu.Unlock()
		<-r.Context().Done()
		in.mu.Lock()
		return nil, r.Context().Err()
	}
	return answerOf(status, "anything"), nil
}

func answerOf(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

func (m *mail) read(t *testing.T) {
	var envelope struct{ Encrypt string }
	if err := unmarshal(m.body, &envelope); err != nil {
		return
	}
	if m.signed = m.check(envelope.Encrypt); m.signed {
		m.open(t, envelope.Encrypt)
		if m.message == "" {
			return
		}
		if err := unmarshal(m.message, m); err != nil {
			t.Errorf("%s: %v", m.message, err)
		}
	}
}

func unmarshal(text string, into any) error {
	if strings.HasPrefix(text, "<") {
		return xml.Unmarshal([]byte(text), into)
	}
	return json.Unmarshal([]byte(text), into)
}

func (m *mail) check(encrypted string) bool {
	sign := func(parts ...string) string {
		slices.Sort(parts)
		sum := sha1.Sum([]byte(strings.Join(parts, "")))
		return hex.EncodeToString(sum[:])
	}
	timestamp, nonce := m.query.Get("timestamp"), m.query.Get("nonce")
	return m.query.Get("signature") == sign(pushToken, timestamp, nonce) &&
		m.query.Get("msg_signature") == sign(pushToken, timestamp, nonce, encrypted) && m.query.Get("encrypt_type") == "aes"
}

func (m *mail) open(t *testing.T, encrypted string) {
	key, _ := base64.StdEncoding.DecodeString(pushAES + "=")
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(data)%32 != 0 {
		t.Errorf("%d bytes, %v", len(data), err)
		return
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > 32 || !bytes.HasSuffix(data, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return
	}
	size := int(binary.BigEndian.Uint32(data[16:20]))
	m.random, m.message, m.appID = string(data[:16]), string(data[20:20+size]), string(data[20+size:len(data)-pad])
}

// pushing runs a pusher for the shop and for a platform that it has authorised,
// in a bubble, until stop is called.
func pushing(t *testing.T, s *simulator.Server, change func(*simulator.PushConfig)) (in *inbox, p *simulator.Pusher, stop func()) {
	t.Helper()
	in = &inbox{t: t}
	cfg := simulator.PushConfig{
		Server: s, Transport: in,
		Shops: []simulator.PushShop{{AppID: appID, URL: shopURL, Token: pushToken, AESKey: pushAES}},
		OnPush: func(push simulator.Push) {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.told = append(in.told, push)
		},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := simulator.NewPusher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	synctest.Wait()
	return in, p, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

// toPlatform lets a platform, not the shop, have the pushes.
func toPlatform(cfg *simulator.PushConfig) {
	cfg.Platforms = []simulator.PushPlatform{{
		AppID: platformID, Token: pushToken, AESKey: pushAES, AuthURL: authURL, EventURL: authURL + "/$APPID$", Shops: []string{appID},
	}}
	cfg.Shops = nil
}

func (in *inbox) came() []mail {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.mails)
}

// A shop's orders are told of as they change, as JSON, and a platform's as XML,
// each by the events that the vendor has for it.
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

// What lives on its own is told of without a gap, each change of each order.
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
				t.Fatalf("nobody told of %+v", c)
			}
		}
		if len(changes) < 1000 || len(in.told) != len(in.came()) {
			t.Errorf("%d changes, %d pushes", len(changes), len(in.told))
		}
	})
}

// The vendor tries ten times in 3.6 hours, as its documents say, and it is HTTP
// that tells it whether to go on.
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

		// One that gets no answer is tried again after 5 s.
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

// Tickets come every ten minutes, authorisations when a shop gives them; from
// then on the platform hears of the shop's orders, until it is taken back.
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
			if err := p.Authorize(platformID, appID, infoType, code, time.Now().Add(time.Hour)); err != nil {
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
		for _, err := range []error{
			p.Authorize("wx9", appID, "authorized", "c", time.Now()), p.Authorize(platformID, "wx9", "authorized", "c", time.Now()),
			p.Authorize(platformID, appID, "component_verify_ticket", "c", time.Now()),
		} {
			if err == nil {
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
			t.Errorf("%s: was made", name)
		}
	}
}
