package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"orderwalk/internal/config"
)

// What is in force: values given and built in, what follows from others, no
// secret, and whether each comes from the environment.
func TestEffective(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_APP_ID=wx0123456789abcdef", "ORDERWALK_ACCESS_TOKEN=hush-hush",
		"ORDERWALK_PUSH_TOKEN_FILE="+secret, "ORDERWALK_PUSH_AES_KEY=abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "ORDERWALK_PUSH_LISTEN=:8085",
		"ORDERWALK_TOPIC= spaced ", "ORDERWALK_GROUP=", "ORDERWALK_LISTEN=:0")
	settings, shops, err := config.Effective()
	if err != nil || len(shops) != 1 || shops[0].Topic != "spaced" {
		t.Fatalf("%v, shops %v", err, shops)
	}
	got := map[string]config.Setting{}
	for _, s := range settings {
		got[s.Name] = s
	}
	for _, want := range []config.Setting{
		{"ORDERWALK_KAFKA_BROKERS", true, "b:9092"},
		{"ORDERWALK_TOPIC", true, "spaced"},
		{"ORDERWALK_GROUP", false, "orderwalk"}, // set to nothing is not set
		{"ORDERWALK_ACCESS_TOKEN", true, "set"},
		{"ORDERWALK_APP_SECRET", false, "unset"},
		{"ORDERWALK_PUSH_AES_KEY", true, "set"},
		{"ORDERWALK_PUSH_TOKEN_FILE", true, secret},
		{"ORDERWALK_AUTH", false, "static"}, // as there is an access token
		{"ORDERWALK_WORKER_ID", false, "(host name and port of ORDERWALK_LISTEN)"},
		{"ORDERWALK_REPLICATION_FACTOR", false, "(the broker's)"},
		{"ORDERWALK_STATUS", false, "–"},
		{"ORDERWALK_API_URL", false, "https://api.weixin.qq.com"},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
}
