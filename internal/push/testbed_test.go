package push

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderwalk/docs"
	"orderwalk/test/leaktest"
	"orderwalk/test/openapitest"
)

const (
	shopID      = "wx00000000000000aa"
	componentID = "wx00000000000000cc"
	authorized  = "wx00000000000000dd" // a shop of the component
)

// Secrets of the tests; none may appear in logs or answers.
const (
	shopToken, shopAES           = "shop-token-1", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	newToken, newAES             = "shop-token-2", "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
	componentToken, componentAES = "platform-token", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
)

// desk is a Handler with a record of what it has delivered and counted.
type desk struct {
	*Handler
	t *testing.T

	mu     sync.Mutex
	events []any
	counts map[Result]int
	log    strings.Builder
	leaks  leaktest.Search
	// hand, if set, returns each delivery's result in place of success.
	hand func(context.Context) error
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, counts: map[Result]int{}}
	take := func(ctx context.Context, event any) error {
		d.mu.Lock()
		hand := d.hand
		d.mu.Unlock()
		if hand != nil {
			if err := hand(ctx); err != nil {
				return err
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events = append(d.events, event)
		return nil
	}
	d.Handler = &Handler{
		ShopKeys: func(appID string) ([]Key, error) {
			if appID != shopID {
				return nil, nil
			}
			return []Key{key(t, shopToken, shopAES), key(t, newToken, newAES), key(t, shopToken, newAES)}, nil
		},
		ComponentKeys: func(appID string) ([]Key, error) {
			if appID != componentID {
				return nil, nil
			}
			return []Key{key(t, componentToken, componentAES)}, nil
		},
		ComponentShop: func(component, appID string) bool { return component == componentID && appID == authorized },
		Order:         func(ctx context.Context, o Order) error { return take(ctx, o) },
		Authorization: func(ctx context.Context, a Authorization) error { return take(ctx, a) },
		Ticket:        func(ctx context.Context, i Ticket) error { return take(ctx, i) },
		Count: func(r Result) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if !slices.Contains(Results(), r) {
				t.Errorf("result %q is not one of Results", r)
			}
			d.counts[r]++
		},
		Log: slog.New(slog.NewTextHandler(logWriter{d}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	d.leaks.Hide("a token of pushes", shopToken, newToken, componentToken)
	d.leaks.Hide("an AES key of pushes", shopAES, newAES, componentAES)
	d.leaks.Hide("a verify ticket", "ticket@@@")
	d.leaks.Hide("an authorization code", "queryauthcode@@@")
	t.Cleanup(func() { d.leaks.Check(t, "the log", d.log.String()) })
	return d
}

type logWriter struct{ d *desk }

func (w logWriter) Write(p []byte) (int, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.d.log.Write(p)
}

func key(t testing.TB, token, encodingAESKey string) Key {
	t.Helper()
	k, err := NewKey(token, encodingAESKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ask serves a request without a network.
func (d *desk) ask(method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	document, err := openapitest.Parse(docs.OpenAPIPush)
	if err != nil {
		d.t.Fatal(err)
	}
	openapitest.NewWatch(d.t, document, d).ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	d.leaks.Check(d.t, "an answer", fmt.Sprint(w.Header(), w.Body))
	return w
}

// want checks an answer and that exactly this result was counted.
func (d *desk) want(what string, w *httptest.ResponseRecorder, status int, result Result) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	total := 0
	for _, n := range d.counts {
		total += n
	}
	if w.Code != status || d.counts[result] != 1 || total != 1 {
		d.t.Errorf("%s: HTTP %d %q, counted %v, want %d and %s", what, w.Code, w.Body, d.counts, status, result)
	}
	if status == http.StatusOK && result != Echo && w.Body.String() != "success" {
		d.t.Errorf("%s: %q, want success", what, w.Body)
	}
	clear(d.counts)
}

// took returns what has been delivered since the last call.
func (d *desk) took() []any {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.events
	d.events = nil
	return events
}

func (d *desk) handing(hand func(context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hand = hand
}

// sheet is a push under construction; changed fields are sent as changed.
type sheet struct {
	path       string
	token, aes string
	appID      string // at the plaintext's end
	message    string
	at         time.Time
	nonce      string
	encrypted  string // defaults to message, encrypted
	xml        bool
}

func shopPush(message string) sheet {
	return sheet{path: "/push/" + shopID, token: shopToken, aes: shopAES, appID: shopID, message: message, at: time.Now(), nonce: "415670741"}
}

func componentPush(message string) sheet {
	return sheet{
		path: "/push/component/" + componentID, token: componentToken, aes: componentAES, appID: componentID,
		message: message, at: time.Now(), nonce: "1590219412", xml: true,
	}
}

func (s sheet) seal(t testing.TB) string {
	if s.encrypted != "" {
		return s.encrypted
	}
	return seal(t, s.aes, s.appID, []byte(s.message))
}

func (s sheet) query(t testing.TB) url.Values {
	at := fmt.Sprint(s.at.Unix())
	return url.Values{
		"timestamp": {at}, "nonce": {s.nonce}, "encrypt_type": {"aes"}, "openid": {"oABC"},
		"signature": {sign(s.token, at, s.nonce)}, "msg_signature": {sign(s.token, at, s.nonce, s.seal(t))},
	}
}

func (s sheet) body(t testing.TB) string {
	if s.xml {
		return "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[" + s.seal(t) + "]]></Encrypt></xml>"
	}
	text, err := json.Marshal(map[string]string{"ToUserName": "gh_1", "Encrypt": s.seal(t)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (d *desk) post(s sheet) *httptest.ResponseRecorder {
	d.t.Helper()
	return d.ask("POST", s.path+"?"+s.query(d.t).Encode(), s.body(d.t))
}

func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// seal encrypts a message as the vendor does.
func seal(t testing.TB, encodingAESKey, appID string, message []byte) string {
	t.Helper()
	data := append([]byte("0123456789abcdef"), binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
	data = append(append(data, message...), appID...)
	pad := 32 - len(data)%32
	for range pad {
		data = append(data, byte(pad))
	}
	return encrypt(t, encodingAESKey, data)
}

func encrypt(t testing.TB, encodingAESKey string, data []byte) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	data = slices.Clone(data)
	cipher.NewCBCEncrypter(block, raw[:16]).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

func orderJSON(id string, created time.Time) string {
	return fmt.Sprintf(`{"ToUserName":"gh_1","FromUserName":"oABC","CreateTime":%d,"MsgType":"event",`+
		`"Event":"channels_ec_order_new","order_info":{"order_id":%s}}`, created.Unix(), id)
}
