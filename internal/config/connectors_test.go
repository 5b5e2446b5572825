package config_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// connectors loads a worker whose variables configure no shop's secret, with a directory
// of secrets that has the file app, which holds hush-app.
func connectors(t *testing.T, env ...string) (c *config.Connectors, dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "app"), "hush-app\n")
	shops := writeFile(t, "shops.yaml", "shops: [{app_id: wxlisted, name: listed, app_secret: hush-listed}]")
	setenv(t, append([]string{"ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE=" + shops, "ORDERWALK_REST_SECRET_DIRS=" + dir}, env...)...)
	return mustLoad(t, nil).Connectors, dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sentShop is a valid configuration with changes: pairs of key and value.
func sentShop(dir string, pairs ...string) map[string]string {
	sent := map[string]string{"name": "east", "connector.class": config.ConnectorClass, "tasks.max": "1", "kafka.topic": "orders",
		"app_id": "wx1", "app_secret": "${file:" + dir + "/app}"}
	for i := 0; i < len(pairs); i += 2 {
		sent[pairs[i]] = pairs[i+1]
	}
	return sent
}

// errorsAt are the texts of a validation's faults by key, and all of them in one.
func errorsAt(t *testing.T, infos config.ConfigInfos) (map[string]string, string) {
	t.Helper()
	at, all, count := map[string]string{}, "", 0
	for _, c := range infos.Configs {
		if c.Definition.Name != c.Value.Name || c.Definition.Dependents == nil || c.Value.Recommended == nil || c.Value.Errors == nil {
			t.Errorf("%s: a list is null", c.Value.Name)
		}
		if text := strings.Join(c.Value.Errors, "\n"); text != "" {
			at[c.Value.Name], all = text, all+text+"\n"
		}
		count += len(c.Value.Errors)
	}
	if count != infos.ErrorCount || infos.Groups == nil || (infos.Err() == nil) != (count == 0) {
		t.Errorf("%d errors are counted as %d, with %v: %v", count, infos.ErrorCount, infos.Groups, infos.Err())
	}
	return at, all
}

func TestConnectorIsAShop(t *testing.T) {
	c, dir := connectors(t, "ORDERWALK_RATE_LIMIT=7", "ORDERWALK_END_TIME=1800000000", "ORDERWALK_APP_ID=wxlisted")
	sent := sentShop(dir, "time_range", "update_time", "start_time", " 1700000000 ", "status", "20", "openid", "o1", "connector.class", "WeChatOrderSource")
	before := maps.Clone(sent)
	s, infos := c.Check(sent, nil)
	if err := infos.Err(); err != nil {
		t.Fatal(err)
	}
	if read(t, s.AppSecret) != "hush-app" || !s.SecretInFile {
		t.Errorf("secret: %+v", s)
	}
	if got := config.ConnectorConfig(s); got["rate_limit"] != "7" || got["end_time"] != "1800000000" || got["start_time"] != "1700000000" ||
		got["kafka.topic"] != "orders" || got["app_secret"] != sent["app_secret"] || got["time_range"] != "update_time" || got["name"] != "east" ||
		got["app_id"] != "wx1" || got["status"] != "20" || got["openid"] != "o1" || got["auth"] != "stable_token" {
		t.Errorf("shop: %v", got)
	}
	if !maps.Equal(sent, before) {
		t.Errorf("the configuration is changed: %v", sent)
	}
	if infos.Name != "WeChatOrderSource" {
		t.Errorf("class: %s", infos.Name)
	}
	for _, info := range infos.Configs {
		if value, ok := sent[info.Value.Name]; ok && (info.Value.Value == nil || *info.Value.Value != value) {
			t.Errorf("%s is shown otherwise than it was sent: %v", info.Value.Name, info.Value.Value)
		}
	}
	stored, err := c.Stored(sent)
	if err != nil || !maps.Equal(config.ConnectorConfig(stored), config.ConnectorConfig(s)) {
		t.Errorf("stored: %v, %v", stored, err)
	}
}

// The fault of each value is at its key, and is told together with all others.
func TestConnectorFaults(t *testing.T) {
	c, dir := connectors(t)
	elsewhere := map[string][]string{"auth": {"access_token"}, "half a push": {"push_token"}, "AES key": {"push_aes_key", "push_token"}, "both": {"app_secret"}}
	for name, test := range map[string]struct{ key, value, want string }{
		"no name":              {"name", "", `Missing required configuration "name" which has no default value.`},
		"control in the name":  {"name", "a\x01b", "may not contain control sequences but had the following ASCII chars: 1"},
		"no class":             {"connector.class", "", `Missing required configuration "connector.class"`},
		"another class":        {"connector.class", "FileStreamSource", "Failed to find any class that implements Connector"},
		"no task":              {"tasks.max", "0", "Invalid value 0 for configuration tasks.max: Value must be at least 1"},
		"tasks in words":       {"tasks.max", "none", "Invalid value none for configuration tasks.max: Not a number of type INT"},
		"too many tasks":       {"tasks.max", "3000000000", "Not a number of type INT"},
		"a topic":              {"kafka.topic", "a b", `kafka.topic: "a b" is not valid`},
		"two topics":           {"topic", "other", "topic differs from kafka.topic"},
		"the offsets topic":    {"kafka.topic", "orderwalk.offsets", "is the offsets topic"},
		"no app ID":            {"app_id", "", "app_id is not set"},
		"a user name":          {"app_id", "gh_1", "not its app ID"},
		"time range":           {"time_range", "created", "time_range: \"created\" is not valid"},
		"start":                {"start_time", "yesterday", "start_time"},
		"status":               {"status", "-1", "status: \"-1\" is not valid"},
		"rate":                 {"rate_limit", "0", "rate_limit: \"0\" is not valid"},
		"auth":                 {"auth", "static", "access_token is not set"},
		"component":            {"auth", "component", "no ORDERWALK_COMPONENT_APP_ID"},
		"half a push":          {"push_token", "${env:HUSH_TOKEN}", "push_token and push_aes_key go together"},
		"AES key":              {"push_aes_key", "${env:HUSH_TOKEN}", "push_aes_key has 9 characters"},
		"unknown":              {"topics", "getPlugins", `"topics" is not a key of this connector; did you mean topic?`},
		"a reference":          {"openid", "${env:HUSH_TOKEN}", "openid holds a reference"},
		"a reference in part":  {"kafka.topic", "a-${env:HUSH_TOKEN}", "kafka.topic holds a reference"},
		"a file elsewhere":     {"app_secret", "${file:/etc/passwd}", "app_secret names a file that is not below a directory of ORDERWALK_REST_SECRET_DIRS"},
		"a path elsewhere":     {"access_token_file", "/etc/passwd", "access_token_file names a file that is not below"},
		"a cloud token":        {"cloud_token_file", "/etc/passwd", "cloud_token_file names a file that is not below"},
		"both":                 {"app_secret_file", dir + "/app", "app_secret and app_secret_file are both set"},
		"of another provider":  {"app_secret", "${vault:hush}", "app_secret is a reference of an unknown form"},
		"no provider":          {"app_secret", "${hush}", "app_secret is a reference of an unknown form"},
		"by value":             {"app_secret", "hush", "app_secret holds a secret by value"},
		"by value, in part":    {"app_secret", "hush${env:HUSH_TOKEN}", "app_secret holds a secret by value"},
		"two references":       {"app_secret", "${env:HUSH_TOKEN}${env:HUSH_TOKEN}", "app_secret holds a secret by value"},
		"a value beyond limit": {"openid", strings.Repeat("o", 9<<10), "openid has more than 8192 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HUSH_TOKEN", "hush-word")
			sent := sentShop(dir, test.key, test.value)
			if test.value == "" {
				delete(sent, test.key)
			}
			_, infos := c.Check(sent, nil)
			at, all := errorsAt(t, infos)
			if !strings.Contains(all, test.want) {
				t.Errorf("faults: %v", at)
			}
			keys := []string{test.key}
			if elsewhere[name] != nil {
				keys = elsewhere[name]
			}
			if got := slices.Sorted(maps.Keys(at)); !slices.Equal(got, keys) {
				t.Errorf("faults are at %v, want %v", got, keys)
			}
			onThisWorker := strings.Contains(test.want, "_secret names a file") || strings.Contains(test.want, "_token_file names a file that is not below") && test.key != "cloud_token_file"
			if _, err := c.Stored(sent); (err == nil) != onThisWorker {
				t.Errorf("stored: %v", err)
			}
			shown, err := json.Marshal(infos)
			if err != nil || strings.Contains(string(shown), "hush-word") {
				t.Errorf("shown: %s, %v", shown, err)
			}

			// Beside it, all others are told.
			sent["rate_limit"], sent["tasks.max"], sent["status"] = "many", "-1", "x"
			_, infos = c.Check(sent, nil)
			at, _ = errorsAt(t, infos)
			for _, key := range []string{"rate_limit", "tasks.max", "status"} {
				if at[key] == "" {
					t.Errorf("with more faults, %s has none: %v", key, at)
				}
			}
		})
	}
}

// The answers whose form tools rely on. With -update they are written.
func TestConfigInfosGolden(t *testing.T) {
	c, dir := connectors(t)
	for name, sent := range map[string]map[string]string{
		"akhq":   {"connector.class": config.ConnectorClass, "topics": "getPlugins"},
		"valid":  sentShop(dir),
		"faults": sentShop(dir, "tasks.max", "none", "app_secret", "hush", "rate_limit", "0", "appsecret", "hush", "time_range", "s3cr3t-hush"),
	} {
		_, infos := c.Check(sent, nil)
		golden(t, name, infos, dir)
	}
	golden(t, "keys", c.Keys(), dir)
}

func golden(t *testing.T, name string, value any, dir string) {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(data), dir, "$DIR") + "\n"
	if strings.Contains(got, "hush") {
		t.Errorf("%s: a secret is shown:\n%s", name, got)
	}
	path := filepath.Join("testdata", "connector", name+".json")
	if *update {
		put(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s: got\n%s%v", name, got, err)
	}
}

// Every field of the shops file is a key with a description, and no key is two.
func TestEveryFieldIsAKey(t *testing.T) {
	c, _ := connectors(t)
	var names []string
	for _, key := range c.Keys() {
		names = append(names, key.Name)
		if key.Group == nil || key.Documentation == "" || key.DisplayName == "" || key.Order < 1 || key.Order != key.OrderInGroup || key.Dependents == nil {
			t.Errorf("%s is not described: %+v", key.Name, key)
		}
	}
	slices.Sort(names)
	want := append([]string{"connector.class", "tasks.max", "kafka.topic"}, config.ShopFields...)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("keys   %v\nfields %v", names, want)
	}
}

// A shop of the shops file or the variables is shown as a configuration that makes the
// same shop, without a secret.
func TestConfiguredShopsAsConnectors(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"s", "a", "r"} {
		put(t, filepath.Join(dir, name), "hush"+name)
	}
	list := `shops:
- {app_id: wx1, app_secret_file: ` + dir + `/s, start_time: 2026-11-01, end_time: 1900000000, status: 20, openid: o, rate_limit: 0.25}
- {app_id: wx2, name: two, access_token_file: ` + dir + `/a, topic: other}
- {app_id: wx3, auth: cloud_file, time_range: update_time}
- {app_id: wx4, authorizer_refresh_token_file: ` + dir + `/r}
- {app_id: wx5, app_secret: hush-inline}
- {app_id: wx6, push_token: hush-push, push_aes_key: ` + strings.Repeat("h", 43) + `}
`
	setenv(t, append(platform(t), "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_APP_SECRET=hush-variable",
		"ORDERWALK_SHOPS_FILE="+writeFile(t, "shops", list), "ORDERWALK_REST_SECRET_DIRS="+dir)...)
	c := mustLoad(t, nil)
	for i, want := range []map[string]string{
		{"app_secret": "${file:" + dir + "/s}"},
		{"access_token": "${file:" + dir + "/a}"},
		{},
		{"authorizer_refresh_token": "${file:" + dir + "/r}"},
		{"app_secret": "[hidden]"},
		{"app_secret": "${env:ORDERWALK_APP_SECRET}", "push_token": "[hidden]", "push_aes_key": "[hidden]"},
	} {
		got := config.ConnectorConfig(c.Shops[i])
		for _, key := range []string{"app_secret", "access_token", "authorizer_refresh_token", "push_token", "push_aes_key"} {
			if got[key] != want[key] {
				t.Errorf("shop %d: %s is %q, want %q", i, key, got[key], want[key])
			}
		}
		if text := strings.Join(slices.Collect(maps.Values(got)), " "); strings.Contains(text, "hush") || strings.Contains(text, "hhhh") {
			t.Errorf("a secret is shown: %v", got)
		}
		if i >= 4 && want["app_secret"] == "[hidden]" || want["push_token"] != "" {
			continue // what is hidden cannot be sent
		}
		s, infos := c.Connectors.Check(got, nil)
		if again := config.ConnectorConfig(s); infos.Err() != nil || !maps.Equal(again, got) {
			t.Errorf("%v makes %v, %v", got, again, infos.Err())
		}
	}
}

// What a shop needs of the worker is a fault of its configuration where the worker lacks
// it.
func TestConnectorFitsTheWorker(t *testing.T) {
	component := []string{"ORDERWALK_COMPONENT_APP_ID=wxp", "ORDERWALK_COMPONENT_APP_SECRET=ps"}
	for name, test := range map[string]struct {
		env             []string
		key, value      string
		faultAt, reason string
	}{
		"no platform":        {nil, "auth", "component", "auth", "no ORDERWALK_COMPONENT_APP_ID"},
		"no keys":            {component, "auth", "component", "auth", "no ORDERWALK_STATE_KEY_FILE"},
		"a platform":         {platform(t), "auth", "component", "", ""},
		"the platform's ID":  {component, "app_id", "wxp", "app_id", "third-party platform"},
		"a relay elsewhere":  {[]string{"ORDERWALK_API_URL=https://api.example.com"}, "auth", "cloud_open", "auth", "ORDERWALK_API_URL"},
		"the vendor's relay": {nil, "auth", "cloud_open", "", ""},
		"the offsets topic":  {[]string{"ORDERWALK_OFFSETS_TOPIC=mine"}, "kafka.topic", "mine", "kafka.topic", "is the offsets topic"},
		"as topic":           {[]string{"ORDERWALK_OFFSETS_TOPIC=orders"}, "topic", "orders", "topic", "is the offsets topic"},
	} {
		t.Run(name, func(t *testing.T) {
			c, dir := connectors(t, test.env...)
			_, infos := c.Check(sentShop(dir, test.key, test.value), nil)
			at, _ := errorsAt(t, infos)
			if test.reason == "" && len(at) == 0 {
				return
			}
			if len(at) != 1 || test.reason == "" || !strings.Contains(at[test.faultAt], test.reason) {
				t.Errorf("faults: %v", at)
			}
		})
	}
}

// The same value has the same fault in the shops file and in a configuration sent over
// HTTP, but for the place.
func TestConnectorFaultsAreThoseOfTheShopsFile(t *testing.T) {
	for _, pair := range [][2]string{
		{"app_id", "gh_1"}, {"app_id", "0123456789abcdef"}, {"auth", "none"}, {"topic", "a b"}, {"time_range", "created"}, {"start_time", "1793462400000"},
		{"end_time", "soon"}, {"status", "0"}, {"rate_limit", "1e9"}, {"auth", "static"}, {"rate_limit", "s3cr3t-T0ken_Z9"},
	} {
		c, dir := connectors(t)
		sent := sentShop(dir, pair[0], pair[1])
		if pair[0] == "topic" {
			delete(sent, "kafka.topic")
		}
		_, infos := c.Check(sent, nil)
		_, here := errorsAt(t, infos)

		fields := map[string]string{"app_id": "wx1", "app_secret_file": dir + "/app"}
		fields[pair[0]] = pair[1]
		list, err := json.Marshal(map[string]any{"shops": []any{fields}})
		if err != nil {
			t.Fatal(err)
		}
		setenv(t, "ORDERWALK_KAFKA_BROKERS=b:1", "ORDERWALK_SHOPS_FILE="+writeFile(t, "shops.json", string(list)))
		_, err = config.Load(nil)
		if err == nil {
			t.Fatalf("%v is accepted in the shops file", pair)
		}
		_, there, _ := strings.Cut(err.Error(), "\n  ")
		there = strings.NewReplacer("shops[0].", "", " (line 1, "+fields["app_id"]+")", "", " (line 1)", "").Replace(there)
		if here != there+"\n" {
			t.Errorf("%v: sent:\n%sin the shops file:\n%s", pair, here, there)
		}
	}
}
