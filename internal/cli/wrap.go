package cli

import (
	"strings"
	"unicode/utf8"
)

// wrap breaks a text at its spaces into lines of at most helpWidth characters. The
// first line begins with head, the others with indent. A longer word gets its own
// line.
func wrap(head, indent, text string) string {
	var b strings.Builder
	line := head
	begun := false // the line has a word of the text
	for word := range strings.FieldsSeq(text) {
		switch {
		case !begun:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > helpWidth:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
		begun = true
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
