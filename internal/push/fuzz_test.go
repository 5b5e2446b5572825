package push

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Any plaintext is split as a simple implementation splits it.
func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(append([]byte("0123456789abcdef"), v.Message...), v.AppID)
	}
	k := key(f, shopToken, shopAES)
	f.Fuzz(func(t *testing.T, data []byte, appID string) {
		data = data[:len(data)/32*32]
		if len(data) == 0 {
			return
		}
		got, err := k.open(encrypt(t, shopAES, data), appID)
		want, wantErr := openPlainly(data, appID)
		if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Fatalf("%q, %v; want %q, %v", got, err, want, wantErr)
		}
		if got, err := k.open(seal(t, shopAES, appID, data), appID); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("there and back: %q, %v", got, err)
		}
	})
}

// openPlainly is open without encryption and without constant time.
func openPlainly(data []byte, appID string) ([]byte, error) {
	pad := int(data[len(data)-1])
	if pad < 1 || pad > 32 || !bytes.HasSuffix(data, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errEncryption
	}
	data = data[:len(data)-pad]
	if len(data) < 20 || uint64(binary.BigEndian.Uint32(data[16:20])) > uint64(len(data)-20) {
		return nil, errEncryption
	}
	end := 20 + int(binary.BigEndian.Uint32(data[16:20]))
	if string(data[end:]) != appID {
		return nil, errAppID
	}
	return data[20:end], nil
}

// From any body, envelope returns a ciphertext or an error that quotes nothing.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"ToUserName":"gh_1","Encrypt":"YWJj"}`))
	f.Add([]byte("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[YWJj]]></Encrypt></xml>"))
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><xml><Encrypt>&b;&#43;</Encrypt></xml>`))
	f.Add([]byte(`{"encrypt":12345678901234567890,"Encrypt":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		encrypted, err := envelope(body)
		switch {
		case err == nil && (encrypted == "" || strings.TrimSpace(encrypted) != encrypted || len(encrypted) > 3*len(body)):
			t.Fatalf("%q", encrypted)
		case err != nil && (encrypted != "" || !errors.Is(err, errPlaintext) && !errors.Is(err, errUnreadable)):
			t.Fatalf("%q, %v", encrypted, err)
		}
	})
}

// From any message, parse returns an event with valid fields, or an error.
func FuzzParse(f *testing.F) {
	now := time.Now()
	for _, message := range []string{
		orderJSON("3705115058471208929", now),
		`{"Event":"channels_ec_order_cancel","CreateTime":"1","order_info":{"order_id":"1","cancel_type":"2","confirm_type":1}}`,
		"<xml><Event>channels_ec_order_new</Event><CreateTime>1</CreateTime><order_info><order_id> 1 </order_id></order_info></xml>",
		"<xml><AppId>" + componentID + "</AppId><InfoType>component_verify_ticket</InfoType><CreateTime>1</CreateTime><ComponentVerifyTicket>t</ComponentVerifyTicket></xml>",
		"<xml><AppId>" + componentID + "</AppId><InfoType>authorized</InfoType><CreateTime>1</CreateTime><AuthorizerAppid>wx1</AuthorizerAppid>" +
			"<AuthorizationCode>c</AuthorizationCode><AuthorizationCodeExpiredTime>3600</AuthorizationCodeExpiredTime></xml>",
		`{"AppId":"` + componentID + `","InfoType":"unauthorized","CreateTime":1,"AuthorizerAppid":"wx1"}`,
	} {
		f.Add([]byte(message))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, a := range []account{{shop: shopID}, {component: componentID}, {component: componentID, shop: authorized}} {
			event, err := parse(a, message, always)
			if err != nil {
				continue
			}
			var created time.Time
			switch e := event.(type) {
			case nil:
				continue
			case Order:
				created = e.Created
				if e.Shop != a.shop || !strings.HasPrefix(e.Event, orderEvents) || strings.ContainsAny(e.Event+e.ID+e.Type, " \n\"{<") {
					t.Fatalf("%#v", e)
				}
				if json.Valid(message) && !bytes.Contains(message, []byte(e.ID)) && !bytes.Contains(message, []byte(`\u`)) {
					t.Fatalf("%q is not in the message", e.ID)
				}
			case Authorization:
				created = e.Created
				if e.Component != a.component || a.shop != "" || !isName(e.Shop) || (e.Code == "") != (e.Change == Unauthorized) ||
					e.Change == Unauthorized && !e.Expires.IsZero() {
					t.Fatalf("%#v", e)
				}
			case Ticket:
				created = e.Created
				if e.Component != a.component || a.shop != "" || e.Ticket == "" {
					t.Fatalf("%#v", e)
				}
			}
			if created.Unix() <= 0 || created.Nanosecond() != 0 {
				t.Fatalf("created %v", created)
			}
		}
	})
}

// Of any request to a push address, nothing unsigned is delivered.
func FuzzUnsigned(f *testing.F) {
	s := shopPush(orderJSON("1", time.Now()))
	f.Add("POST", s.path, s.query(f).Encode(), s.body(f))
	f.Add("GET", s.path, s.query(f).Encode()+"&echostr=1", "")
	f.Add("POST", "/push/component/"+componentID, "timestamp=1&nonce=2&msg_signature=", "<xml><Encrypt>a</Encrypt></xml>")
	f.Add("PUT", "/push/component/"+componentID+"/"+authorized, ";", "")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		d := newDesk(t)
		d.ShopKeys = func(string) ([]Key, error) { return []Key{key(t, "a token that nobody can guess", shopAES)}, nil }
		d.ComponentKeys = d.ShopKeys
		target := (&url.URL{Path: "/" + strings.TrimLeft(path, "/"), RawQuery: strings.ReplaceAll(url.PathEscape(query), "%26", "&")}).String()
		if _, err := url.ParseRequestURI(target); err != nil || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return
		}
		w := d.ask(method, target, body)
		if w.Code < 400 || w.Code > 499 || d.took() != nil {
			t.Fatalf("HTTP %d %s", w.Code, w.Body)
		}
		if total := fmt.Sprint(d.counts); strings.Contains(total, "ok") || strings.Contains(total, "echo") {
			t.Fatal(total)
		}
	})
}
