// Package redact removes secrets from foreign texts: error messages of the API, of
// brokers and of token servers, which echo their input, in part or in another encoding.
// internal/wechat and internal/kafkaconn use it.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// part is how many consecutive characters of a secret count as a part of it. Fewer do not
// help to guess the rest, and would match common words.
const part = 8

// Text replaces every secret, and every part of one, by mark: plain or encoded for URLs,
// as JSON, base64 or hexadecimal, in upper or lower case. A secret shorter than a part is
// replaced only as a whole.
func Text(text, mark string, secrets ...string) string {
	hidden := make([]bool, len(text))
	folded := fold(text)
	grams := make(map[string]bool, len(folded))
	for i := 0; i+part <= len(folded); i++ {
		grams[folded[i:i+part]] = true
	}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			hide(hidden, folded, fold(form), grams)
		}
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if !hidden[i] {
			out.WriteByte(text[i])
		} else if i == 0 || !hidden[i-1] {
			out.WriteString(mark)
		}
	}
	return out.String()
}

// hide marks the bytes of text that belong to the word or to a part of it. grams holds
// all substrings of text with the length of a part.
func hide(hidden []bool, text, word string, grams map[string]bool) {
	length := min(part, len(word))
	if length == 0 {
		return
	}
	for i := range len(word) - length + 1 {
		piece := word[i : i+length]
		if length == part && !grams[piece] {
			continue
		}
		for at := 0; at+length <= len(text); at++ {
			next := strings.Index(text[at:], piece)
			if next < 0 {
				break
			}
			at += next
			for j := range length {
				hidden[at+j] = true
			}
		}
	}
}

// fold lowers ASCII letters only, so that byte positions stay the same.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// forms returns the encodings of a secret.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always encodes
	all := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`),
		hex.EncodeToString([]byte(secret)),
	}
	// In base64 of a longer text, a secret has one of three forms; its first and last
	// characters depend on their neighbours.
	for skip := range min(3, len(secret)) {
		inner := secret[skip:]
		inner = inner[:len(inner)/3*3]
		if encoded := base64.StdEncoding.EncodeToString([]byte(inner)); len(encoded) >= part {
			all = append(all, encoded, base64.URLEncoding.EncodeToString([]byte(inner)))
		}
	}
	return all
}
