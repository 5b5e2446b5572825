package config_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/internal/config"
)

// setenv gives the test an environment of exactly these ORDERWALK_ variables.
func setenv(t *testing.T, pairs ...string) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "ORDERWALK_") {
			t.Setenv(name, value) // puts it back at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, defaults map[string]string) *config.Config {
	t.Helper()
	c, err := config.Load(defaults)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, s config.Secret) string {
	t.Helper()
	if s == nil {
		t.Fatal("there is no secret")
	}
	text, err := s()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var minimal = []string{
	"ORDERWALK_KAFKA_BROKERS=b1:9092, b2:9092", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET= s3cret ",
}

const cloudFile = "/.tencentcloudbase/wx/cloudbase_access_token"

func TestDefaults(t *testing.T) {
	setenv(t, append(minimal, "ORDERWALK_PAGE_SIZE=", "ORDERWALK_LISTEN=127.0.0.1:8090")...)
	c := mustLoad(t, nil)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Kafka: config.Kafka{Brokers: []string{"b1:9092", "b2:9092"}},
		Group: "orderwalk", Topic: "wechat.orders", OffsetsTopic: "orderwalk.offsets", OrdersTopics: []string{"wechat.orders"},
		TopicPartitions: 6, OffsetsPartitions: 16,
		APIURL: "https://api.weixin.qq.com", PageSize: 100, MaxWindow: 168 * time.Hour, MinWindow: time.Second,
		PollInterval: 10 * time.Second, PollIntervalMax: 10 * time.Second, SettleDelay: 15 * time.Second, Lookback: 10 * time.Minute, Concurrency: 8, QuotaLiveShare: 0.2,
		WorkerID: host + ":8090", SessionTimeout: 10 * time.Second, TransactionTimeout: 30 * time.Second,
		Format: "json", Compression: "none", Listen: "127.0.0.1:8090", LogLevel: slog.LevelInfo, LogFormat: "json",
	}
	if len(c.Shops) != 1 {
		t.Fatalf("shops = %v", c.Shops)
	}
	s := c.Shops[0]
	if got := read(t, s.AppSecret); got != "s3cret" {
		t.Errorf("secret = %q", got)
	}
	if c.Connectors == nil {
		t.Error("connectors cannot be read")
	}
	s.AppSecret, c.Shops, c.Connectors = nil, nil, nil
	if want := (config.Shop{Name: "wx1", AppID: "wx1", Auth: "stable_token", CloudTokenFile: cloudFile,
		References: map[string]string{"app_secret": "${env:ORDERWALK_APP_SECRET}"},
		Topic:      "wechat.orders", TimeRange: "create_time", RateLimit: 50}); !reflect.DeepEqual(s, want) {
		t.Errorf("shop = %+v\nwant   %+v", s, want)
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("config = %+v\nwant     %+v", *c, want)
	}
}

func TestWithoutShops(t *testing.T) {
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_TOPIC=mine")
	c, err := config.LoadWithoutShops(nil)
	if err != nil || c.Topic != "mine" || len(c.Shops) != 0 {
		t.Errorf("got %v, %v", c, err)
	}
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_TOPIC=not mine")
	if c, err := config.LoadWithoutShops(nil); err == nil || !strings.Contains(err.Error(), "ORDERWALK_TOPIC") {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestCallersDefaultsStandInForWhatIsNotSet(t *testing.T) {
	setenv(t, "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN=t", "ORDERWALK_TOPIC=mine")
	c := mustLoad(t, map[string]string{
		"ORDERWALK_KAFKA_BROKERS": "dev:1", "ORDERWALK_TOPIC": "theirs", "ORDERWALK_POLL_INTERVAL": "1s",
	})
	if c.Kafka.Brokers[0] != "dev:1" || c.OrdersTopics[0] != "mine" || c.PollInterval != time.Second {
		t.Errorf("got %v", c)
	}
}

func TestStaticAuthFollowsFromAToken(t *testing.T) {
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN=tok")
	if s := mustLoad(t, nil).Shops[0]; s.Auth != "static" || read(t, s.AccessToken) != "tok" {
		t.Errorf("shop = %+v", s)
	}
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_ACCESS_TOKEN=tok",
		"ORDERWALK_AUTH=stable_token", "ORDERWALK_APP_SECRET=s")
	if s := mustLoad(t, nil).Shops[0]; s.Auth != "stable_token" {
		t.Errorf("shop = %+v", s)
	}
}

func TestNoPortNoWorkerID(t *testing.T) {
	setenv(t, append(minimal, "ORDERWALK_LISTEN=127.0.0.1:0")...)
	if c := mustLoad(t, nil); c.WorkerID != "" {
		t.Errorf("worker ID = %q", c.WorkerID)
	}
	setenv(t, append(minimal, "ORDERWALK_LISTEN=127.0.0.1:0", "ORDERWALK_WORKER_ID=w1")...)
	if c := mustLoad(t, nil); c.WorkerID != "w1" {
		t.Errorf("worker ID = %q", c.WorkerID)
	}
}

// The same shops in every notation mean the same.
func TestShopsFileNotations(t *testing.T) {
	notations := map[string]string{
		"yaml": `
shops:
  - app_id: wx1
    name: 红 🏮
    start_time: 2026-11-01T00:00:00+08:00
    access_token: "0123"
  - &second
    app_id: wx2
    app_secret: s2
    time_range: update_time
    topic: other
    status: 20
    openid: 00123
    rate_limit: 2.5
    end_time: 1800000000
`,
		"yaml flow": `shops: [{app_id: wx1, name: 红 🏮, start_time: "2026-11-01T00:00:00+08:00", access_token: 0123}, ` +
			`{app_id: wx2, app_secret: s2, time_range: update_time, topic: other, status: 20, openid: 00123, rate_limit: 2.5, end_time: 1800000000}]`,
		"json": "{\n\t\"shops\": [\n\t\t{\"app_id\": \"wx1\", \"name\": \"\\u7ea2 \\ud83c\\udfee\", \"start_time\": 1793462400, \"access_token\": \"0123\", \"topic\": null},\n" +
			"\t\t{\"app_id\": \"wx2\", \"app_secret\": \"s2\", \"time_range\": \"update_time\", \"topic\": \"other\", \"status\": 20, \"openid\": \"00123\", \"rate_limit\": 2.5, \"end_time\": 1800000000}\n\t]\n}\n",
	}
	for name, text := range notations {
		t.Run(name, func(t *testing.T) {
			setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops", text))
			c := mustLoad(t, nil)
			if len(c.Shops) != 2 {
				t.Fatalf("shops = %v", c.Shops)
			}
			if got := read(t, c.Shops[0].AccessToken) + read(t, c.Shops[1].AppSecret); got != "0123s2" {
				t.Errorf("secrets = %q", got)
			}
			c.Shops[0].AccessToken, c.Shops[1].AppSecret = nil, nil
			want := []config.Shop{
				{Name: "红 🏮", AppID: "wx1", Auth: "static", CloudTokenFile: cloudFile, Topic: "wechat.orders", TimeRange: "create_time",
					References: map[string]string{"access_token": config.HiddenSecret}, Start: 1793462400, RateLimit: 50},
				{Name: "wx2", AppID: "wx2", Auth: "stable_token", CloudTokenFile: cloudFile, Topic: "other", TimeRange: "update_time",
					References: map[string]string{"app_secret": config.HiddenSecret}, End: 1800000000, Status: 20, OpenID: "00123", RateLimit: 2.5},
			}
			if !reflect.DeepEqual(c.Shops, want) {
				t.Errorf("shops = %+v\nwant    %+v", c.Shops, want)
			}
			if !slices.Equal(c.OrdersTopics, []string{"wechat.orders", "other"}) {
				t.Errorf("topics = %v", c.OrdersTopics)
			}
		})
	}
}

func TestShopsOfTheFileInheritTheVariables(t *testing.T) {
	file := writeFile(t, "shops.yaml", "shops:\n- {}\n- {time_range: update_time, name: changes}\n- {app_id: wx2, access_token: t2}\n")
	setenv(t, append(minimal, "ORDERWALK_SHOPS_FILE="+file, "ORDERWALK_START_TIME=1700000000")...)
	c := mustLoad(t, nil)
	if len(c.Shops) != 3 || c.Shops[1].AppID != "wx1" || c.Shops[1].Name != "changes" ||
		c.Shops[1].Start != 1700000000 || read(t, c.Shops[1].AppSecret) != "s3cret" ||
		c.Shops[2].Name != "wx2" || c.Shops[2].Auth != "static" {
		t.Errorf("shops = %+v", c.Shops)
	}
}

func TestSecretFileIsReadAgain(t *testing.T) {
	file := writeFile(t, "secret", "one\n")
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET_FILE="+file)
	secret := mustLoad(t, nil).Shops[0].AppSecret
	if got := read(t, secret); got != "one" {
		t.Errorf("first = %q", got)
	}
	if err := os.WriteFile(file, []byte("  two \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, secret); got != "two" {
		t.Errorf("after the change = %q", got)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret(); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("empty file: %v", err)
	}
}

// A shop of the file that has a secret of its own has it where it says.
func TestWhetherASecretMayChangeIsKnown(t *testing.T) {
	file := writeFile(t, "secret", "one\n")
	shops := writeFile(t, "shops.yaml", "shops: [{app_id: wx1}, {app_id: wx2, app_secret: text}, {app_id: wx3, app_secret_file: "+file+"}]")
	for variable, inherited := range map[string]bool{"ORDERWALK_APP_SECRET=text": false, "ORDERWALK_APP_SECRET_FILE=" + file: true} {
		setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+shops, variable)
		for i, want := range []bool{inherited, false, true} {
			if s := mustLoad(t, nil).Shops[i]; s.SecretInFile != want {
				t.Errorf("with %s, the secret of %s is in a file: %v", variable, s.AppID, s.SecretInFile)
			}
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	keys := writeFile(t, "keys", base64.StdEncoding.EncodeToString([]byte("s3cret-s3cret-s3cret-s3cret-1234")))
	shops := writeFile(t, "shops.yaml", "shops: [{app_id: wx1, push_token: s3cret, push_aes_key: "+strings.Repeat("s3cret", 7)+"x}, "+
		"{app_id: wx2, authorizer_refresh_token: s3cret-refresh}]")
	setenv(t, append(minimal, "ORDERWALK_KAFKA_SASL_MECHANISM=PLAIN", "ORDERWALK_KAFKA_SASL_USERNAME=u",
		"ORDERWALK_KAFKA_SASL_PASSWORD=s3cret-too", "ORDERWALK_SHOPS_FILE="+shops, "ORDERWALK_STATE_KEY_FILE="+keys,
		"ORDERWALK_COMPONENT_APP_ID=wxp", "ORDERWALK_COMPONENT_APP_SECRET=s3cret-platform", "ORDERWALK_PUSH_LISTEN=:8085",
		"ORDERWALK_PUSH_TOKEN=s3cret-push", "ORDERWALK_PUSH_AES_KEY="+strings.Repeat("s3cret", 7)+"y")...)
	c := mustLoad(t, nil)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "all", c, "shop", c.Shops[0].AppSecret)
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "all", c, "sasl", c.Kafka.SASL, "shop", c.Shops[0], "keys", c.StateKeys, "platform", c.Component, "push", c.Push)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		c.String(), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), fmt.Sprintf("%v %+v %#v", *c, *c, *c),
		fmt.Sprintf("%+v %#v %+v %#v", c.Shops, c.Kafka, c.StateKeys, c.StateKeys), log.String(), string(asJSON),
	} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("a secret is shown in %q", text)
		}
	}
	if !strings.Contains(log.String(), "b1:9092") {
		t.Errorf("the log says nothing: %s", log.String())
	}
}

// The names that users rely on: section 3 of the contract, as far as this
// version goes.
func TestVariableNames(t *testing.T) {
	want := strings.Fields(`KAFKA_BROKERS TOPIC OFFSETS_TOPIC GROUP TOPIC_PARTITIONS OFFSETS_PARTITIONS REPLICATION_FACTOR
		KAFKA_TLS_ENABLE KAFKA_TLS_CA_FILE KAFKA_TLS_CERT_FILE KAFKA_TLS_KEY_FILE KAFKA_TLS_SERVER_NAME
		KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME KAFKA_SASL_PASSWORD KAFKA_SASL_PASSWORD_FILE
		KAFKA_SASL_TOKEN_FILE KAFKA_SASL_TOKEN_URL KAFKA_SASL_CLIENT_ID KAFKA_SASL_CLIENT_SECRET KAFKA_SASL_CLIENT_SECRET_FILE
		KAFKA_SASL_SCOPE KAFKA_SASL_EXTENSIONS
		SHOPS_FILE SHOPS APP_ID APP_SECRET APP_SECRET_FILE ACCESS_TOKEN ACCESS_TOKEN_FILE
		ACCESS_TOKEN_URL ACCESS_TOKEN_URL_USERNAME ACCESS_TOKEN_URL_SECRET ACCESS_TOKEN_URL_SECRET_FILE ACCESS_TOKEN_POINTER
		ACCESS_TOKEN_EXPIRY_POINTER API_URL AUTH CLOUD_TOKEN_FILE
		COMPONENT_APP_ID COMPONENT_APP_SECRET COMPONENT_APP_SECRET_FILE COMPONENT_VERIFY_TICKET_FILE STATE_KEY_FILE
		PUSH_LISTEN PUSH_TOKEN PUSH_TOKEN_FILE PUSH_AES_KEY PUSH_AES_KEY_FILE QUOTA_LIVE_SHARE
		TIME_RANGE START_TIME END_TIME STATUS OPENID PAGE_SIZE MAX_WINDOW MIN_WINDOW POLL_INTERVAL POLL_INTERVAL_MAX SETTLE_DELAY
		PUBLISH_EARLY LOOKBACK CONCURRENCY RATE_LIMIT WORKER_ID SESSION_TIMEOUT TRANSACTION_TIMEOUT FORMAT COMPRESSION
		LISTEN REST_TOKEN_FILE LISTEN_TLS_CERT_FILE LISTEN_TLS_KEY_FILE LISTEN_TLS_CLIENT_CA_FILE REST_SECRET_DIRS LOG_LEVEL LOG_FORMAT`)
	var got []string
	for _, v := range config.Variables() {
		got = append(got, strings.TrimPrefix(v.Name, "ORDERWALK_"))
		if v.Type == "" || v.Meaning == "" {
			t.Errorf("%s is not documented", v.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Each variable is read under its documented name: envconfig forms the name on
// its own, from the field.
func TestEveryVariableIsRead(t *testing.T) {
	for _, v := range config.Variables() {
		t.Run(v.Name, func(t *testing.T) {
			setenv(t)
			_, before := config.Load(nil)
			setenv(t, v.Name+"=\x01 no such value \x01")
			c, after := config.Load(nil)
			if before == nil || after == nil {
				t.Fatalf("a configuration without brokers was accepted: %v", c)
			}
			switch v.Type {
			case "text", "secret", "path":
				// What is free text shows in the result and not as a fault, and
				// what need not be there is looked at later.
				return
			}
			if before.Error() == after.Error() {
				t.Errorf("is not looked at:\n%v", after)
			}
		})
	}
}

// Without our prefix a variable is somebody else's.
func TestVariablesWithoutPrefixAreNotOurs(t *testing.T) {
	setenv(t, minimal...)
	for _, v := range config.Variables() {
		t.Setenv(strings.TrimPrefix(v.Name, "ORDERWALK_"), "not ours")
	}
	if c := mustLoad(t, nil); c.Group != "orderwalk" || c.Kafka.SASL.Username != "" {
		t.Errorf("config = %v", c)
	}
}
