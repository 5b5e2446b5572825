package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var goodResponses = map[string]listResponse{
	okPage: {ids: []string{"3704612354559743232", "3704849110714209536"}, next: "NEXT", more: true, hasList: true, hasMore: true},
	"\ufeff {\"errcode\" : 0 , \"order_id_list\" : [ \"1\" , 2 ] , \"has_more\" : false }\n": {ids: []string{"1", "2"}, hasList: true, hasMore: true},
	`{"order_id_list":[3704612354559743232,18446744073709551615,99999999999999999999999]}`:   {ids: []string{"3704612354559743232", "18446744073709551615", "99999999999999999999999"}, hasList: true},
	`{"errcode":0,"order_id_list":null,"next_key":null,"has_more":null}`:                     {},
	`{"errcode":0,"order_id_list":null,"next_key":"","has_more":false}`:                      {hasMore: true},
	`{"errcode":0}`:                                         {},
	`{"has_more":true}`:                                     {more: true, hasMore: true},
	`{"order_id_list":null}`:                                {},
	`{"order_id_list":{ },"has_more":false}`:                {hasMore: true},
	`{"order_id_list":[]}`:                                  {hasList: true},
	`{"order_id_list":[],"has_more":false}`:                 {hasList: true, hasMore: true},
	`{"next_key":17}`:                                       {next: "17", more: true},
	`{"errcode":"0","ids":[1]}`:                             {},
	`{"errcode":0,"next_key":"K","has_more":false}`:         {next: "K", hasMore: true},
	`{"errcode":0,"next_key":"K","has_more":null}`:          {next: "K", more: true},
	`{"errcode":0,"order_id_list":["1"],"next_key":"K"}`:    {ids: []string{"1"}, next: "K", more: true, hasList: true},
	`{"errcode":0,"order_id_list":["1"],"next_key":""}`:     {ids: []string{"1"}, hasList: true},
	`{"errcode":0,"order_id_list":["1"],"has_more":"true"}`: {ids: []string{"1"}, more: true, hasList: true, hasMore: true},
	`{"errcode":0,"next_key":"K","has_more":"false"}`:       {next: "K", hasMore: true},
	`{"has_more":1,"errcode":0,"order_id_list":["1"]}`:      {ids: []string{"1"}, more: true, hasList: true, hasMore: true},
	`{"has_more":"1","errcode":0}`:                          {more: true, hasMore: true},
	`{"errcode":0,"next_key":"K","has_more":0}`:             {next: "K", hasMore: true},
	`{"errcode":0,"next_key":"K","has_more":"0"}`:           {next: "K", hasMore: true},
	`{"errcode":"-1"}`:                                      {code: -1},
	`{"errcode":null,"errmsg":null,"order_id_list":["a\u0062\"\\"],"next_key":"\u003d\ud83d\ude00"}`:   {ids: []string{`ab"\`}, next: "=😀", more: true, hasList: true},
	`{"errcode":45009,"errmsg":"out of calls","order_id_list":[{}],"has_more":"x","next_key":[]}`:      {code: 45009, errmsg: "out of calls"},
	`{"errcode":1,"errmsg":{"no":"text"}}`:                                                             {code: 1},
	`{"errcode":0,"errcode":"0","errmsg":"","errmsg":"ok","order_id_list":["1"]}`:                      {ids: []string{"1"}, hasList: true},
	`{"errcode":null,"errcode":45009,"errcode":45009}`:                                                 {code: 45009},
	`{"errcode":7,"order_id_list":["1"],"order_id_list":["2"]}`:                                        {code: 7},
	`{"errcode":0,"order_id_list":["1"],"new":{"a":[1,-0.5e+3,{"b":null}],"c":true,"d":""},"x":false}`: {ids: []string{"1"}, hasList: true},
	`{"\u0065rrcode":7}`:                                                                   {code: 7},
	`{"errcode":0,"order_id_list":["订单"]}`:                                                 {ids: []string{"订单"}, hasList: true},
	`{"errcode":0,"order_id_list":["` + strings.Repeat("x", maxID) + `"]}`:                 {ids: []string{strings.Repeat("x", maxID)}, hasList: true},
	`{"errcode":0,"order_id_list":["1"],"next_key":"` + strings.Repeat("x", maxKey) + `"}`: {ids: []string{"1"}, next: strings.Repeat("x", maxKey), more: true, hasList: true},
}

var badResponses = []string{
	"", " ", "null", "[]", `"errcode"`, "0", "<html>", "{", "{}", `{"errmsg":"ok"}`, `{"errcode":null}`, `{"access_token":"T"}`,
	`{"errcode":0.5}`, `{"errcode":0.0}`, `{"errcode":1e3}`, `{"errcode":""}`, `{"errcode":"x"}`, `{"errcode":true}`, `{"errcode":[]}`, `{"errcode":99999999999999999999}`,
	`{"errcode":0,"order_id_list":[""]}`, `{"errcode":0,"order_id_list":[null]}`, `{"errcode":0,"order_id_list":[1.5]}`,
	`{"errcode":0,"order_id_list":[3.7046123545597432e18]}`, `{"errcode":0,"order_id_list":[true]}`, `{"errcode":0,"order_id_list":[{}]}`,
	`{"errcode":0,"order_id_list":[["1"]]}`, `{"errcode":0,"order_id_list":{"0":"1"}}`, `{"errcode":0,"order_id_list":{}`, `{"errcode":0,"order_id_list":"1"}`,
	`{"errcode":0,"order_id_list":["1"],"has_more":"yes"}`, `{"errcode":0,"order_id_list":["1"],"has_more":2}`, `{"errcode":0,"has_more":1.0}`,
	`{"errcode":0,"has_more":""}`, `{"errcode":0,"has_more":[]}`, `{"errcode":0,"has_more":{}}`,
	`{"errcode":0,"order_id_list":["1"],"next_key":{}}`, `{"errcode":0,"order_id_list":["1"],"next_key":true}`,
	"{\"errcode\":0,\"order_id_list\":[\"\xff\"]}", "{\"errcode\":0,\"next_key\":\"\xff\"}", "{\"errcode\":0,\"next_key\":\"\\u0041\xff\"}",
	`{"errcode":0,"order_id_list":["1"`, `{"errcode":0,"order_id_list":["1"]`, `{"errcode":0,"order_id_list":["1",]}`, `{"errcode":0,}`,
	`{"errcode":0 "a":1}`, `{"errcode":01}`, `{"errcode":-}`, `{"errcode":+1}`, `{"errcode":0,"a":1.}`, `{"errcode":0,"a":1e}`, `{"errcode":0,"a":.5}`,
	`{"errcode":0,"a":tru}`, `{"errcode":0,"a":nul`, `{"errcode":0,"a":"\x"}`, `{"errcode":0,"a":"\`, "{\"errcode\":0,\"a\":\"\n\"}", `{'errcode':0}`, `{errcode:0}`,
	`{"errcode":0,"order_id_list":["` + strings.Repeat("x", maxID+1) + `"]}`, `{"errcode":0,"order_id_list":[` + strings.Repeat("1", maxID+1) + `]}`,
	`{"errcode":0,"order_id_list":["1\u0000"]}`, `{"errcode":0,"order_id_list":["\n"]}`, `{"errcode":0,"order_id_list":["1\u007f"]}`, `{"errcode":0,"order_id_list":["1\u0085"]}`,
	`{"errcode":0,"order_id_list":["1"],"next_key":"` + strings.Repeat("x", maxKey+1) + `"}`,
	`{"errcode":0,"order_id_list":["1"],"has_more":true,"next_key":"K","order_id_list":[],"has_more":false}`, `{"errcode":0,"order_id_list":["1"],"order_id_list":null}`,
	`{"errcode":0,"has_more":true,"has_more":null}`, `{"errcode":0,"order_id_list":["1"],"next_key":"K","next_key":""}`,
	`{"errcode":1,"errcode":0,"errmsg":"","errmsg":"ok","order_id_list":["1"]}`, `{"errcode":0,"order_id_list":["1"],"errcode":-1}`, `{"errcode":"x","errcode":0}`, `{"errcode":1,"errcode":null}`,
	`{"errcode":0}}`, `{"errcode":0}x`, okPage + okPage, `{"errcode":0,"a":[}]}`, `{"errcode":0,"a":{]}}`,
}

func TestListResponse(t *testing.T) {
	for body, want := range goodResponses {
		got, err := parseListResponse(body, 2)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if !same(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", body, got, want)
		}
	}
	for _, body := range badResponses {
		if got, err := parseListResponse(body, 2); err == nil {
			t.Errorf("%.100s: %+v, want an error", body, got)
		} else if len(err.Error()) > 120 {
			t.Errorf("%.100s: error quotes too much: %v", body, err)
		}
	}
}

func TestOfficialSample(t *testing.T) {
	body, err := os.ReadFile("testdata/official.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseListResponse(string(body), 10)
	want := listResponse{errmsg: "ok", ids: []string{"3704612354559743232", "3704849110714209536"}, next: "THE_NEXT_KEY_NEW", more: true, hasList: true, hasMore: true}
	if err != nil || !same(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func same(a, b listResponse) bool {
	ids := slices.Equal(a.ids, b.ids)
	a.ids, b.ids, a.errmsg, b.errmsg = nil, nil, "", ""
	return ids && reflect.DeepEqual(a, b)
}

func TestNestingLimitIsTheLibrarys(t *testing.T) {
	for _, depth := range []int{maxDepth - 1, maxDepth} {
		for _, body := range []string{
			`{"errcode":0,"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}",
			`{"errcode":1,"order_id_list":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}",
			`{"errcode":1,"next_key":` + strings.Repeat(`{"":`, depth) + "0" + strings.Repeat("}", depth) + "}",
		} {
			_, err := parseListResponse(body, 0)
			equal(t, fmt.Sprintf("%.30s to depth %d accepted", body, depth), err == nil, json.Valid([]byte(body)))
		}
	}
}

// FuzzListResponse compares the decoder with encoding/json.
func FuzzListResponse(f *testing.F) {
	for body := range goodResponses {
		f.Add(body)
	}
	for _, body := range badResponses {
		f.Add(body)
	}
	f.Add(fullPage(3))
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseListResponse(body, 2)
		want, wantErr := referenceListResponse(body)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, the reference says %v", body, err, wantErr)
		}
		if err == nil && !same(got, want) {
			t.Fatalf("%q:\n got %+v\nwant %+v", body, got, want)
		}
	})
}

// referenceListResponse implements parseListResponse with encoding/json.
func referenceListResponse(body string) (r listResponse, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &fields); err != nil {
		return r, err
	}
	if fields == nil {
		return r, errors.New("not an object")
	}
	text := func(raw json.RawMessage) (string, error) {
		var s string
		if raw[0] != '"' {
			var n json.Number
			err := json.Unmarshal(raw, &n)
			return n.String(), err
		}
		if !utf8.Valid(raw) {
			return "", errors.New("not UTF-8")
		}
		err := json.Unmarshal(raw, &s)
		return s, err
	}
	_, hasIDs := fields["order_id_list"]
	_, hasNext := fields["next_key"]
	_, hasMore := fields["has_more"]
	given := func(key string) (json.RawMessage, bool) {
		raw, ok := fields[key]
		return raw, ok && string(raw) != "null"
	}
	var codes []json.RawMessage
	times, members := make(map[any]int), json.NewDecoder(strings.NewReader(strings.TrimPrefix(body, "\ufeff")))
	_, _ = members.Token()
	for members.More() {
		var value json.RawMessage
		key, _ := members.Token()
		_ = members.Decode(&value)
		if times[key]++; key == "errcode" {
			codes = append(codes, value)
		}
	}
	hasCode := false
	for _, raw := range codes {
		code := 0
		if string(raw) != "null" {
			s, err := text(raw)
			if err != nil {
				return r, err
			}
			if code, err = strconv.Atoi(s); err != nil {
				return r, err
			}
		}
		if hasCode && code != r.code {
			return r, errors.New("two errcodes")
		}
		hasCode = hasCode || string(raw) != "null"
		r.code = code
	}
	if r.code != 0 {
		return r, nil
	}
	if !hasCode && !hasIDs && !hasNext && !hasMore {
		return r, errors.New("nothing")
	}
	if max(times["order_id_list"], times["next_key"], times["has_more"]) > 1 {
		return r, errors.New("given twice")
	}
	var object map[string]json.RawMessage
	if raw, ok := given("order_id_list"); ok && (json.Unmarshal(raw, &object) != nil || len(object) > 0) {
		r.hasList = true
		var ids []json.RawMessage
		if err := json.Unmarshal(raw, &ids); err != nil {
			return r, err
		}
		for _, raw := range ids {
			id, err := text(raw)
			if err != nil || id == "" || len(id) > maxID || strings.ContainsFunc(id, unicode.IsControl) || raw[0] != '"' && strings.ContainsAny(id, ".eE") {
				return r, errors.New("bad ID")
			}
			r.ids = append(r.ids, id)
		}
	}
	if raw, ok := given("next_key"); ok {
		if r.next, err = text(raw); err != nil {
			return r, err
		}
		if len(r.next) > maxKey {
			return r, errKey
		}
	}
	raw, ok := given("has_more")
	if r.hasMore = ok; !ok {
		r.more = r.next != ""
		return r, nil
	}
	flag := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &flag); err != nil {
			return r, err
		}
	}
	switch flag {
	case "true", "1":
		r.more = true
	case "false", "0":
	default:
		return r, errors.New("bad has_more")
	}
	return r, nil
}

func TestTokenResponse(t *testing.T) {
	for body, want := range map[string]tokenResponse{
		`{"access_token":"T","expires_in":7200}`:                          {token: "T", seconds: 7200},
		`{"access_token":"T","expires_in":"345","new":[1]}`:               {token: "T", seconds: 345},
		`{"access_token":"T"}`:                                            {token: "T"},
		`{"access_token":"T","expires_in":1.5,"errcode":0}`:               {token: "T"},
		`{"access_token":"T","expires_in":{}}`:                            {token: "T"},
		`{"errcode":40125,"errmsg":"invalid appsecret","access_token":3}`: {code: 40125, errmsg: "invalid appsecret"},
	} {
		got, err := parseTokenResponse(body)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", body, got, err, want)
		}
	}
	for _, body := range []string{"", "null", "{}", `{"errcode":0}`, `{"access_token":""}`, `{"access_token":" "}`, `{"access_token":null}`,
		`{"access_token":["T"]}`, `{"access_token":"T"`, `{"errcode":"x","access_token":"T"}`} {
		if got, err := parseTokenResponse(body); err == nil {
			t.Errorf("%s: %+v, want an error", body, got)
		}
	}
}

// fullPage returns a page of n IDs in the vendor's form.
func fullPage(n int) string {
	var b strings.Builder
	b.WriteString(`{"errcode":0,"errmsg":"ok","order_id_list":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d"`, 3704612354559743232+i*268435456)
	}
	b.WriteString(`],"next_key":"Q0FFU0JnaVlqYm1mQmhEb0J4Z0JJQUVv","has_more":true}`)
	return b.String()
}
