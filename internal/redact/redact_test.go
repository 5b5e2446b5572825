package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"orderwalk/internal/redact"
)

func TestText(t *testing.T) {
	const secret = `91_Kq7/Zx+3"Vw&tY=8pLm2R`
	inJSON, _ := json.Marshal(secret)
	for what, echo := range map[string]string{
		"whole":               secret,
		"beginning":           secret[:9],
		"end":                 secret[len(secret)-9:],
		"middle":              secret[5:14],
		"upper case":          strings.ToUpper(secret),
		"query":               url.QueryEscape(secret),
		"query, small":        strings.ToLower(url.QueryEscape(secret)),
		"path":                url.PathEscape(secret),
		"JSON":                string(inJSON),
		"base64":              base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 for URLs":     base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 after 1 byte": base64.StdEncoding.EncodeToString([]byte("u" + secret + "!")),
		"base64 of a login":   base64.StdEncoding.EncodeToString([]byte("\x00user\x00" + secret)),
		"twice":               secret + secret,
	} {
		got := redact.Text("invalid credential "+echo+" rid: 1", "[redacted]", "other", secret)
		for i := 0; i+8 <= len(echo) && strings.Contains(got, "[redacted]"); i++ {
			if what != "base64 after 1 byte" && what != "base64 of a login" && strings.Contains(got, echo[i:i+8]) {
				t.Errorf("%s: %q shows %q", what, got, echo[i:i+8])
			}
		}
		if !strings.Contains(got, "[redacted]") || !strings.HasPrefix(got, "invalid credential ") || !strings.HasSuffix(got, " rid: 1") {
			t.Errorf("%s: %q", what, got)
		}
	}
	for text, want := range map[string]string{
		"":                         "",
		"nothing of it":            "nothing of it",
		"7 of it: " + secret[:7]:   "7 of it: " + secret[:7],
		"a short one: pw.":         "a short one: *.",
		"前" + secret + "后":         "前*后",
		"broken \xff" + secret[:8]: "broken \xff*",
	} {
		if got := redact.Text(text, "*", "pw", "", secret); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// No part of a secret remains, whatever surrounds it.
func FuzzText(f *testing.F) {
	f.Add("token ", "91_Kq7ZxVwtY8pLm2R", " is invalid", 3, 11)
	f.Add("", "%41%42", "", 0, 6)
	f.Fuzz(func(t *testing.T, before, secret, after string, from, to int) {
		if from < 0 || to > len(secret) || to-from < 8 {
			return
		}
		got := redact.Text(before+secret[from:to]+after, "\x00", secret)
		for i := from; i+8 <= to; i++ {
			if strings.Contains(got, secret[i:i+8]) && !strings.Contains(secret[i:i+8], "\x00") {
				t.Errorf("%q shows %q", got, secret[i:i+8])
			}
		}
	})
}
