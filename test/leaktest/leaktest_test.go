package leaktest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderwalk/simulator"
)

// Every form of a secret is found, at any position.
func TestFind(t *testing.T) {
	const secret = "s3cret/+=%&<x>\"\n and a long rest of it"
	asJSON, _ := json.Marshal(secret)
	forms := map[string]string{
		"plain": secret, "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "quoted": fmt.Sprintf("%q", secret),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": fmt.Sprintf("%X", secret), "JSON": string(asJSON), "cut off": secret[:20],
	}
	for _, user := range []string{"", "u:", "user:", "user1:"} {
		forms["basic auth after "+user] = base64.StdEncoding.EncodeToString([]byte(user + secret))
		forms["in a URL after "+user] = base64.RawURLEncoding.EncodeToString([]byte(user + secret + "~~~"))
	}
	for name, form := range forms {
		var s Search
		s.Hide("a password", "another-one", secret, secret)
		if found := s.Find("x y" + form + "z"); !strings.HasPrefix(found, "a password: …x y") {
			t.Errorf("%s is not found: %q", name, found)
		}
		if s.Find(form[1:4]) != "" || s.Find("") != "" || s.Known() != 2 {
			t.Errorf("%s: finds what is not there", name)
		}
	}
}

// Secrets on the wire are learned, also from a truncated answer, and requests and
// answers pass unchanged.
func TestWatch(t *testing.T) {
	var s Search
	vendor := httptest.NewServer(s.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("access_token") != "token-in-a-query" {
			t.Errorf("query = %s", r.URL.RawQuery)
		}
		var in struct{ Secret string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Secret != "secret-in-a-body" {
			t.Errorf("body = %+v, %v", in, err)
		}
		fmt.Fprint(w, `{"errcode":0,"info":{"list":[{"refresh_token":"token-in-a-list","at":5}],"authorizer_access_token":"token-deep-inside","x":`)
	})))
	defer vendor.Close()
	answer, err := http.Post(vendor.URL+"/cgi-bin/x?access_token=token-in-a-query&appid=harmless-name", "", strings.NewReader(`{"appid":"harmless-name","secret":"secret-in-a-body"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for text, want := range map[string]string{
		"token-in-a-query": "an access token", "secret-in-a-body": "an app secret", "token-in-a-list": "a refresh token",
		"token-deep-inside": "a shop's access token for a platform", "harmless-name": "",
	} {
		if found := s.Find("in " + text); !strings.HasPrefix(found, want) || (found == "") != (want == "") {
			t.Errorf("%s: %q, want %q", text, found, want)
		}
	}
}

// Secrets in variables and in the files they name are learned; generated secrets are
// recognised by their form.
func TestEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("first-key-of-two\nsecond-key-of-two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s Search
	s.Environment([]string{"ORDERWALK_APP_SECRET=secret-of-a-shop", "ORDERWALK_STATE_KEY_FILE=" + path, "ORDERWALK_GROUP=harmless-name", "SECRET=somebody-elses"})
	api := simulator.New(simulator.Config{Shops: []simulator.Shop{{AppID: "wx1"}}, Platform: simulator.Platform{AppID: "wxc"}})
	authorized, err := api.Authorize("wx1")
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.CloudToken()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"secret-of-a-shop", "first-key-of-two", "second-key-of-two", token, authorized.Code, api.Authorizers()[0].RefreshToken, api.VerifyTicket(time.Now())} {
		if s.FindSimulated("x "+text) == "" {
			t.Errorf("%s is not found", text)
		}
	}
	if found := s.FindSimulated("harmless-name somebody-elses " + path); found != "" {
		t.Error(found)
	}
}
