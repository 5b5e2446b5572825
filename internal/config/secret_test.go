package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
)

// What editors, shells and PowerShell make of a secret's file: a byte order mark
// and line ends are taken off, everything else is refused with the reason, at the
// start and while the program runs, and never quoted.
func TestSecretFiles(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	utf16 := func(text, mark string, little bool) string {
		out := mark
		for _, c := range []byte(text) {
			if little {
				out += string([]byte{c, 0})
			} else {
				out += string([]byte{0, c})
			}
		}
		return out
	}
	for name, c := range map[string]struct{ raw, why string }{
		"plain":                    {secret, ""},
		"line end":                 {secret + "\r\n", ""},
		"byte order mark":          {"\ufeff" + secret + "\r\n", ""},
		"UTF-16, little":           {utf16(secret, "\xff\xfe", true), "UTF-16"},
		"UTF-16, big":              {utf16(secret, "\xfe\xff", false), "UTF-16"},
		"UTF-16 without a mark":    {utf16(secret, "", true), "UTF-16"},
		"double quotes":            {`"` + secret + `"`, "quotes"},
		"single quotes":            {`'` + secret + `'`, "quotes"},
		"typographic quotes":       {"“" + secret + "”", "not printable ASCII"},
		"two lines":                {secret + "\nsecond", "more than one line"},
		"a space":                  {secret[:8] + " " + secret[8:], "space"},
		"a no-break space":         {secret + "\u00a0" + secret, "not printable ASCII"},
		"a mark in the middle":     {secret + "\ufeff" + secret, "not printable ASCII"},
		"Latin-1":                  {secret + "\xe9", "not printable ASCII"},
		"nothing":                  {"\ufeff \r\n", "is empty"},
		"a control character":      {secret + "\x1b[0m", "not printable ASCII"},
		"a mark of a mark":         {"\ufeff\ufeff" + secret, "not printable ASCII"},
		"far more than any secret": {strings.Repeat(secret, 10_000), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			check := func(err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), file) {
					t.Errorf("error %v, want %q and the file", err, c.why)
				}
				if err != nil && strings.Contains(err.Error(), secret[:8]) {
					t.Errorf("the secret is shown: %v", err)
				}
			}
			setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET_FILE="+file)
			write(c.raw)
			cfg, err := config.Load(nil)
			if c.why == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got, err := cfg.Shops[0].AppSecret(); got != secret || err != nil {
					t.Errorf("secret %q, %v", got, err)
				}
				return
			}
			check(err)

			// The same when the file changes later.
			write(secret)
			if cfg, err = config.Load(nil); err != nil {
				t.Fatal(err)
			}
			write(c.raw)
			text, err := cfg.Shops[0].AppSecret()
			if text != "" {
				t.Errorf("the secret is %q", text)
			}
			check(err)
		})
	}
}

// A Kafka password may have spaces, quotes in its file and letters of any script.
func TestKafkaPasswords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	setenv(t, "ORDERWALK_KAFKA_BROKERS=b:9092", "ORDERWALK_APP_ID=wx1", "ORDERWALK_APP_SECRET=s", "ORDERWALK_KAFKA_SASL_MECHANISM=PLAIN",
		"ORDERWALK_KAFKA_SASL_USERNAME=u", "ORDERWALK_KAFKA_SASL_PASSWORD_FILE="+file)
	for raw, want := range map[string]string{
		"\ufeffcorrect horse\n": "correct horse", `"quoted"`: `"quoted"`, "密码 8": "密码 8",
		"two\nlines": "", "latin\xe9": "", "p\x00": "",
	} {
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(nil)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken", raw)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", raw, err)
		} else if got, err := cfg.Kafka.SASL.Password(); got != want || err != nil {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}
