package config_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// server is a shop's token server with its address for the shop, and its secret as text.
func server(t *testing.T, s config.Shop) string {
	t.Helper()
	of, secret := s.TokenServer.For(s.AppID), ""
	if of.Secret != nil {
		secret = read(t, of.Secret)
	}
	return strings.Join([]string{s.Auth, of.URL, of.User, secret, of.Pointer, of.ExpiryPointer}, " ")
}

func TestTokenServerOfOneShop(t *testing.T) {
	secret := writeFile(t, "secret", "hush\n")
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN_URL=https://tokens.example.com/{app_id}",
		"ORDERWALK_ACCESS_TOKEN_URL_USERNAME=orders", "ORDERWALK_ACCESS_TOKEN_URL_SECRET_FILE="+secret,
		"ORDERWALK_ACCESS_TOKEN_POINTER=/{app_id}/t", "ORDERWALK_ACCESS_TOKEN_EXPIRY_POINTER=/{app_id}/e")
	s := mustLoad(t, nil).Shops[0]
	if got := server(t, s); got != "static https://tokens.example.com/wx1 orders hush /wx1/t /wx1/e" {
		t.Error(got)
	}
	put(t, secret, "hush2")
	if got := read(t, s.TokenServer.Secret); got != "hush2" {
		t.Errorf("changed secret: %s", got)
	}
}

// A shop inherits the server of the variables, or parts of it; their secret goes to
// another server never.
func TestTokenServersOfListedShops(t *testing.T) {
	const list = `shops:
- {app_id: wx1}
- {app_id: wx2, access_token_url: "https://TOKENS.example.com:443/other"}
- {app_id: wx3, access_token_url: "https://elsewhere.example.com/"}
- {app_id: wx4, access_token_url: "http://tokens.example.com/"}
- {app_id: wx5, access_token_url: "https://elsewhere.example.com/5", access_token_url_secret: own, access_token_pointer: /p}
- {app_id: wx6, access_token: a}
- {app_id: wx7, app_secret: s}
- {app_id: wx8, access_token_url_username: u8, access_token_url_secret: own}
`
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops.yaml", list), "ORDERWALK_ACCESS_TOKEN_URL=https://tokens.example.com/{app_id}?key=k",
		"ORDERWALK_ACCESS_TOKEN_URL_USERNAME=u", "ORDERWALK_ACCESS_TOKEN_URL_SECRET=theirs", "ORDERWALK_ACCESS_TOKEN_EXPIRY_POINTER=/e")
	want := []string{
		"static https://tokens.example.com/wx1?key=k u theirs  /e",
		"static https://TOKENS.example.com:443/other u theirs  /e",
		"static https://elsewhere.example.com/    /e",
		"static http://tokens.example.com/    /e",
		"static https://elsewhere.example.com/5  own /p /e",
		"static     ",
		"stable_token https://tokens.example.com/wx7?key=k u theirs  /e",
		"static https://tokens.example.com/wx8?key=k u8 own  /e",
	}
	c := mustLoad(t, nil)
	for i, s := range c.Shops {
		if got := server(t, s); got != want[i] {
			t.Errorf("%s: %q, want %q", s.AppID, got, want[i])
		}
		if (s.AccessToken != nil) != (s.AppID == "wx6") {
			t.Errorf("%s has the access token %v", s.AppID, s.AccessToken)
		}
	}
	if warnings := strings.Join(c.Warnings(), "\n"); !strings.Contains(warnings, "the access token URL of shop wx4 is http") {
		t.Errorf("warnings: %s", warnings)
	}
	if got := config.ConnectorConfig(c.Shops[0]); got["access_token_url"] != "https://tokens.example.com/{app_id}?key=[hidden]" || got["access_token_url_username"] != "u" ||
		got["access_token_url_secret"] != "${env:ORDERWALK_ACCESS_TOKEN_URL_SECRET}" || got["access_token_expiry_pointer"] != "/e" || got["access_token"] != "" {
		t.Errorf("as a connector: %v", got)
	}
	if got := config.ConnectorConfig(c.Shops[4]); got["access_token_url_secret"] != config.HiddenSecret {
		t.Errorf("as a connector: %v", got)
	}
	if got := config.ConnectorConfig(c.Shops[6]); got["access_token_url"] != "" || got["access_token_url_secret"] != "" {
		t.Errorf("as a connector: %v", got)
	}
}

// An address that comes over HTTP is on the server that the worker's own variable names,
// and shows no secret.
func TestTokenServerOfAConnector(t *testing.T) {
	c, dir := connectors(t, "ORDERWALK_ACCESS_TOKEN_URL=https://tokens.example.com/{app_id}?key=hush-key", "ORDERWALK_ACCESS_TOKEN_URL_SECRET=hush-theirs")
	put(t, filepath.Join(dir, "own"), "hush-own")
	t.Setenv("HUSH_TOKEN", "hush-word")
	check := func(sent map[string]string) (string, string) {
		t.Helper()
		delete(sent, "app_secret")
		before := maps.Clone(sent)
		s, infos := c.Check(sent, nil)
		_, all := errorsAt(t, infos)
		if strings.Contains(all, "hush") || !maps.Equal(before, sent) {
			t.Errorf("shown or changed: %s", all)
		}
		if all != "" {
			return "", all
		}
		return server(t, s), ""
	}
	if got, all := check(sentShop(dir)); got != "static https://tokens.example.com/wx1?key=hush-key  hush-theirs  " {
		t.Errorf("%q, %s", got, all)
	}
	if got, all := check(sentShop(dir, "access_token_url", "https://tokens.example.com/v2?app={app_id}", "access_token_url_username", "u",
		"access_token_url_secret", "${file:"+dir+"/own}", "access_token_pointer", "/t")); got != "static https://tokens.example.com/v2?app=wx1 u hush-own /t " {
		t.Errorf("%q, %s", got, all)
	}
	for want, pair := range map[string][2]string{
		"access_token_url is of another server than the worker's ORDERWALK_ACCESS_TOKEN_URL":                    {"access_token_url", "https://evil.example.com/{app_id}"},
		"access_token_url is of another server":                                                                 {"access_token_url", "https://tokens.example.com:8443/{app_id}"},
		"access_token_url is of another":                                                                        {"access_token_url", "http://tokens.example.com/{app_id}"},
		"access_token_url has a query with another value":                                                       {"access_token_url", "https://tokens.example.com/?key=hush-key"},
		"access_token_url has a query":                                                                          {"access_token_url", "https://tokens.example.com/?hush-key"},
		"access_token_url has a user name in it":                                                                {"access_token_url", "https://hush:hush@tokens.example.com/"},
		"access_token_url: [address not shown: it could hold a secret] is not valid":                            {"access_token_url", "https://tokens.example.com/#hush"},
		"access_token_url holds a reference":                                                                    {"access_token_url", "https://tokens.example.com/${env:HUSH_TOKEN}"},
		"access_token_url_secret holds a secret by value":                                                       {"access_token_url_secret", "hush-hush"},
		"access_token_url_secret names a variable of the worker's own settings":                                 {"access_token_url_secret", "${env:ORDERWALK_APP_SECRET}"},
		"access_token_url_secret_file names a file that is not below a directory of ORDERWALK_REST_SECRET_DIRS": {"access_token_url_secret_file", "/etc/passwd"},
		"access_token_url_username has a colon or a control character in it":                                    {"access_token_url_username", "a:hush"},
		`access_token_pointer: "token" is not valid; give a JSON pointer, such as /data/access_token`:           {"access_token_pointer", "token"},
	} {
		if _, all := check(sentShop(dir, pair[0], pair[1])); !strings.Contains(all, want) {
			t.Errorf("%s = %s: %s; want %s", pair[0], pair[1], all, want)
		}
	}
	if _, all := check(sentShop(dir, "access_token_url", "https://tokens.example.com/2", "access_token", "${env:HUSH_TOKEN}")); !strings.Contains(all, "access_token_url and access_token are both set") {
		t.Error(all)
	}
	c, dir = connectors(t, "ORDERWALK_ACCESS_TOKEN_URL=")
	if _, all := check(sentShop(dir, "access_token_url", "https://tokens.example.com/2")); !strings.Contains(all, "the worker has no ORDERWALK_ACCESS_TOKEN_URL") {
		t.Error(all)
	}
}
