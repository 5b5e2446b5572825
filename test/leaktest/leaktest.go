// Package leaktest searches the program's output for secrets: log lines, errors,
// metrics, pages, answers, records. Each test fixture has a [Search] that learns the
// secrets in use, those sent over the wire too, and searches all output at the end.
//
// It is for tests only. It does not find secrets that it has not learned, nor those
// changed beyond the forms below.
package leaktest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	// shortest is the minimum length of a secret; shorter ones would match everywhere.
	shortest = 8
	// longest is the part of a form that is searched for: a truncated secret is a leak
	// too.
	longest = 16
)

// Search is a set of secrets to search for. The zero value is empty. Safe for
// concurrent use.
type Search struct {
	mu    sync.Mutex
	known map[string]bool
	forms map[uint64][]form // by their first eight bytes
}

type form struct{ kind, text string }

// Hide adds secrets of a kind, such as "an app secret".
func (s *Search) Hide(kind string, secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		if secret == "" || s.known[secret] {
			continue
		}
		if len(secret) < shortest {
			panic(fmt.Sprintf("%s of %d bytes is too short to be looked for: use one of %d or more", kind, len(secret), shortest))
		}
		if s.known == nil {
			s.known, s.forms = map[string]bool{}, map[uint64][]form{}
		}
		s.known[secret] = true
		seen := map[string]bool{}
		for _, text := range spellings(secret) {
			text = text[:min(len(text), longest)]
			if !seen[text] {
				seen[text] = true
				beginning := binary.BigEndian.Uint64([]byte(text))
				s.forms[beginning] = append(s.forms[beginning], form{kind, text})
			}
		}
	}
}

// Known returns the number of secrets.
func (s *Search) Known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}

// spellings returns the forms in which a secret may be written.
func spellings(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))), strings.Trim(strconv.Quote(secret), `"`)}
	for _, escapeHTML := range []bool{true, false} {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(escapeHTML)
		_ = encoder.Encode(secret) // cannot fail for a string
		all = append(all, strings.Trim(strings.TrimSpace(b.String()), `"`))
	}
	// Base64 depends on the number of preceding bytes, such as a user name; the first
	// and last characters depend on the neighbouring bytes as well.
	for before, skip := range []int{0, 2, 3} {
		bytes := append(make([]byte, before), secret...)
		whole := len(bytes) * 8 / 6
		all = append(all, base64.RawStdEncoding.EncodeToString(bytes)[skip:whole], base64.RawURLEncoding.EncodeToString(bytes)[skip:whole])
	}
	return all
}

// Find returns the first secret in a text with its context; "" if there is none. It
// searches for all in one pass, because a long trial has thousands of tokens and
// hundreds of megabytes of text.
func (s *Search) Find(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.forms) == 0 {
		return ""
	}
	var last uint64 // eight bytes, up to the i-th
	for i := range len(text) {
		last = last<<8 | uint64(text[i])
		for _, f := range s.forms[last] {
			if start := i - 7; start >= 0 && strings.HasPrefix(text[start:], f.text) {
				return fmt.Sprintf("%s: …%s█", f.kind, text[max(0, start-120):start])
			}
		}
	}
	return ""
}

// Check fails the test if a text contains a secret; where names the text.
func (s *Search) Check(t testing.TB, where, text string) {
	t.Helper()
	if found := s.Find(text); found != "" {
		t.Errorf("%s shows %s", where, found)
	}
}
