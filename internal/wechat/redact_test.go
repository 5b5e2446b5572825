package wechat

import (
	"encoding/base64"
	"strings"
	"testing"
)

// If the API echoes part of a token, or encodes it, the error does not show it.
func TestPartsOfSecretsAreRedacted(t *testing.T) {
	const token = "89_ZkW3-yTq0vLrB7sHd_x5NcG2mPfA1uEoJ8iKtR6"
	var r redactor
	r.hide(token)
	for what, echo := range map[string]string{
		"whole": token, "its beginning": token[:12], "its end": token[len(token)-10:], "both": token[:9] + "..." + token[len(token)-9:],
		"in capitals": strings.ToUpper(token), "in base64": base64.StdEncoding.EncodeToString([]byte(token)),
	} {
		message, rid := r.message("invalid credential, access_token " + echo + " is invalid or not latest rid: 66a1b2c3-" + echo)
		for i := 0; i+8 <= len(echo); i++ {
			if shown := echo[i : i+8]; strings.Contains(message+rid, shown) && !strings.Contains(shown, "...") {
				t.Errorf("%s: %q, rid %q show %q", what, message, rid, shown)
				break
			}
		}
		if !strings.HasPrefix(message, "invalid credential, access_token [redacted]") || !strings.HasSuffix(message, " is invalid or not latest") {
			t.Errorf("%s: %q", what, message)
		}
	}
	if message, _ := r.message(strings.Repeat("long ", 10_000) + token); len(message) > 2*maxMessage {
		t.Errorf("a message of %d bytes", len(message))
	}
}
