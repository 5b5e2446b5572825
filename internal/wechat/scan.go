package wechat

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxDepth is encoding/json's limit.
const maxDepth = 10000

var (
	errSyntax   = errors.New("invalid syntax")
	errCutShort = errors.New("truncated")
	errTooDeep  = errors.New("nested too deep")
)

// scanner decodes one JSON document. The strings it returns are substrings of the
// document and keep it in memory. It accepts exactly what encoding/json accepts, and a
// byte order mark in front.
type scanner struct {
	s string
	i int
}

func newScanner(document string) *scanner {
	return &scanner{s: strings.TrimPrefix(document, "\ufeff")}
}

// document calls field for each member of the top-level object; field must read the
// member's value.
func (s *scanner) document(field func(key string) error) error {
	if s.peek() != '{' {
		return s.broken()
	}
	if err := s.object(1, field); err != nil {
		return err
	}
	s.peek()
	if s.i < len(s.s) {
		return errSyntax
	}
	return nil
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.s) {
		switch c := s.s[s.i]; c {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) broken() error {
	if s.i >= len(s.s) {
		return errCutShort
	}
	return errSyntax
}

// object reads an object whose '{' is next.
func (s *scanner) object(depth int, field func(key string) error) error {
	if depth > maxDepth {
		return errTooDeep
	}
	s.i++
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.broken()
		}
		key, err := s.str()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.broken()
		}
		s.i++
		if err := field(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.broken()
		}
	}
}

// array reads an array whose '[' is next.
func (s *scanner) array(depth int, element func() error) error {
	if depth > maxDepth {
		return errTooDeep
	}
	s.i++
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.broken()
		}
	}
}

// skip reads any value. depth is the nesting of a container in its place; the
// top-level object has 1.
func (s *scanner) skip(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.str()
		return err
	case c == '{':
		return s.object(depth, func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(depth, func() error { return s.skip(depth + 1) })
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.broken()
}

func (s *scanner) word(word string) error {
	if !strings.HasPrefix(s.s[s.i:], word) {
		if strings.HasPrefix(word, s.s[s.i:]) {
			return errCutShort
		}
		return errSyntax
	}
	s.i += len(word)
	return nil
}

// str reads a string whose '"' is next. Invalid UTF-8 is returned unchanged; the
// caller checks.
func (s *scanner) str() (string, error) {
	start := s.i + 1
	for i := start; i < len(s.s); i++ {
		switch c := s.s[i]; {
		case c == '"':
			s.i = i + 1
			return s.s[start:i], nil
		case c == '\\':
			return s.escaped(start, i)
		case c < ' ':
			return "", errSyntax
		}
	}
	return "", errCutShort
}

// escaped reads a string that begins at start and has its first escape at i.
func (s *scanner) escaped(start, i int) (string, error) {
	for ; i < len(s.s) && s.s[i] != '"'; i++ {
		if s.s[i] == '\\' {
			i++
		}
	}
	if i >= len(s.s) {
		return "", errCutShort
	}
	s.i = i + 1
	var text string
	if json.Unmarshal([]byte(s.s[start-1:i+1]), &text) != nil {
		return "", errSyntax
	}
	if raw := s.s[start:i]; !utf8.ValidString(raw) {
		return raw, nil
	}
	return text, nil
}

// number returns a number as text.
func (s *scanner) number() (string, error) {
	start := s.i
	if s.s[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.s) && s.s[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return "", s.broken()
	}
	if s.i < len(s.s) && s.s[s.i] == '.' {
		s.i++
		if !s.digits() {
			return "", s.broken()
		}
	}
	if s.i < len(s.s) && (s.s[s.i] == 'e' || s.s[s.i] == 'E') {
		s.i++
		if s.i < len(s.s) && (s.s[s.i] == '+' || s.s[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return "", s.broken()
		}
	}
	return s.s[start:s.i], nil
}

// digits skips digits and reports whether it found one.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.s) && s.s[s.i] >= '0' && s.s[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
