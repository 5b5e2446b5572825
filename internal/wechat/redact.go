package wechat

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"orderwalk/internal/redact"
)

const (
	maxMessage = 300     // most bytes of an errmsg in an error
	maxRaw     = 4 << 10 // most bytes of an errmsg that are examined
	maxRID     = 64
	maxHidden  = 8
)

// redactor removes tokens and secrets from texts of foreign origin. It keeps the
// latest few, because an answer may come after a token has changed.
type redactor struct {
	mu     sync.Mutex
	hidden []string // latest last
}

// hide adds a word to redact from now on.
func (r *redactor) hide(word string) {
	if word == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.hidden); n > 0 && r.hidden[n-1] == word {
		return
	}
	if at := slices.Index(r.hidden, word); at >= 0 {
		r.hidden = slices.Delete(r.hidden, at, at+1)
	} else if len(r.hidden) == maxHidden {
		r.hidden = slices.Delete(r.hidden, 0, 1)
	}
	r.hidden = append(r.hidden, word)
}

// text bounds the length of s, redacts all hidden words, their parts and their
// encodings, and drops control characters.
func (r *redactor) text(s string) string {
	r.mu.Lock()
	hidden := slices.Clone(r.hidden)
	r.mu.Unlock()
	s = redact.Text(s[:min(len(s), maxRaw)], "[redacted]", hidden...)
	s = strings.ToValidUTF8(s, "?")
	s = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s))
	return cut(s, maxMessage)
}

// message splits an errmsg into its text and the rid at its end.
func (r *redactor) message(errmsg string) (message, rid string) {
	message = r.text(errmsg)
	// The rid is at the end and would be lost if the text were cut first.
	if at := strings.LastIndex(errmsg, "rid:"); at >= 0 {
		rid = cut(r.text(errmsg[at+len("rid:"):]), maxRID)
		message = r.text(errmsg[:at])
	}
	return message, rid
}

func cut(s string, length int) string {
	if len(s) <= length {
		return s
	}
	for length > 0 && !utf8.RuneStart(s[length]) {
		length--
	}
	return s[:length] + "…"
}
