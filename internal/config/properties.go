package config

import (
	"strconv"
	"strings"
)

// property returns the value of a key in a text of Java's properties form: lines of key
// and value with =, : or a blank between them; # and ! begin comments; a backslash
// escapes, and continues a line. Of several, the last one counts, as in Java.
func property(text, key string) (value string, found bool) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimLeft(lines[i], blanks)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) {
			line = line[:len(line)-1]
			if i++; i == len(lines) {
				break
			}
			line += strings.TrimLeft(lines[i], blanks)
		}
		name, rest := cutProperty(line)
		if unescape(name) == key {
			value, found = strings.TrimSpace(unescape(rest)), true
		}
	}
	return value, found
}

// blanks are the characters that separate a key from its value.
const blanks = " \t\f"

// continued reports whether a line ends with a backslash that nothing escapes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// cutProperty cuts a line at the first separator that nothing escapes.
func cutProperty(line string) (key, value string) {
	at := 0
	for at < len(line) && !strings.ContainsRune(blanks+"=:", rune(line[at])) {
		if line[at] == '\\' {
			at++
		}
		at++
	}
	at = min(at, len(line))
	key, value = line[:at], strings.TrimLeft(line[at:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return key, value
}

func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			break
		}
		switch c := text[i]; c {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			digits := text[i+1 : min(i+5, len(text))]
			n, err := strconv.ParseUint(digits, 16, 16)
			if err != nil || len(digits) < 4 { // not an escape
				b.WriteByte(c)
				continue
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
