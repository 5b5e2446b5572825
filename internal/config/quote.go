package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// longestShown are the characters of a value that a fault quotes.
	longestShown = 60
	// shortestSecret are the characters from which on a word is taken for what
	// could be a secret; the other packages redact parts of secrets this long.
	shortestSecret = 8
)

// shown is a value as a fault quotes it. A value in the wrong place may be a
// secret: one that looks like a secret is described and not quoted.
func shown(given string) string {
	if likeSecret(given) {
		return fmt.Sprintf("[%d characters, not shown: it could be a secret]", utf8.RuneCountInString(given))
	}
	if runes := []rune(given[:min(len(given), 4*longestShown)]); len(runes) > longestShown {
		return strconv.Quote(string(runes[:longestShown]) + "…")
	}
	return strconv.Quote(given)
}

// likeSecret reports whether a value has a word that no time, number, name or
// address of ours has: letters mixed with digits, very long, or with the
// punctuation of passwords and of URLs with credentials.
func likeSecret(given string) bool {
	if len(given) < shortestSecret {
		return false
	}
	if len(given) > 4*longestShown || strings.ContainsAny(given, `!"#$%&'*;<=>?@\^`+"`{|}~()") {
		return true
	}
	letter := func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	for word := range strings.FieldsFuncSeq(given, func(r rune) bool { return !letter(r) && !digit(r) }) {
		mixed := strings.ContainsFunc(word, letter) && strings.ContainsFunc(word, digit)
		if mixed && len(word) >= shortestSecret || len(word) >= 20 {
			return true
		}
	}
	return false
}

// shownAddress is shown for addresses, whose hosts look like secrets: those are
// before an @ or behind a question mark.
func shownAddress(given string) string {
	if strings.ContainsAny(given, "@?#=&") {
		return "[address not shown: it could hold a secret]"
	}
	if strings.ContainsAny(given, ".:") && len(given) <= longestShown {
		return strconv.Quote(given)
	}
	return shown(given)
}

// shownPath is the path of a file as a fault quotes it. Where the file is to be
// named, the secret itself is sometimes given, which may begin with a slash: what
// looks like one and leads into no folder is not quoted.
func shownPath(path string) string {
	first, _, inside := strings.Cut(strings.TrimLeft(path, "/"), "/")
	if !likeSecret(path) || exists(path) || filepath.IsAbs(path) && inside && exists("/"+first) {
		return strconv.Quote(path)
	}
	return "[path not shown: it could be a secret]"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
