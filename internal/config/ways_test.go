package config_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

var stateKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// platform is the environment of a third-party platform.
func platform(t *testing.T) []string {
	return []string{"ORDERWALK_COMPONENT_APP_ID=wxp", "ORDERWALK_COMPONENT_APP_SECRET=ps",
		"ORDERWALK_STATE_KEY_FILE=" + writeFile(t, "keys", stateKey+"\n")}
}

// What one shop without a file is authorised by.
func TestWaysOfOneShop(t *testing.T) {
	for name, test := range map[string]struct {
		env    []string
		auth   string
		secret func(s config.Shop) config.Secret
		want   string
	}{
		"stable_token": {[]string{"APP_SECRET=s"}, "stable_token", func(s config.Shop) config.Secret { return s.AppSecret }, "s"},
		"token":        {[]string{"APP_SECRET=s", "AUTH=token"}, "token", func(s config.Shop) config.Secret { return s.AppSecret }, "s"},
		"static":       {[]string{"ACCESS_TOKEN=a"}, "static", func(s config.Shop) config.Secret { return s.AccessToken }, "a"},
		"cloud_file": {[]string{"AUTH=cloud_file", "CLOUD_TOKEN_FILE=" + writeFile(t, "token", "c\n")}, "cloud_file",
			func(s config.Shop) config.Secret { return s.CloudToken }, "c"},
		"cloud_open":         {[]string{"AUTH=cloud_open"}, "cloud_open", nil, ""},
		"cloud_open by name": {[]string{"AUTH=cloud_open", "API_URL=http://api.weixin.qq.com"}, "cloud_open", nil, ""},
		"cloud_open at home": {[]string{"AUTH=cloud_open", "API_URL=http://[::1]:8084/"}, "cloud_open", nil, ""},
		"component":          {[]string{"AUTH=component"}, "component", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1"}
			for _, pair := range test.env {
				env = append(env, "ORDERWALK_"+pair)
			}
			setenv(t, append(env, platform(t)...)...)
			s := mustLoad(t, nil).Shops[0]
			if s.Auth != test.auth {
				t.Errorf("auth = %q", s.Auth)
			}
			for _, other := range []config.Secret{s.AppSecret, s.AccessToken, s.CloudToken, s.RefreshToken} {
				if other != nil && read(t, other) != test.want {
					t.Errorf("has another secret: %+v", s)
				}
			}
			if test.secret != nil && read(t, test.secret(s)) != test.want {
				t.Errorf("shop = %+v", s)
			}
		})
	}
}

// A shop of the file that names no way goes by what it brings, and else as the
// variables say.
func TestWaysOfListedShops(t *testing.T) {
	const list = `shops:
- {app_id: wx1}
- {app_id: wx2, app_secret: s}
- {app_id: wx3, access_token: a}
- {app_id: wx4, cloud_token_file: /c}
- {app_id: wx5, authorizer_refresh_token: r}
- {app_id: wx6, auth: component}
- {app_id: wx7, auth: stable_token, app_secret: s, access_token: a}
`
	for auth, want := range map[string]string{
		"":             "stable_token stable_token static cloud_file component component stable_token",
		"stable_token": "stable_token stable_token static cloud_file component component stable_token",
		"token":        "token token static cloud_file component component stable_token",
		"static":       "static stable_token static cloud_file component component stable_token",
		"cloud_file":   "cloud_file stable_token static cloud_file component component stable_token",
		"cloud_open":   "cloud_open stable_token static cloud_file component component stable_token",
		"component":    "component stable_token static cloud_file component component stable_token",
	} {
		t.Run("auth "+auth, func(t *testing.T) {
			env := append(platform(t), "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops.yaml", list), "ORDERWALK_AUTH="+auth)
			switch auth {
			case "", "stable_token", "token":
				env = append(env, "ORDERWALK_APP_SECRET=theirs")
			case "static":
				env = append(env, "ORDERWALK_ACCESS_TOKEN=theirs")
			}
			setenv(t, env...)
			var got []string
			for _, s := range mustLoad(t, nil).Shops {
				got = append(got, s.Auth)
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("ways  %s\nwant  %s", text, want)
			}
		})
	}
}

// The file of the hosting is written later, if at all; its error names it.
func TestCloudTokenFileNeedNotBeThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later")
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_AUTH=cloud_file", "ORDERWALK_CLOUD_TOKEN_FILE="+path)
	s := mustLoad(t, nil).Shops[0]
	if _, err := s.CloudToken(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("before: %v", err)
	}
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s.CloudToken); got != token {
			t.Errorf("token = %q", got)
		}
	}
}

func TestPlatform(t *testing.T) {
	ticket := filepath.Join(t.TempDir(), "ticket")
	refresh := writeFile(t, "refresh", "r1")
	shops := writeFile(t, "shops.yaml", "shops: [{app_id: wx1, authorizer_refresh_token_file: "+refresh+"}, {app_id: wx2, auth: component, push_token: own, push_aes_key: "+strings.Repeat("a", 43)+"}]")
	setenv(t, append(platform(t), "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+shops, "ORDERWALK_COMPONENT_VERIFY_TICKET_FILE="+ticket,
		"ORDERWALK_PUSH_LISTEN=:8085", "ORDERWALK_PUSH_TOKEN=pt", "ORDERWALK_PUSH_AES_KEY="+strings.Repeat("b", 43), "ORDERWALK_QUOTA_LIVE_SHARE=0")...)
	c := mustLoad(t, nil)
	if c.Component.AppID != "wxp" || read(t, c.Component.AppSecret) != "ps" || c.Push.Listen != ":8085" || read(t, c.Push.Token) != "pt" ||
		read(t, c.Push.AESKey) != strings.Repeat("b", 43) || c.QuotaLiveShare != 0 {
		t.Errorf("config = %+v", c)
	}
	if _, err := c.Component.VerifyTicket(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ticket before it is there: %v", err)
	}
	if err := os.WriteFile(ticket, []byte("t1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if read(t, c.Component.VerifyTicket) != "t1" || read(t, c.Shops[0].RefreshToken) != "r1" {
		t.Errorf("config = %+v", c)
	}
	if c.Shops[0].PushToken != nil || read(t, c.Shops[1].PushToken) != "own" || read(t, c.Shops[1].PushAESKey) != strings.Repeat("a", 43) || c.Shops[1].RefreshToken != nil {
		t.Errorf("shops = %+v", c.Shops)
	}
}

// Keys are changed by putting another one first; a file that is wrong later is
// told without what is in it.
func TestStateKeysAreReadAgain(t *testing.T) {
	second := base64.StdEncoding.EncodeToString([]byte("another-key-that-is-32-bytes-big"))
	file := writeFile(t, "keys", stateKey)
	setenv(t, append(minimal, "ORDERWALK_STATE_KEY_FILE="+file)...)
	keys := mustLoad(t, nil).StateKeys
	if err := os.WriteFile(file, []byte("\n"+second+"\r\n "+stateKey+" \n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := keys()
	if err != nil || len(got) != 2 || string(got[0]) != "another-key-that-is-32-bytes-big" || len(got[1]) != 32 {
		t.Errorf("keys = %q, %v", got, err)
	}
	for text, want := range map[string]string{
		stateKey + "\n" + second[:40]: "line 2: 30 bytes, not 32",
		"hush?":                       "line 1: not base64",
		"":                            "holds none",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), second[:8]) {
			t.Errorf("keys %q: %v", text, err)
		}
	}
	setenv(t, minimal...)
	if mustLoad(t, nil).StateKeys != nil {
		t.Error("keys without a file")
	}
}
