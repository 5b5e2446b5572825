package leaktest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// fields are the names of secrets in the vendor's queries, bodies and answers.
var fields = map[string]string{
	"secret":                   "an app secret",
	"appsecret":                "an app secret",
	"component_secret":         "a platform's app secret",
	"component_appsecret":      "a platform's app secret",
	"access_token":             "an access token",
	"cloudbase_access_token":   "a hosting's access token",
	"component_access_token":   "a platform's access token",
	"authorizer_access_token":  "a shop's access token for a platform",
	"authorizer_refresh_token": "a refresh token",
	"refresh_token":            "a refresh token",
	"component_verify_ticket":  "a verify ticket",
	"authorization_code":       "an authorization code",
}

// Watch returns a handler that learns the secrets in requests to next, the vendor, and
// in its answers.
func (s *Search) Watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			s.learn(name, values...)
		}
		if r.Body != nil && !strings.HasPrefix(r.URL.Path, "/channels/") { // the list call's body has none
			body, err := io.ReadAll(r.Body)
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(body), failing{err}), r.Body}
			s.read(body)
		}
		next.ServeHTTP(&listener{ResponseWriter: w, search: s}, r)
	})
}

// failing ends a body with the error of the original.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// listener reads an answer before the caller does. The vendor writes each answer at
// once.
type listener struct {
	http.ResponseWriter
	search *Search
}

func (l *listener) Write(p []byte) (int, error) {
	l.search.read(p)
	return l.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (l *listener) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (s *Search) learn(name string, values ...string) {
	kind, secret := fields[name]
	for _, value := range values {
		if secret && len(value) >= shortest {
			s.Hide(kind, value)
		}
	}
}

// read learns from JSON, also from a truncated answer.
func (s *Search) read(body []byte) {
	if !bytes.Contains(body, []byte(`token"`)) && !bytes.Contains(body, []byte(`secret"`)) &&
		!bytes.Contains(body, []byte(`ticket"`)) && !bytes.Contains(body, []byte(`code"`)) {
		return // most answers have no secrets
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	name := ""
	for {
		token, err := decoder.Token()
		if err != nil {
			return
		}
		text, ok := token.(string)
		if _, is := fields[name]; ok && is {
			s.learn(name, text)
			name = ""
			continue
		}
		name = text // a value that equals a field's name does no harm
	}
}
