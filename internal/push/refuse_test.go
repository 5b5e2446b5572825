package push

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestBodiesThatAreNoPush(t *testing.T) {
	s := shopPush(orderJSON("1", time.Now()))
	sealed := s.seal(t)
	bomb := `<!DOCTYPE x [<!ENTITY a "` + sealed + `"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for name, c := range map[string]struct {
		body   string
		status int
		result Result
	}{
		"empty":                     {"", 400, Malformed},
		"white space":               {" \n", 400, Malformed},
		"text":                      {"hello", 400, Malformed},
		"a number":                  {"1", 400, Malformed},
		"a list":                    {`["Encrypt"]`, 400, Malformed},
		"null":                      {"null", 400, Plaintext},
		"a message in the clear":    {s.message, 400, Plaintext},
		"the same in XML":           {"<xml><Event>channels_ec_order_new</Event></xml>", 400, Plaintext},
		"an empty ciphertext":       {`{"Encrypt":""}`, 400, Plaintext},
		"a null ciphertext":         {`{"Encrypt":null}`, 400, Plaintext},
		"an object as ciphertext":   {`{"Encrypt":{}}`, 400, Malformed},
		"a fraction as ciphertext":  {`{"Encrypt":1.5}`, 400, Malformed},
		"more behind the JSON":      {s.body(t) + "x", 400, Malformed},
		"half of the JSON":          {s.body(t)[:200], 400, Malformed},
		"half of the XML":           {"<xml><Encrypt>" + sealed, 400, Malformed},
		"another element":           {"<html><Encrypt>" + sealed + "</Encrypt></html>", 400, Malformed},
		"an entity of its own":      {bomb + "<xml><Encrypt>&a;</Encrypt></xml>", 400, Malformed},
		"a bomb of entities":        {bomb + "<xml>&b;<Encrypt>" + sealed + "</Encrypt></xml>", 400, Malformed},
		"an external entity":        {`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><xml><Encrypt>&a;</Encrypt></xml>`, 400, Malformed},
		"another character set":     {`<?xml version="1.0" encoding="gbk"?><xml><Encrypt>` + sealed + "</Encrypt></xml>", 400, Malformed},
		"elements without end":      {strings.Repeat("<xml>", maxBody/5), 400, Malformed},
		"arrays without end":        {`{"a":` + strings.Repeat("[", maxBody-10), 400, Malformed},
		"64 KiB and a byte":         {strings.Repeat(" ", 64<<10-len(s.body(t))+1) + s.body(t), 413, Oversized},
		"64 KiB":                    {strings.Repeat(" ", 64<<10-len(s.body(t))) + s.body(t), 200, OK},
		"XML where JSON is usual":   {"\n<xml><Encrypt>\n" + sealed + "\n</Encrypt></xml>", 200, OK},
		"an entity of XML's":        {"<xml><Encrypt>" + strings.ReplaceAll(sealed, "+", "&#43;") + "</Encrypt></xml>", 200, OK},
		"plain text beside the aes": {`{"Event":"channels_ec_order_new","Encrypt":"` + sealed + `"}`, 200, OK},
	} {
		d := newDesk(t)
		w := d.ask("POST", s.path+"?"+s.query(t).Encode(), c.body)
		d.want(name, w, c.status, c.result)
		if c.result == Plaintext && !strings.Contains(w.Body.String(), "safe mode") {
			t.Errorf("%s: %q does not say what to do", name, w.Body)
		}
		if got := len(d.took()); got != 1 && c.result == OK || got != 0 && c.result != OK {
			t.Errorf("%s: %d events", name, got)
		}
	}
}

// A signed push that cannot be decoded is refused and logged, without its content.
func TestMessagesThatCannotBeRead(t *testing.T) {
	now := time.Now().Unix()
	order := func(created, id, more string) string {
		return `{"Event":"channels_ec_order_new","CreateTime":` + created + `,"order_info":{"order_id":` + id + more + `}}`
	}
	for name, message := range map[string]string{
		"nothing":                "",
		"text":                   "hidden-text",
		"no time":                `{"Event":"channels_ec_order_new"}`,
		"a time of 0":            order("0", "1", ""),
		"a time before all":      order("-5", "1", ""),
		"a time in words":        order(`"hidden-text"`, "1", ""),
		"a fraction of a time":   order("1.5", "1", ""),
		"a time beyond all":      order("99999999999999", "1", ""),
		"an ID with an exponent": order(fmt.Sprint(now), "3.7e18", ""),
		"a negative ID":          order(fmt.Sprint(now), "-1", ""),
		"an ID with blanks":      order(fmt.Sprint(now), `"hidden text"`, ""),
		"an ID as an object":     order(fmt.Sprint(now), "{}", ""),
		"a long ID":              order(fmt.Sprint(now), `"`+strings.Repeat("1", 65)+`"`, ""),
		"a type in words":        order(fmt.Sprint(now), "1", `,"type":"hidden text"`),
		"a name with blanks":     strings.Replace(order(fmt.Sprint(now), "1", ""), "_new", "_hidden text", 1),
		"an order_info as text":  fmt.Sprintf(`{"Event":"channels_ec_order_new","CreateTime":%d,"order_info":"hidden-text"}`, now),
	} {
		d := newDesk(t)
		d.want(name, d.post(shopPush(message)), 400, Malformed)
		if log := d.log.String(); !strings.Contains(log, "cannot decode it") || strings.Contains(log, "hidden") {
			t.Errorf("%s: the log says %q", name, log)
		}
	}
	const head = "<xml><AppId>" + componentID + "</AppId>"
	for name, rest := range map[string]string{
		"a ticket without time":   "<InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>hidden</ComponentVerifyTicket>",
		"a ticket without ticket": "<CreateTime>1</CreateTime><InfoType>component_verify_ticket</InfoType>",
		"a ticket with an entity": "<CreateTime>1</CreateTime><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>ticket@@@&hidden;</ComponentVerifyTicket>",
		"no shop":                 "<CreateTime>1</CreateTime><InfoType>unauthorized</InfoType>",
		"a shop in words":         "<CreateTime>1</CreateTime><InfoType>unauthorized</InfoType><AuthorizerAppid>hidden text</AuthorizerAppid>",
		"no code":                 "<CreateTime>1</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>" + authorized + "</AuthorizerAppid>",
		"another kind of end":     "<CreateTime>1</CreateTime><InfoType>unauthorized</InfoType><hidden>",
	} {
		d := newDesk(t)
		d.want(name, d.post(componentPush(head+rest+"</xml>")), 400, Malformed)
		if log := d.log.String(); !strings.Contains(log, "cannot decode it") || strings.Contains(log, "hidden") {
			t.Errorf("%s: the log says %q", name, log)
		}
	}
}

// The encrypted form of the address check, and what it must not be usable for.
func TestEcho(t *testing.T) {
	echo := func(s sheet, change func(url.Values)) string {
		query := s.query(t)
		query.Set("echostr", s.seal(t))
		if change != nil {
			change(query)
		}
		return s.path + "?" + query.Encode()
	}
	plain := func(text string) string {
		s := shopPush("")
		at := fmt.Sprint(s.at.Unix())
		return s.path + "?" + url.Values{"timestamp": {at}, "nonce": {"1"}, "signature": {sign(newToken, at, "1")}, "echostr": {text}}.Encode()
	}
	ofShop := componentPush("5927")
	ofShop.path += "/" + authorized
	other := shopPush("5927")
	other.appID = authorized
	ticket := componentPush("<xml><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>t</ComponentVerifyTicket></xml>")
	for name, c := range map[string]struct {
		target string
		status int
		result Result
		text   string
	}{
		"encrypted":             {echo(shopPush("4375120948345356249"), nil), 200, Echo, "4375120948345356249"},
		"of a platform":         {echo(componentPush("a.b_c-d+e/f=~"), nil), 200, Echo, "a.b_c-d+e/f=~"},
		"of a platform's shop":  {echo(ofShop, nil), 200, Echo, "5927"},
		"without signature":     {echo(ofShop, func(q url.Values) { q.Del("signature") }), 200, Echo, "5927"},
		"plain":                 {plain("5927"), 200, Echo, "5927"},
		"long":                  {plain(strings.Repeat("5", 256)), 200, Echo, strings.Repeat("5", 256)},
		"longer":                {plain(strings.Repeat("5", 257)), 400, Malformed, ""},
		"nothing to echo":       {plain(""), 400, Malformed, ""},
		"a page":                {plain("<script>"), 400, Malformed, ""},
		"a recorded push":       {echo(ticket, nil), 400, Malformed, ""},
		"a recorded order":      {echo(shopPush(orderJSON("1", time.Now())), nil), 400, Malformed, ""},
		"nothing at all":        {"/push/" + shopID, 403, BadSignature, ""},
		"a query that is none":  {"/push/" + shopID + "?a;b", 400, Malformed, ""},
		"another account's":     {echo(other, nil), 403, BadAppID, ""},
		"a wrong signature":     {echo(ofShop, func(q url.Values) { q.Set("signature", q.Get("msg_signature")) }), 403, BadSignature, ""},
		"a wrong msg_signature": {echo(ofShop, func(q url.Values) { q.Set("msg_signature", q.Get("signature")) }), 403, BadSignature, ""},
		"no address of a shop":  {"/push/wx9?echostr=1", 404, UnknownApp, ""},
		"a shop of another":     {"/push/component/" + componentID + "/wx9?echostr=1", 404, UnknownApp, ""},
	} {
		d := newDesk(t)
		w := d.ask("GET", c.target, "")
		d.want(name, w, c.status, c.result)
		if c.result == Echo && w.Body.String() != c.text {
			t.Errorf("%s: %q", name, w.Body)
		}
	}
}

// Any path that is no push address is 404, for every method.
func TestNothingElseIsServed(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{
		"/", "/push", "/push/", "/push//", "//push/" + shopID, "/push/" + shopID + "/", "/metrics", "/health", "/push/a/b",
		"/push/component/" + componentID + "/", "/push/component/a/b/c", "/push/component//a", "/push/component", "/push/%2e%2e/" + shopID,
		"/push/" + strings.Repeat("a", 65), "/push/" + shopID + "%00", "/PUSH/" + shopID, "/push/../push/" + shopID,
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			if w := d.ask(method, path, ""); w.Code != 404 {
				t.Errorf("%s %s: HTTP %d %q", method, path, w.Code, w.Body)
			}
		}
	}
	if len(d.counts) > 0 {
		t.Errorf("counted %v", d.counts)
	}
	for _, method := range []string{"PUT", "HEAD", "DELETE", "OPTIONS", "BREW"} {
		w := d.ask(method, "/push/"+shopID, "")
		d.want(method, w, 405, Malformed)
		if w.Header().Get("Allow") != "GET, POST" {
			t.Errorf("%s: Allow %q", method, w.Header().Get("Allow"))
		}
	}
}
