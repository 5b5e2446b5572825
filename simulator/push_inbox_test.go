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

// inbox receives pushes as a foreign program would: it knows the token and the key,
// and nothing of the simulator.
type inbox struct {
	t *testing.T

	mu    sync.Mutex
	mails []mail
	told  []simulator.Push
	// status returns the answer's status for each push; nil = 200. 0 breaks the
	// connection.
	status func(mail) int
}

// mail is a received push.
type mail struct {
	at     time.Time
	url    string // without query
	query  url.Values
	body   string
	signed bool
	// The message, if the push was signed and decrypts.
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
	case -1: // no answer until the client gives up
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

// pushing runs a pusher for the shop and for a platform that it has authorised, in a
// bubble, until stop is called.
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

// toPlatform sends the pushes to a platform instead of the shop.
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
