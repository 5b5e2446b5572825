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
	maxMessage = 300     // bytes of an errmsg that are kept
	maxRaw     = 4 << 10 // bytes of it that are looked at
	maxRID     = 64
	maxHidden  = 8
)

// redactor takes tokens and secrets out of texts of foreign origin. It knows
// the latest few in use, since an answer may come after a token has changed.
type redactor struct {
	mu     sync.Mutex
	hidden []string // latest last
}

// hide adds a word that no text may show from now on.
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

// text cuts s to a sane length, cleans it of all hidden words, of their parts and
// of what encodings make of them, and drops control characters.
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
	// The rid stands last and would be lost if the text were cut first.
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
