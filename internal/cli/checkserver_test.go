package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderwalk/simulator"
)

// check asks the token server of a shop, and says what to do if that fails.
func TestCheckOfATokenServer(t *testing.T) {
	const calls = "list call of wxsimulated0000001"
	good := func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"data":{"token":%q,"left":7200}}`, token) }
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, token string)
		code   int
		want   []string
	}{
		"well":    {answer: good, want: []string{"ok      token of wxsimulated0000001  from $HOST\n", "ok      " + calls + "\n", "left today\n"}},
		"refused": {answer: func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusUnauthorized) }, code: 1, want: []string{"failed  token of wxsimulated0000001  get access token from $HOST: HTTP 401 the server refuses the credentials\n", "→ check the user name and the secret of the access token URL"}},
		"a page":  {answer: func(w http.ResponseWriter, _ string) { fmt.Fprint(w, "<html>hush-hush") }, code: 1, want: []string{"the answer is not JSON (15 bytes)\n", "→ check the access token URL: it must answer with JSON"}},
		"another": {answer: func(w http.ResponseWriter, token string) { fmt.Fprintf(w, `{"token":%q}`, token) }, code: 1, want: []string{"the answer has no /data/token\n", "→ check the JSON pointer to the token"}},
		"empty":   {answer: func(w http.ResponseWriter, _ string) { good(w, "") }, code: 1, want: []string{"the token at /data/token is empty\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkWorld(t)
			sim := simulator.New(simulator.Config{Seed: 1, Shops: []simulator.Shop{{AppID: "wxsimulated0000001", Secret: "unused", Token: "hush-hush-token-of-the-shop"}}})
			api := httptest.NewServer(sim)
			t.Cleanup(api.Close)
			lender := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, password, _ := r.BasicAuth(); r.URL.Path != "/of/wxsimulated0000001" || user != "orders" || password != "hush-hush-secret" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				c.answer(w, "hush-hush-token-of-the-shop")
			}))
			t.Cleanup(lender.Close)
			for name, value := range map[string]string{"API_URL": api.URL, "APP_SECRET": "", "ACCESS_TOKEN_URL": lender.URL + "/of/{app_id}?key=hush-hush-key",
				"ACCESS_TOKEN_URL_USERNAME": "orders", "ACCESS_TOKEN_URL_SECRET": "hush-hush-secret",
				"ACCESS_TOKEN_POINTER": "/data/token", "ACCESS_TOKEN_EXPIRY_POINTER": "/data/left"} {
				t.Setenv("ORDERWALK_"+name, value)
			}
			code, _, stdout := check(t)
			if code != c.code {
				t.Errorf("check = %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, strings.ReplaceAll(want, "$HOST", strings.TrimPrefix(lender.URL, "http://"))) {
					t.Errorf("nothing of %q in\n%s", want, stdout)
				}
			}
		})
	}
}
