package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// What references may name, and what they must not reach. Every file and variable holds
// the word hush, which no answer has.
func TestReferences(t *testing.T) {
	outside := t.TempDir()
	put(t, filepath.Join(outside, "secret"), "hush-outside")
	own := writeFile(t, "rest-token", "hush-token")
	aws := filepath.Join(outside, "aws")
	put(t, aws, "hush-aws")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws)
	c, dir := connectors(t, "ORDERWALK_REST_TOKEN_FILE="+own, "ORDERWALK_KAFKA_SASL_MECHANISM=PLAIN", "ORDERWALK_KAFKA_SASL_USERNAME=u",
		"ORDERWALK_KAFKA_SASL_PASSWORD=hush-kafka", "ORDERWALK_COMPONENT_APP_ID=wxp", "ORDERWALK_COMPONENT_APP_SECRET=hush-component")
	for name, value := range map[string]string{"HUSH_SHOP": " hush-env\n", "HUSH_EMPTY": "", "HUSH_TWO": "hush hush", "AWS_SECRET_ACCESS_KEY": "hush-aws",
		"https_proxy": "http://u:hush@proxy", "ORDERWALK_PUSH_TOKEN": "hush-push", "ORDERWALK_APP_SECRET": "hush-variable"} {
		t.Setenv(name, value)
	}
	put(t, filepath.Join(dir, "shop.properties"), "# hush\nsecret = hush-property\nother: hush-other\nempty=\nlong=hush-\\\n   continued\n")
	put(t, filepath.Join(dir, "empty"), "\n")
	put(t, filepath.Join(dir, "two"), "hush\nhush\n")
	put(t, filepath.Join(dir, "large"), strings.Repeat("hush", 100_000))
	mkdir := func(name string) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mkdir("..data-1")
	mkdir("folder")
	put(t, filepath.Join(dir, "..data-1", "mounted"), "hush-mounted")
	for link, to := range map[string]string{
		"..data": "..data-1", "mounted": "..data/mounted", "absolute": filepath.Join(dir, "app"), "out": filepath.Join(outside, "secret"),
		"up": "../../../../../etc/passwd", "dangling": "none", "loop": "loop", "outfolder": outside, "own": own,
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"hardlink": own, "aws": aws} {
		if err := os.Link(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}

	const elsewhere = "names a file that is not below a directory of ORDERWALK_REST_SECRET_DIRS"
	for reference, want := range map[string]string{
		"${file:D/app}":                    "=hush-app",
		" ${file:D/app} ":                  "=hush-app",
		"${file:D/mounted}":                "=hush-mounted",
		"${file:D/absolute}":               "=hush-app",
		"${file:D/shop.properties:secret}": "=hush-property",
		"${file:D/shop.properties:other}":  "=hush-other",
		"${file:D/shop.properties:long}":   "=hush-continued",
		"${env:HUSH_SHOP}":                 "=hush-env",
		"${env:ORDERWALK_APP_SECRET}":      "=hush-variable",

		"${file:D/shop.properties:none}":  "names a property that its file does not have",
		"${file:D/shop.properties:empty}": "names a property that is empty",
		"${file:D/shop.properties}":       "names a file that has a space in it",
		"${file:D/empty}":                 "names a file that is empty",
		"${file:D/two}":                   "names a file that has more than one line",
		"${file:D/large}":                 "names a file that has more than 256 KiB",
		"${file:D/none}":                  "names a file that cannot be read: no such file or directory",
		"${file:D/dangling}":              "names a file that cannot be read: no such file or directory",
		"${file:D/loop}":                  "names a file that cannot be read: ",
		"${file:D/folder}":                "names something else than a file",
		"${file:D}":                       elsewhere,
		"${file:D/}":                      elsewhere,
		"${file:D/out}":                   elsewhere,
		"${file:D/outfolder/secret}":      elsewhere,
		"${file:D/up}":                    elsewhere,
		"${file:D/own}":                   elsewhere,
		"${file:D/aws}":                   "names a file of the worker's own settings",
		"${file:D/hardlink}":              "names a file of the worker's own settings",
		"${file:D/../" + filepath.Base(outside) + "/secret}": elsewhere,
		"${file:D/folder/../app}":                            elsewhere,
		"${file:D//app}":                                     elsewhere,
		"${file:app}":                                        elsewhere,
		"${file:/etc/passwd}":                                elsewhere,
		"${file:/no/such/file}":                              elsewhere,
		"${file:" + own + "}":                                elsewhere,
		"${file:/proc/self/environ}":                         elsewhere,

		"${env:HUSH_NONE}":                      "names a variable that is not set",
		"${env:HUSH_EMPTY}":                     "names a variable that is not set",
		"${env:HUSH_TWO}":                       "names a variable that has a space in it",
		"${env:ORDERWALK_KAFKA_SASL_PASSWORD}":  "names a variable of the worker's own settings",
		"${env:orderwalk_kafka_sasl_password}":  "names a variable of the worker's own settings",
		"${env:ORDERWALK_REST_TOKEN_FILE}":      "names a variable of the worker's own settings",
		"${env:ORDERWALK_COMPONENT_APP_SECRET}": "names a variable of the worker's own settings",
		"${env:ORDERWALK_PUSH_TOKEN}":           "names a variable of the worker's own settings", // of another field
		"${env:AWS_SECRET_ACCESS_KEY}":          "names a variable of the worker's own connections",
		"${env:https_proxy}":                    "names a variable of the worker's own connections",
		"${env:HUSH_SHOP:x}":                    "is a reference of an unknown form",
		"${env:}":                               "is a reference of an unknown form",
		"${file:}":                              "is a reference of an unknown form",
		"${file:D/app:}":                        "is a reference of an unknown form",
		"${directory:D:app}":                    "is a reference of an unknown form",
		"${env:HUSH_SHOP}${env:HUSH_SHOP}":      "holds a secret by value",
		"hush${env:HUSH_SHOP}":                  "holds a secret by value",
		"${env:HUSH_SHOP":                       "holds a secret by value",
		"${file:${env:HUSH_SHOP}}":              "holds a secret by value",
	} {
		sent := sentShop(dir, "app_secret", strings.ReplaceAll(reference, "D", dir))
		if strings.Contains(reference, "env:") || strings.Contains(reference, "/proc") {
			sent["app_secret"] = reference
		}
		s, infos := c.Check(sent, nil)
		at, all := errorsAt(t, infos)
		if secret, ok := strings.CutPrefix(want, "="); ok {
			if infos.Err() != nil || read(t, s.AppSecret) != secret {
				t.Errorf("%s: %v", reference, infos.Err())
			}
			continue
		}
		if len(at) != 1 || !strings.HasPrefix(at["app_secret"], "app_secret "+want) {
			t.Errorf("%s: %v", reference, at)
		}
		if strings.Contains(all, "hush") {
			t.Errorf("%s: a secret is shown: %s", reference, all)
		}
		// Another worker may have accepted it: the same error comes when it is used.
		if strings.HasPrefix(want, "names") {
			stored, err := c.Stored(sent)
			if err != nil {
				t.Errorf("%s: stored: %v", reference, err)
				continue
			}
			if text, err := stored.AppSecret(); err == nil || text != "" || !strings.HasPrefix(err.Error(), "read secret: app_secret "+want) {
				t.Errorf("%s: used: %q, %v", reference, text, err)
			}
		}
	}
}

// What is allowed is looked at each time a secret is read: a file that becomes a link out
// of the directory is refused, and a new secret is taken up.
func TestReferencesAreCheckedAtEachUse(t *testing.T) {
	c, dir := connectors(t)
	outside := writeFile(t, "secret", "hush-outside")
	s, infos := c.Check(sentShop(dir), nil)
	if infos.Err() != nil {
		t.Fatal(infos.Err())
	}
	path := filepath.Join(dir, "app")
	put(t, path, "hush-new")
	if got := read(t, s.AppSecret); got != "hush-new" {
		t.Errorf("secret = %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, path); err != nil {
		t.Fatal(err)
	}
	if text, err := s.AppSecret(); text != "" || err == nil {
		t.Errorf("read %q, %v", text, err)
	}
}

// Without directories no file may be named, and the worker's own cloud token file may be.
func TestNoSecretDirs(t *testing.T) {
	c, dir := connectors(t, "ORDERWALK_REST_SECRET_DIRS=")
	_, infos := c.Check(sentShop(dir, "cloud_token_file", dir+"/app"), nil)
	if at, _ := errorsAt(t, infos); !strings.Contains(at["app_secret"], "ORDERWALK_REST_SECRET_DIRS lists no directory") ||
		!strings.Contains(at["cloud_token_file"], "ORDERWALK_REST_SECRET_DIRS lists no directory") {
		t.Errorf("faults: %v", at)
	}
	sent := sentShop(dir, "auth", "cloud_file", "cloud_token_file", cloudFile)
	delete(sent, "app_secret")
	s, infos := c.Check(sent, nil)
	if _, err := s.CloudToken(); infos.Err() != nil || !os.IsNotExist(unwrapped(err)) {
		t.Errorf("%v, %v", infos.Err(), err)
	}
}

// unwrapped is the last error of a chain.
func unwrapped(err error) error {
	for {
		next, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = next.Unwrap()
	}
}

// A cloud token's file below the directories need not exist yet.
func TestSentCloudTokenFile(t *testing.T) {
	c, dir := connectors(t)
	sent := sentShop(dir, "cloud_token_file", dir+"/cloud")
	delete(sent, "app_secret")
	s, infos := c.Check(sent, nil)
	if infos.Err() != nil || s.Auth != "cloud_file" {
		t.Fatalf("%+v, %v", s, infos.Err())
	}
	if _, err := s.CloudToken(); err == nil || !strings.Contains(err.Error(), "cloud_token_file names a file that cannot be read") {
		t.Errorf("before it is there: %v", err)
	}
	put(t, dir+"/cloud", "hush-cloud")
	if got := read(t, s.CloudToken); got != "hush-cloud" {
		t.Errorf("token = %q", got)
	}
}

// A configuration that was sent inherits from the variables what a shop of the file does,
// except for the app ID and the name.
func TestSentShopsInheritTheVariables(t *testing.T) {
	setenv(t, append(minimal, "ORDERWALK_TOPIC=mine", "ORDERWALK_TIME_RANGE=update_time")...)
	c := mustLoad(t, nil)
	s, infos := c.Connectors.Check(map[string]string{"connector.class": config.ConnectorClass, "name": "n", "app_id": "wx2"}, c.Shops)
	if infos.Err() != nil || s.Topic != "mine" || s.TimeRange != "update_time" || read(t, s.AppSecret) != "s3cret" {
		t.Errorf("%+v, %v", s, infos.Err())
	}
	if got := config.ConnectorConfig(s)["app_secret"]; got != "${env:ORDERWALK_APP_SECRET}" {
		t.Errorf("secret is shown as %q", got)
	}
	_, infos = c.Connectors.Check(map[string]string{"connector.class": config.ConnectorClass}, nil)
	if at, _ := errorsAt(t, infos); at["name"] == "" || at["app_id"] == "" {
		t.Errorf("faults: %v", at)
	}
}
