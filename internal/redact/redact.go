// Package redact takes secrets out of texts of foreign origin: error messages of
// the API, of brokers and of token servers, which echo what they were given, in
// part or in another encoding. internal/wechat and internal/kafkaconn use it.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// part is how many characters of a secret in a row are taken for a part of it.
// Fewer help nobody to guess the rest, and would match common words.
const part = 8

// Text is the text with mark in place of every secret and of every part of one,
// plain or as URLs, JSON, base64 or hexadecimal write it, in whatever case.
// Secrets shorter than a part are replaced where they stand whole.
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

// hide marks the bytes of text that are of the word, or of a part of it. grams
// are all pieces of text that have the length of a part.
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

// fold lowers ASCII letters and nothing else, so that bytes keep their places.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// forms are the ways to write a secret.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always encodes
	all := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`),
		hex.EncodeToString([]byte(secret)),
	}
	// Within a longer text that is base64 as a whole, a secret has one of three
	// forms; its first and last characters depend on what stands beside it.
	for skip := range min(3, len(secret)) {
		inner := secret[skip:]
		inner = inner[:len(inner)/3*3]
		if encoded := base64.StdEncoding.EncodeToString([]byte(inner)); len(encoded) >= part {
			all = append(all, encoded, base64.URLEncoding.EncodeToString([]byte(inner)))
		}
	}
	return all
}
