package push

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzXML: an event is the same as XML, with or without CDATA, and as JSON.
func FuzzXML(f *testing.F) {
	f.Add("channels_ec_order_pay", "", "1658505600", "3705115058471208929", "1", "")
	f.Add("channels_ec_order_cancel", "", " 1 ", "]]>", "<b>", "&amp;")
	f.Add("", "authorized", "1658505600", "wx1", "code", "3600")
	f.Add("", "component_verify_ticket", "1658505600", "", "ticket@@@x", "")
	f.Add("", "unauthorized", "0", "店", "\n", "-1")
	f.Fuzz(func(t *testing.T, event, info, created, id, code, expires string) {
		for _, text := range []string{event, info, created, id, code, expires} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == utf8.RuneError || r > '\ud7ff' }) {
				return // neither JSON nor XML preserves that
			}
		}
		type order struct {
			ID   string `json:"order_id" xml:"order_id"`
			Type string `json:"type" xml:"type"`
		}
		message := struct {
			XMLName xml.Name `json:"-" xml:"xml"`
			Event   string   `xml:",omitempty" json:",omitempty"`
			Info    string   `xml:"InfoType,omitempty" json:"InfoType,omitempty"`
			Created string   `xml:"CreateTime" json:"CreateTime"`
			Order   order    `xml:"order_info" json:"order_info"`
			AppID   string   `xml:"AppId" json:"AppId"`
			Shop    string   `xml:"AuthorizerAppid" json:"AuthorizerAppid"`
			Code    string   `xml:"AuthorizationCode" json:"AuthorizationCode"`
			Expires string   `xml:"AuthorizationCodeExpiredTime" json:"AuthorizationCodeExpiredTime"`
			Ticket  string   `xml:"ComponentVerifyTicket" json:"ComponentVerifyTicket"`
		}{Event: event, Info: info, Created: created, Order: order{id, code}, AppID: componentID, Shop: id, Code: code, Expires: expires, Ticket: code}
		asJSON, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		asXML, err := xml.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		forms := [][]byte{asXML}
		if !strings.Contains(event+info+created+id+code+expires, "]]>") {
			forms = append(forms, inCDATA(asXML, event, info, created, id, code, expires))
		}
		for _, a := range []account{{shop: shopID}, {component: componentID}} {
			want, wantErr := parse(a, asJSON, always)
			for _, form := range forms {
				got, err := parse(a, form, always)
				if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
					t.Fatalf("%s\nis %#v, %v\n%s\nis %#v, %v", asJSON, want, wantErr, form, got, err)
				}
			}
		}
	})
}

// inCDATA wraps a document's texts in CDATA sections, as the vendor does.
func inCDATA(document []byte, texts ...string) []byte {
	for _, text := range texts {
		if text == "" {
			continue
		}
		var escaped bytes.Buffer
		_ = xml.EscapeText(&escaped, []byte(text)) // a buffer takes all
		document = bytes.ReplaceAll(document, []byte(">"+escaped.String()+"</"), []byte("><![CDATA["+text+"]]></"))
	}
	return document
}

// always takes an event of any time.
func always(time.Time) bool { return true }
