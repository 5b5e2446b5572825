package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// What is unsafe and allowed is said once each, and only where it is so.
func TestWarnings(t *testing.T) {
	const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	file := func(mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := "ORDERWALK_KAFKA_SASL_MECHANISM=PLAIN ORDERWALK_KAFKA_SASL_USERNAME=u ORDERWALK_KAFKA_SASL_PASSWORD=p "
	oauth := "ORDERWALK_KAFKA_SASL_MECHANISM=OAUTHBEARER ORDERWALK_KAFKA_SASL_CLIENT_ID=i ORDERWALK_KAFKA_SASL_CLIENT_SECRET=p ORDERWALK_KAFKA_TLS_ENABLE=true ORDERWALK_KAFKA_SASL_TOKEN_URL="
	for name, c := range map[string]struct {
		env  string
		want string // a word of the one warning
	}{
		"nothing":                  {"", ""},
		"PLAIN":                    {plain, "without TLS"},
		"PLAIN, some loopback":     {plain + "ORDERWALK_KAFKA_BROKERS=localhost:1,b:2", "without TLS"},
		"PLAIN, TLS":               {plain + "ORDERWALK_KAFKA_TLS_ENABLE=true", ""},
		"PLAIN, loopback":          {plain + "ORDERWALK_KAFKA_BROKERS=127.0.0.1:1,[::1]:2", ""},
		"SCRAM":                    {strings.Replace(plain, "PLAIN", "SCRAM-SHA-256", 1), ""},
		"token by http":            {oauth + "http://login.example/t", "TOKEN_URL"},
		"token by https":           {oauth + "https://login.example/t", ""},
		"API by http":              {"ORDERWALK_API_URL=http://api.example", "API_URL"},
		"API by http, loopback":    {"ORDERWALK_API_URL=http://127.0.0.1:9", ""},
		"API by http, cloud calls": {"ORDERWALK_API_URL=http://api.weixin.qq.com ORDERWALK_AUTH=cloud_open", ""},
		"key for all":              {"ORDERWALK_STATE_KEY_FILE=" + file(0o644), "STATE_KEY_FILE"},
		"key for a group":          {"ORDERWALK_STATE_KEY_FILE=" + file(0o440), ""},
		"key for one":              {"ORDERWALK_STATE_KEY_FILE=" + file(0o600), ""},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, append([]string{"ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET=s"}, strings.Fields(c.env)...)...)
			cfg, err := config.Load(nil)
			if err != nil {
				t.Fatal(err)
			}
			got := cfg.Warnings()
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("warnings %q, want one of %q", got, c.want)
			}
		})
	}
}
