package push

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The vendor's documented example of the address check, at the time it was signed.
func TestEchoOfTheVendorsExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(1714036504, 0)))
		d := newDesk(t)
		d.ShopKeys = func(string) ([]Key, error) { return []Key{key(t, "AAAAA", shopAES)}, nil }
		const target = "/push/wx1?signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249&timestamp=1714036504&nonce=1514711492"
		w := d.ask("GET", target, "")
		if w.Body.String() != "4375120948345356249" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
		d.want("the example", w, 200, Echo)
		d.want("another nonce", d.ask("GET", strings.Replace(target, "nonce=1", "nonce=2", 1), ""), 403, BadSignature)
		time.Sleep(4 * time.Hour)
		d.want("4 h old", d.ask("GET", target, ""), 200, Echo)
		time.Sleep(time.Second)
		d.want("older", d.ask("GET", target, ""), 403, Stale)
	})
}

// The vendor's two documented pushes, at the times they were signed.
func TestPushesOfTheVendorsExamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, v := range vectors(t)[:2] {
			d := newDesk(t)
			keys := func(appID string) ([]Key, error) { return []Key{key(t, v.Token, v.Key)}, nil }
			d.ShopKeys, d.ComponentKeys, d.ComponentShop = keys, keys, nil
			var at int64
			if _, err := fmt.Sscan(v.Timestamp, &at); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(time.Unix(at, 0)))
			query := url.Values{
				"signature": {v.Signature}, "timestamp": {v.Timestamp}, "nonce": {v.Nonce},
				"openid": {"o9AgO5Kd5ggOC-bXrbNODIiE3bGY"}, "encrypt_type": {"aes"}, "msg_signature": {v.MsgSignature},
			}.Encode()
			path, body := "/push/"+v.AppID, `{"ToUserName":"gh_97417a04a28d","Encrypt":"`+v.Encrypted+`"}`
			if v.Message[0] == '<' {
				path = "/push/component/" + v.AppID + "/wxba5fad812f8e6fb9"
				body = "<xml>\n    <ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>\n    <Encrypt><![CDATA[" + v.Encrypted + "]]></Encrypt>\n</xml>"
			}
			d.want(v.Name, d.ask("POST", path+"?"+query, body), 200, Ignored)
		}
	})
}

func TestEventsAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		created := now.Add(-time.Second)
		xmlOrder := fmt.Sprintf("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><CreateTime>%d</CreateTime><MsgType><![CDATA[event]]></MsgType>"+
			"<Event><![CDATA[channels_ec_order_cancel]]></Event><order_info><order_id>3705115058471208929</order_id>"+
			"<cancel_type><![CDATA[2]]></cancel_type></order_info></xml>", created.Unix())
		info := func(rest string) string {
			return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml><AppId><![CDATA[%s]]></AppId><CreateTime>%d</CreateTime>%s</xml>", componentID, created.Unix(), rest)
		}
		order := Order{Shop: shopID, Event: "channels_ec_order_new", ID: "3705115058471208929", Created: created}
		ofPlatform := componentPush(xmlOrder)
		ofPlatform.path += "/" + authorized
		authorization := func(change Change, expires string) sheet {
			return componentPush(info("<InfoType>" + string(change) + "</InfoType><AuthorizerAppid> " + authorized + " </AuthorizerAppid>" +
				"<AuthorizationCode>queryauthcode@@@1</AuthorizationCode><AuthorizationCodeExpiredTime>" + expires +
				"</AuthorizationCodeExpiredTime><PreAuthCode>p</PreAuthCode>"))
		}
		is := func(change Change, expires time.Time) Authorization {
			return Authorization{Component: componentID, Shop: authorized, Change: change, Code: "queryauthcode@@@1", Expires: expires, Created: created}
		}
		for name, c := range map[string]struct {
			push sheet
			want any
		}{
			"an ID as a number": {shopPush(orderJSON("3705115058471208929", created)), order},
			"an ID as text":     {shopPush(orderJSON(`"3705115058471208929"`, created)), order},
			"a time as text": {shopPush(fmt.Sprintf(`{"CreateTime":"%d","Event":"channels_ec_order_ext_info_update","order_info":{"order_id":"1","type":12,"x":[{}]}}`, created.Unix())),
				Order{Shop: shopID, Event: "channels_ec_order_ext_info_update", ID: "1", Created: created, Type: "12"}},
			"no ID": {shopPush(fmt.Sprintf(`{"CreateTime":%d,"Event":"channels_ec_order_pay","order_info":null}`, created.Unix())),
				Order{Shop: shopID, Event: "channels_ec_order_pay", Created: created}},
			"a platform's shop": {ofPlatform, Order{Shop: authorized, Event: "channels_ec_order_cancel", ID: "3705115058471208929", Created: created, Type: "2"}},
			"a ticket": {componentPush(info("<InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket><![CDATA[ticket@@@a&b]]></ComponentVerifyTicket>")),
				Ticket{Component: componentID, Ticket: "ticket@@@a&b", Created: created}},
			"authorised until a time": {authorization(Authorized, fmt.Sprint(now.Unix()+3600)), is(Authorized, now.Add(time.Hour))},
			"authorised for a while":  {authorization(Authorized, "600"), is(Authorized, created.Add(10*time.Minute))},
			"updated, for ever":       {authorization(Updated, "soon"), is(Updated, time.Time{})},
			"taken back": {componentPush(info("<InfoType>unauthorized</InfoType><AuthorizerAppid>" + authorized + "</AuthorizerAppid>")),
				Authorization{Component: componentID, Shop: authorized, Change: Unauthorized, Created: created}},
		} {
			d := newDesk(t)
			d.want(name, d.post(c.push), 200, OK)
			if got := d.took(); !reflect.DeepEqual(got, []any{c.want}) {
				t.Errorf("%s: %#v, want %#v", name, got, c.want)
			}
		}
	})
}

func TestWhatIsOfNoConcern(t *testing.T) {
	now := time.Now().Unix()
	order := orderJSON("1", time.Now())
	for name, push := range map[string]sheet{
		"another event":             shopPush(`{"Event":"channels_ec_aftersale_update","order_info":["x"],"CreateTime":{}}`),
		"no event":                  shopPush(`{"MsgType":"text"}`),
		"an order of a platform":    componentPush(order),
		"a ticket at a shop":        shopPush(fmt.Sprintf("<xml><InfoType>component_verify_ticket</InfoType><CreateTime>%d</CreateTime></xml>", now)),
		"another event of platform": componentPush("<xml><InfoType>notify_third_fasteregister</InfoType></xml>"),
	} {
		d := newDesk(t)
		if name == "another event" {
			push.message = strings.Replace(push.message, "{}", "1", 1)
		}
		d.want(name, d.post(push), 200, Ignored)
		if got := d.took(); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	d := newDesk(t)
	d.Order = nil
	d.want("nobody wants orders", d.post(shopPush(order)), 200, Ignored)
}

// Only the counted results say what was wrong with a forged push.
func TestForgeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := shopPush(orderJSON("1", time.Now()))
		with := func(change func(*sheet)) sheet { s := good; change(&s); return s }
		for name, c := range map[string]struct {
			push   sheet
			status int
			result Result
		}{
			"another token":            {with(func(s *sheet) { s.token = "guess" }), 403, BadSignature},
			"the platform's token":     {with(func(s *sheet) { s.token, s.aes = componentToken, componentAES }), 403, BadSignature},
			"another EncodingAESKey":   {with(func(s *sheet) { s.aes = componentAES }), 403, BadEncryption},
			"keys of different pairs":  {with(func(s *sheet) { s.token, s.aes = newToken, shopAES }), 403, BadEncryption},
			"no ciphertext":            {with(func(s *sheet) { s.encrypted = "signed, but not base64" }), 403, BadEncryption},
			"another app ID":           {with(func(s *sheet) { s.appID = authorized }), 403, BadAppID},
			"no app ID":                {with(func(s *sheet) { s.appID = "" }), 403, BadAppID},
			"4 hours and a second old": {with(func(s *sheet) { s.at = s.at.Add(-4*time.Hour - time.Second) }), 403, Stale},
			"5 minutes ahead":          {with(func(s *sheet) { s.at = s.at.Add(5*time.Minute + time.Second) }), 403, Stale},
			"timestamp and nonce swapped": {with(func(s *sheet) {
				s.message = orderJSON("1", time.Now().Add(-24*time.Hour)) // its nonce looks like a time of today
			}), 403, Stale},
			"an event of tomorrow": {with(func(s *sheet) { s.message = orderJSON("1", time.Now().Add(24*time.Hour)) }), 403, Stale},
			"an unknown shop":      {with(func(s *sheet) { s.path = "/push/wx9" }), 404, UnknownApp},
			"an unknown platform":  {with(func(s *sheet) { s.path = "/push/component/wx9" }), 404, UnknownApp},
			"a shop of nobody":     {with(func(s *sheet) { s.path = "/push/component/" + componentID + "/wx9" }), 404, UnknownApp},
			"to a shop, for all":   {with(func(s *sheet) { s.path = "/push/component/" + componentID }), 403, BadSignature},
		} {
			d := newDesk(t)
			w := d.post(c.push)
			d.want(name, w, c.status, c.result)
			if c.result != Stale && c.result != UnknownApp && w.Body.String() != "refused\n" {
				t.Errorf("%s: %q says too much", name, w.Body)
			}
			if got := d.took(); got != nil {
				t.Errorf("%s: %v was handed on", name, got)
			}
		}
		for _, ages := range []time.Duration{-5 * time.Minute, 4 * time.Hour} {
			d := newDesk(t)
			d.want(ages.String(), d.post(with(func(s *sheet) { s.at = s.at.Add(-ages) })), 200, OK)
		}
	})
}

// The ticket or authorisation inside must be about the addressed platform.
func TestMessagesAboutAnotherPlatform(t *testing.T) {
	for _, appID := range []string{shopID, ""} {
		d := newDesk(t)
		d.want(appID, d.post(componentPush(fmt.Sprintf("<xml><AppId>%s</AppId><CreateTime>%d</CreateTime><InfoType>component_verify_ticket</InfoType>"+
			"<ComponentVerifyTicket>t</ComponentVerifyTicket></xml>", appID, time.Now().Unix()))), 403, BadAppID)
	}
}

// A push with any parameter or any byte of the body changed is refused.
func TestTampering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := shopPush(orderJSON("1", time.Now()))
		query, body := s.query(t), s.body(t)
		try := func(what string, query url.Values, body string) {
			t.Helper()
			w := d.ask("POST", s.path+"?"+query.Encode(), body)
			if w.Code < 400 || w.Code > 499 || strings.Contains(w.Body.String(), body) {
				t.Errorf("%s: HTTP %d %q", what, w.Code, w.Body)
			}
		}
		begin := strings.Index(body, `"Encrypt":"`)
		for i := begin; i < begin+len(`"Encrypt":""`)+len(s.seal(t)); i++ {
			changed := []byte(body)
			changed[i] ^= 1
			try(fmt.Sprintf("byte %d", i), query, string(changed))
		}
		for _, name := range []string{"signature", "msg_signature", "timestamp", "nonce"} {
			value := query.Get(name)
			for i := range value {
				changed := []byte(value)
				changed[i] ^= 1
				query.Set(name, string(changed))
				try(fmt.Sprintf("byte %d of %s", i, name), query, body)
			}
			query.Del(name)
			if name != "signature" { // which adds nothing to msg_signature
				try("no "+name, query, body)
			}
			query.Set(name, value)
		}
		if got := d.took(); got != nil {
			t.Errorf("%v was handed on", got)
		}
		query.Del("signature")
		if w := d.ask("POST", s.path+"?"+query.Encode(), body); w.Code != 200 {
			t.Errorf("untouched: HTTP %d %q", w.Code, w.Body)
		}
	})
}

// While an operator changes a key, both the old and the new one are valid, in any
// combination.
func TestChangeOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for i, pair := range [][2]string{{shopToken, shopAES}, {newToken, newAES}, {shopToken, newAES}} {
			s := shopPush(orderJSON(fmt.Sprint(i+1), time.Now()))
			s.token, s.aes = pair[0], pair[1]
			d.want(fmt.Sprint("pair ", i), d.post(s), 200, OK)
		}
		keys := d.ShopKeys
		d.ShopKeys = func(string) ([]Key, error) { return nil, errors.New("read secret: no such file") }
		s := shopPush(orderJSON("9", time.Now()))
		d.want("no key can be read", d.post(s), 503, NotKept)
		d.want("nor for an echo", d.ask("GET", s.path, ""), 503, NotKept)
		d.ShopKeys = keys
		d.want("it can again", d.post(s), 200, OK)
		if got := len(d.took()); got != 4 {
			t.Errorf("%d events", got)
		}
	})
}

func TestHandlerWithoutAnything(t *testing.T) {
	d := newDesk(t)
	d.Handler = &Handler{}
	s := shopPush("{}")
	if w := d.post(s); w.Code != 404 {
		t.Errorf("HTTP %d", w.Code)
	}
	d.Handler.ShopKeys = func(string) ([]Key, error) { return []Key{key(t, shopToken, shopAES)}, nil }
	if w := d.post(shopPush(orderJSON("1", time.Now()))); w.Code != 200 {
		t.Errorf("HTTP %d", w.Code)
	}
}
