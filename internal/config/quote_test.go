package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// A password in a place that takes a time, a number, a word or a file is not
// quoted, also one that is a plain word.
func TestPasswordsInTheWrongPlace(t *testing.T) {
	for _, secret := range []string{"hunterpassword", "s3cr3t", "s3cr3t-T0ken_Z9"} {
		for _, field := range []string{
			"app_secret_file", "access_token_file", "authorizer_refresh_token_file", "auth", "time_range",
			"start_time", "end_time", "status", "rate_limit",
		} {
			file := filepath.Join(t.TempDir(), "shops")
			text := "shops:\n- app_id: wx0123456789abcdef\n  " + field + ": " + secret + "\n- app_id: " + secret + "\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_SHOPS_FILE="+file)
			if _, err := config.Load(nil); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "shops[0]."+field) {
				t.Errorf("%s: %v", field, err)
			}
		}
		for _, name := range []string{
			"KAFKA_SASL_MECHANISM", "KAFKA_TLS_ENABLE", "KAFKA_TLS_KEY_FILE", "REPLICATION_FACTOR", "PAGE_SIZE",
			"POLL_INTERVAL", "MAX_WINDOW", "QUOTA_LIVE_SHARE", "LOG_LEVEL", "LOG_FORMAT", "COMPRESSION", "REST_TOKEN_FILE", "REST_SECRET_DIRS",
		} {
			setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET=x", "ORDERWALK_"+name+"="+secret)
			if _, err := config.Load(nil); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
