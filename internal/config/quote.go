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
	// longestShown is the number of characters of a value that a fault quotes.
	longestShown = 60
	// shortestSecret is the number of characters from which a word may be a
	// secret; the other packages redact parts of secrets from this length.
	shortestSecret = 8
)

// shown quotes a value for a fault. A misplaced value may be a secret: if it looks
// like one, shown returns its length only.
func shown(given string) string {
	if likeSecret(given) {
		return described(given)
	}
	if runes := []rune(given[:min(len(given), 4*longestShown)]); len(runes) > longestShown {
		return strconv.Quote(string(runes[:longestShown]) + "…")
	}
	return strconv.Quote(given)
}

// A word that cannot have been meant for its place is not quoted from leastHidden
// characters on, or from leastMixed if it mixes letters and digits.
const leastHidden, leastMixed = 10, 6

// shownIf is shown for a variable with its own vocabulary; meant reports whether
// the value resembles it. Any other value may be a misplaced secret.
func shownIf(meant bool, given string) string {
	long := leastHidden
	if mixed(given) {
		long = leastMixed
	}
	if meant || len(given) < long {
		return shown(given)
	}
	return described(given)
}

func described(given string) string {
	return fmt.Sprintf("[%d characters, not shown: it could be a secret]", utf8.RuneCountInString(given))
}

// numeric reports whether a value begins like a number, time or duration.
func numeric(given string) bool {
	return given != "" && strings.ContainsRune("0123456789+-.", rune(given[0]))
}

// quoteNumber is quote for a number, time or duration; quoteWord is quote for one
// of the words.
func quoteNumber(given string) string { return shownIf(numeric(given), given) + notValid }

func quoteWord(given string, words []string) string {
	return shownIf(Nearest(given, words) != "", given) + notValid
}

const notValid = " is not valid"

// likeSecret reports whether a value contains a word unlike any valid time, number,
// name or address: a very long one, one that mixes letters and digits, or one with
// the punctuation of passwords and of URLs with credentials.
func likeSecret(given string) bool {
	if len(given) < shortestSecret {
		return false
	}
	if len(given) > 4*longestShown || strings.ContainsAny(given, `!"#$%&'*;<=>?@\^`+"`{|}~()") {
		return true
	}
	for word := range strings.FieldsFuncSeq(given, func(r rune) bool { return !letter(r) && !digit(r) }) {
		if mixed(word) && len(word) >= shortestSecret || len(word) >= 20 {
			return true
		}
	}
	return false
}

// likeName reports whether a value may be shown as the name of a shop: unlike other
// values, names often have words of letters followed by digits, such as shop0001.
func likeName(given string) bool {
	if given == "" || utf8.RuneCountInString(given) > longestShown {
		return false
	}
	numbered := strings.Builder{} // the name without the digits at the end of its words
	for i, r := range given {
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(given[i:], "0123456789"))
		if !digit(r) || letter(next) {
			numbered.WriteRune(r)
		}
	}
	return !likeSecret(numbered.String())
}

func letter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
func digit(r rune) bool  { return r >= '0' && r <= '9' }

func mixed(text string) bool {
	return strings.ContainsFunc(text, letter) && strings.ContainsFunc(text, digit)
}

// shownAddress is shown for addresses. Host names look like secrets; the secrets of
// an address are before an @ or after a question mark.
func shownAddress(given string) string {
	if strings.ContainsAny(given, "@?#=&") {
		return "[address not shown: it could hold a secret]"
	}
	if strings.ContainsAny(given, ".:") && len(given) <= longestShown {
		return strconv.Quote(given)
	}
	return shown(given)
}

// shownPath quotes the path of a file for a fault. Operators sometimes give the
// secret itself instead of its path, and it may begin with a slash. So a path that
// looks like a secret and is in no existing folder is not quoted, nor is a single
// word that is no file.
func shownPath(path string) string {
	first, _, inside := strings.Cut(strings.TrimLeft(path, "/"), "/")
	named := strings.ContainsAny(path, "/.") || len(path) < leastHidden && !mixed(path)
	if named && !likeSecret(path) || exists(path) || filepath.IsAbs(path) && inside && exists("/"+first) {
		return strconv.Quote(path)
	}
	return "[path not shown: it could be a secret]"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
