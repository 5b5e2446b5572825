package config

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzConnector puts a secret into the values of any configuration, and others into the
// files and variables it may refer to. No answer shows one of them, the configuration is
// accepted if and only if its validation has no errors, and it is not changed.
func FuzzConnector(f *testing.F) {
	const secret, kept = "Q7s3cr3tVALUE9z", "Z8k3ptS3CRET7x"
	dir := f.TempDir()
	for name, text := range map[string]string{"app": kept, "key": strings.Repeat(kept, 4)[:43], "p": "a=" + kept + "\n\\u0062=" + kept + "\\"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Setenv("ORDERWALK_APP_SECRET", kept)
	f.Setenv("ORDERWALK_KAFKA_SASL_PASSWORD", kept)
	f.Setenv("FUZZ_SECRET", kept)
	c := &Connectors{files: secretFiles{dirs: []string{dir}, own: []string{filepath.Join(dir, "p")}}, apiURL: "https://api.weixin.qq.com", offsetsTopic: "orderwalk.offsets",
		base: Shop{Auth: authStableToken, Topic: "orders", TimeRange: "create_time", RateLimit: 50}}
	const head = "name=east\nconnector.class=WeChatOrderSource\napp_id=wx1\n"
	for _, text := range []string{
		head + "app_secret=${file:D/app}\n",
		head + "app_secret=${file:D/p:a}\npush_token=${file:D/p:b}\npush_aes_key=${file:D/key}\n",
		head + "app_secret=${env:ORDERWALK_APP_SECRET}\nkafka.topic=${env:FUZZ_SECRET}\nopenid=${file:D/app}\n",
		head + "access_token=${env:FUZZ_SECRET}\nauth=static\ntime_range=update_time\nstart_time=2026-01-01\n",
		head + "access_token=${env:ORDERWALK_KAFKA_SASL_PASSWORD}\npush_token=${file:D/../x}\n",
		head + "app_secret=@\naccess_token=${@\nauthorizer_refresh_token=@}\npush_token=${@:x}\npush_aes_key=${env:@ }\n",
		"name=@\x01\nconnector.class=@\ntasks.max=@\nkafka.topic=@ @\ntopic=@\napp_id=@\ntime_range=@\nstart_time=@\nend_time=@\nstatus=@\nrate_limit=@\nauth=@\n",
		head + "app_secret_file=@\naccess_token_file=D/app\ncloud_token_file=/@\nauthorizer_refresh_token_file=D/@\n",
		head + "appsecret=@\napp-secret=@\nAPP_SECRET=@\nsecret=${env:FUZZ_SECRET}\ntopics=@\n",
		"app_id=gh_@\nauth=component\n", "app_id=wxl\nauth=cloud_open\nname=listed\n", "tasks.max=99999999999\nrate_limit=NaN\nstatus=0\n", "",
	} {
		f.Add(text)
	}
	others := []Shop{{Name: "listed", AppID: "wxl", Auth: authStableToken, TimeRange: "create_time", RateLimit: 50}}
	f.Fuzz(func(t *testing.T, text string) {
		sent := map[string]string{}
		for line := range strings.SplitSeq(text, "\n") {
			if key, value, ok := strings.Cut(line, "="); ok {
				sent[key] = strings.ReplaceAll(strings.ReplaceAll(value, "D", dir), "@", secret)
			}
		}
		before := maps.Clone(sent)
		s, infos := c.Check(sent, others)
		if !maps.Equal(sent, before) {
			t.Fatalf("%q became %q", before, sent)
		}
		err := infos.Err()
		if (err == nil) != (infos.ErrorCount == 0) {
			t.Fatalf("%d errors: %v", infos.ErrorCount, err)
		}
		stored, unfit := c.Stored(sent)
		answers := []string{}
		if err == nil {
			if unfit != nil {
				t.Fatalf("accepted, and later: %v", unfit)
			}
			if !maps.Equal(ConnectorConfig(s), ConnectorConfig(stored)) {
				t.Fatalf("accepted as %v, and later %v", s, stored)
			}
			if _, again := c.Check(ConnectorConfig(s), others); again.Err() != nil {
				t.Fatalf("%q is accepted, and %q is not: %v", sent, ConnectorConfig(s), again.Err())
			}
			if s.Name == "" || s.AppID == "" || s.Topic == "" || s.Topic == c.offsetsTopic || s.RateLimit <= 0 {
				t.Fatalf("accepted as %+v", s)
			}
		} else {
			answers = append(answers, err.Error())
		}
		if unfit != nil {
			answers = append(answers, unfit.Error())
		}
		// What begins with wx is an app ID, which is quoted, and a key is named as it is.
		shown := strings.ReplaceAll(strings.Join(answers, "\n"), "wx"+secret, "")
		for key := range sent {
			if strings.Contains(key, secret[:4]) || strings.Contains(secret, key) {
				return
			}
		}
		for _, part := range parts(secret, shortestSecret) {
			if strings.Contains(shown, part) {
				t.Fatalf("%q shows %q:\n%s", sent, part, shown)
			}
		}
		for _, info := range infos.Configs {
			key, value := info.Value.Name, info.Value.Value
			if value == nil {
				continue
			}
			_, noReference := parseReference(strings.TrimSpace(sent[key]))
			if (!isKey(key) || slices.Contains(secretFields, key) && noReference != nil) && strings.Contains(*value, secret) {
				t.Fatalf("%q shows %s", sent, key)
			}
		}
		all, jsonErr := json.Marshal(infos)
		if jsonErr != nil || strings.Contains(string(all)+shown, kept) || strings.Contains(string(all), "null,\"errors\":null") {
			t.Fatalf("%q is answered by %s, %v", sent, all, jsonErr)
		}
	})
}

// FuzzProperty: any text can be read, and a key and a value that are escaped are found.
func FuzzProperty(f *testing.F) {
	f.Add("a=b\\\n  c\n!x\n\\u12:y\\", "a", "v")
	f.Add("", "key with = and :", "\\ #!\u00e9")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		property(text, key)
		if strings.ContainsAny(key+value, "\r\n") || key == "" {
			return
		}
		escape := func(s string) string {
			return strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, " ", `\ `, "\t", `\t`, "\f", `\f`, "#", `\#`, "!", `\!`).Replace(s)
		}
		got, found := property("# first\nother=1\n"+escape(key)+" = "+escape(value)+"\n", key)
		if !found || got != strings.TrimSpace(value) {
			t.Fatalf("%q = %q is read as %q, %v", key, value, got, found)
		}
	})
}
