package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// authorizedConfig loads a configuration with a platform and this shops file.
func authorizedConfig(t *testing.T, file string, env ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"shops.yaml": file, "keys": strings.Repeat("A", 43) + "=\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env = append(env, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_COMPONENT_APP_ID=wxplatform", "ORDERWALK_COMPONENT_APP_SECRET=hush", "ORDERWALK_STATE_KEY_FILE="+filepath.Join(dir, "keys"))
	if file != "" {
		env = append(env, "ORDERWALK_SHOPS_FILE="+filepath.Join(dir, "shops.yaml"))
	}
	setenv(t, env...)
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAuthorizedShops: authorised shops are as the variables say, and as the first override
// that matches; some are excluded.
func TestAuthorizedShops(t *testing.T) {
	c := authorizedConfig(t, `
shops: authorized
exclude: [wxno, "wxtest*"]
limit: 7
overrides:
- {match: wxone, name: first, topic: one.orders, rate_limit: 3}
- {match: "wxb*", time_range: update_time, start_time: 1700000000}
- {match: "wx*", status: 20}
`, "ORDERWALK_TOPIC=orders.{app_id}", "ORDERWALK_RATE_LIMIT=9")
	a := c.Authorized
	if a == nil || a.Limit != 7 || len(c.Shops) != 0 {
		t.Fatalf("%+v, %d shops", a, len(c.Shops))
	}
	for appID, excluded := range map[string]bool{"wxno": true, "wxnot": false, "wxtest": true, "wxtest1": true, "wxone": false} {
		if a.Excluded(appID) != excluded {
			t.Errorf("%s is excluded: %v", appID, !excluded)
		}
	}
	for appID, want := range map[string]config.Shop{
		"wxone": {Name: "first", Topic: "one.orders", TimeRange: "create_time", RateLimit: 3},
		"wxb1":  {Name: "wxb1", Topic: "orders.wxb1", TimeRange: "update_time", Start: 1700000000, RateLimit: 9},
		"wxc":   {Name: "wxc", Topic: "orders.wxc", TimeRange: "create_time", Status: 20, RateLimit: 9},
	} {
		got, err := a.Shop(appID)
		if err != nil || got.AppID != appID || got.Auth != "component" || !got.Authorized || got.Name != want.Name || got.Topic != want.Topic || got.TimeRange != want.TimeRange ||
			got.Start != want.Start || got.Status != want.Status || got.RateLimit != want.RateLimit || got.AppSecret != nil {
			t.Errorf("%s: %+v, %v", appID, got, err)
		}
	}
	for word, appID := range map[string]string{"first": "wxone", "wxone": "wxone", "wxb1": "wxb1", "wxtest1": "", "second": "", "": "", "wx*": ""} {
		if s, ok := a.Find(word); s.AppID != appID || ok != (appID != "") || ok && s.Auth != "component" {
			t.Errorf("%q is %+v, %v", word, s, ok)
		}
	}
	for _, appID := range []string{"wx/..", "wx~", "wx" + strings.Repeat("a", 300)} {
		if s, err := a.Shop(appID); err == nil {
			t.Errorf("%s has the topic %s", appID, s.Topic)
		}
	}
}

// TestAuthorizedBesideListedShops: the variable adds authorised shops to those of the file
// or of the variables.
func TestAuthorizedBesideListedShops(t *testing.T) {
	c := authorizedConfig(t, "shops:\n- {app_id: wx1, app_secret: hush, topic: 'of.{app_id}'}\nlimit: 5\n", "ORDERWALK_SHOPS=authorized")
	if len(c.Shops) != 1 || c.Shops[0].Topic != "of.wx1" || c.Authorized == nil || c.Authorized.Limit != 5 {
		t.Errorf("%+v, %+v", c.Shops, c.Authorized)
	}
	c = authorizedConfig(t, "", "ORDERWALK_SHOPS=authorized", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET=hush", "ORDERWALK_TOPIC=of.{app_id}")
	if len(c.Shops) != 1 || c.Shops[0].Topic != "of.wx1" || c.Authorized == nil {
		t.Errorf("%+v, %+v", c.Shops, c.Authorized)
	}
	if s, err := c.Authorized.Shop("wx2"); err != nil || s.Topic != "of.wx2" || s.Auth != "component" || s.AppSecret != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if c = authorizedConfig(t, "", "ORDERWALK_SHOPS=authorized", "ORDERWALK_APP_ID=", "ORDERWALK_APP_SECRET="); len(c.Shops) != 0 || c.Authorized == nil || c.Authorized.Limit != 1000 {
		t.Errorf("%+v, %+v", c.Shops, c.Authorized)
	}
	if c = authorizedConfig(t, "shops:\n- {app_id: wx1, app_secret: hush}\n", "ORDERWALK_SHOPS="); c.Authorized != nil {
		t.Errorf("%+v", c.Authorized)
	}
}
