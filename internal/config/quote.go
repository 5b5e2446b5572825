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
		return described(given)
	}
	if runes := []rune(given[:min(len(given), 4*longestShown)]); len(runes) > longestShown {
		return strconv.Quote(string(runes[:longestShown]) + "…")
	}
	return strconv.Quote(given)
}

// A word of so many characters that cannot have been meant for its place is not
// quoted; one of letters and digits need not be so long.
const leastHidden, leastMixed = 10, 6

// shownIf is shown for a place that takes words or numbers of its own: what can
// have been meant for it. Anything else may be a secret that got there.
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

// numeric reports whether a value begins as numbers, times and durations do.
func numeric(given string) bool {
	return given != "" && strings.ContainsRune("0123456789+-.", rune(given[0]))
}

// quoteNumber is quote for what should be a number, a time or a duration, and
// quoteWord for one of the words.
func quoteNumber(given string) string { return shownIf(numeric(given), given) + notValid }

func quoteWord(given string, words []string) string {
	return shownIf(Nearest(given, words) != "", given) + notValid
}

const notValid = " is not valid"

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
	for word := range strings.FieldsFuncSeq(given, func(r rune) bool { return !letter(r) && !digit(r) }) {
		if mixed(word) && len(word) >= shortestSecret || len(word) >= 20 {
			return true
		}
	}
	return false
}

func letter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
func digit(r rune) bool  { return r >= '0' && r <= '9' }

func mixed(text string) bool {
	return strings.ContainsFunc(text, letter) && strings.ContainsFunc(text, digit)
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
// looks like one and leads into no folder is not quoted, and neither is a single
// word that is no file here.
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
